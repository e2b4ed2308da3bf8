//! Records built with their rows: nested dicts from the start.

use meshaccel_core::group::{Addition, CollectionId, RecordId};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};

use super::plan::{Plan, RecordPlan};
use super::row::PyRow;
use crate::json::Documents;

/// The dicts and lists made so far.
pub struct Objects {
    /// The outermost records. In a grouped fold the last one is not finished.
    top: Py<PyList>,
    /// By collection, by record of its parent: the list its records go to. Empty for the outermost.
    lists: Vec<Vec<Py<PyList>>>,
    /// Of the row at hand: the lists in its new records, by the collection they are for.
    fresh: Vec<(CollectionId, Py<PyList>)>,
    /// Of the row at hand: its new records in known ones, and the list they go to.
    visible: Vec<(Py<PyList>, Py<PyDict>)>,
}

impl Objects {
    pub fn new(py: Python<'_>, collections: usize) -> Self {
        Self {
            top: PyList::empty(py).unbind(),
            lists: (0..collections).map(|_| Vec::new()).collect(),
            fresh: Vec::with_capacity(collections),
            visible: Vec::with_capacity(collections),
        }
    }

    /// Build the new records of a row. After an error nothing has changed.
    pub fn add(
        &mut self,
        plan: &Plan,
        row: &PyRow<'_, '_>,
        addition: &Addition<'_, Py<PyAny>>,
        documents: &mut Documents,
    ) -> PyResult<()> {
        let py = row.values.py();
        let built = self.build(plan, row, addition, documents);
        if built.is_ok() {
            if addition.finishes() {
                self.lists.iter_mut().for_each(Vec::clear);
            }
            while let Some((collection, list)) = self.fresh.pop() {
                if let Some(lists) = self.lists.get_mut(collection) {
                    lists.push(list);
                }
            }
        }
        self.fresh.clear();
        // What a row adds, it adds at once: nothing can fail from here on but for lack of memory,
        // which no vector survives either.
        while let Some((list, dict)) = self.visible.pop() {
            if built.is_ok() {
                list.bind(py).append(dict)?;
            }
        }
        built
    }

    fn build(
        &mut self,
        plan: &Plan,
        row: &PyRow<'_, '_>,
        addition: &Addition<'_, Py<PyAny>>,
        documents: &mut Documents,
    ) -> PyResult<()> {
        let py = row.values.py();
        let is_only = addition.opens().nth(1).is_none();
        for (collection, parent) in addition.opens() {
            let Some(record) = plan.records.get(collection) else {
                continue;
            };
            let start = plan.layout.start(row.plan.kind, collection);
            let dict = dict(record, &row.values, start, row.index, documents)?;
            for child in &record.children {
                let list = PyList::empty(py);
                dict.set_item(&child.name, &list)?;
                self.fresh.push((child.collection, list.unbind()));
            }
            if let Some((_, list)) = self.fresh.iter().find(|(id, _)| *id == collection) {
                list.bind(py).append(dict)?;
            } else if let Some(list) = self.list(collection, parent) {
                if is_only {
                    // Nothing can fail after this.
                    return list.bind(py).append(dict);
                }
                self.visible.push((list.clone_ref(py), dict.unbind()));
            }
        }
        Ok(())
    }

    fn list(&self, collection: CollectionId, parent: RecordId) -> Option<&Py<PyList>> {
        match collection {
            0 => Some(&self.top),
            _ => self.lists.get(collection)?.get(parent),
        }
    }

    /// All records but those taken.
    pub fn records<'py>(&self, py: Python<'py>) -> Bound<'py, PyList> {
        self.top.bind(py).clone()
    }

    /// Take those that are finished in a grouped fold: all but the last.
    pub fn take_finished<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let top = self.top.bind(py);
        let finished = top.len().saturating_sub(1);
        let taken = top.get_slice(0, finished);
        top.del_slice(0, finished)?;
        Ok(taken)
    }

    pub fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.top)?;
        self.lists
            .iter()
            .flatten()
            .try_for_each(|list| visit.call(list))
    }
}

/// The dict of a record with these values, with None for what is nested in it.
pub fn dict<'py>(
    plan: &RecordPlan,
    values: &Bound<'py, PyTuple>,
    start: usize,
    row: usize,
    documents: &mut Documents,
) -> PyResult<Bound<'py, PyDict>> {
    let dict = plan.template.bind(values.py()).copy()?;
    for (position, column) in plan.columns.iter().enumerate() {
        let value = values.get_borrowed_item(start + position)?;
        match column.policy {
            None => dict.set_item(&column.name, value)?,
            Some(policy) => {
                let place = || plan.place(values, start, position, row);
                dict.set_item(&column.name, documents.read(&value, policy, &place)?)?;
            }
        }
    }
    Ok(dict)
}
