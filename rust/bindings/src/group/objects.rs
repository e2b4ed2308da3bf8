//! Records as nested dicts.

use meshaccel_core::group::{CollectionId, Fold, RecordId};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};

use super::plan::{Plan, RecordPlan};
use super::tree::{Node, Tree};
use crate::breath::Breath;
use crate::json::Documents;

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

/// Builds records, each with all that is nested in it.
pub struct Builder<'a, 'py> {
    pub plan: &'a Plan,
    pub fold: &'a Fold<Py<PyAny>>,
    pub tree: &'a Tree,
    pub documents: &'a mut Documents,
    pub breath: &'a mut Breath<'py>,
}

impl<'py> Builder<'_, 'py> {
    pub fn record(
        &mut self,
        py: Python<'py>,
        collection: CollectionId,
        id: RecordId,
    ) -> PyResult<Option<Bound<'py, PyDict>>> {
        let Some(plan) = self.plan.records.get(collection) else {
            return Ok(None);
        };
        self.breath.step()?;
        let dict = match self.tree.get(collection, id) {
            None => return Ok(None),
            Some(Node::Dict(dict)) => dict.bind(py).clone(),
            Some(Node::Values { values, start, row }) => {
                dict(plan, values.bind(py), *start, *row, self.documents)?
            }
        };
        for child in &plan.children {
            let mut records = Vec::with_capacity(self.fold.count(child.collection, id));
            for record in self.fold.children(child.collection, id) {
                records.extend(self.record(py, child.collection, record)?);
            }
            dict.set_item(&child.name, PyList::new(py, records)?)?;
        }
        Ok(Some(dict))
    }
}
