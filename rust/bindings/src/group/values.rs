//! Records as the values of their rows, to be built or written in the end.

use meshaccel_core::group::{Addition, CollectionId, RecordId};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::plan::Plan;
use super::row::PyRow;
use crate::json::{Documents, Policy};

/// One record.
pub struct Node {
    /// Its values, perhaps among others.
    pub values: Py<PyTuple>,
    /// Position of the first.
    pub start: usize,
    /// Number of the row that opened it.
    pub row: usize,
}

/// The records so far.
pub struct Values {
    /// Whether documents are only ever written: then they are kept as valid bytes.
    is_for_json: bool,
    /// By collection, by record.
    nodes: Vec<Vec<Node>>,
    /// The new records of the row at hand.
    newcomers: Vec<(CollectionId, Node)>,
}

impl Values {
    pub fn new(collections: usize, is_for_json: bool) -> Self {
        Self {
            is_for_json,
            nodes: (0..collections).map(|_| Vec::new()).collect(),
            newcomers: Vec::with_capacity(collections),
        }
    }

    pub fn is_for_json(&self) -> bool {
        self.is_for_json
    }

    pub fn get(&self, collection: CollectionId, record: RecordId) -> Option<&Node> {
        self.nodes.get(collection)?.get(record)
    }

    /// Number of outermost records.
    pub fn len(&self) -> usize {
        self.nodes.first().map_or(0, Vec::len)
    }

    /// Keep what a row says of its new records. After an error nothing has changed.
    ///
    /// `is_kept`: whether the row lives on anyway.
    pub fn add(
        &mut self,
        plan: &Plan,
        row: &PyRow<'_, '_>,
        addition: &Addition<'_, Py<PyAny>>,
        documents: &mut Documents,
        is_kept: bool,
    ) -> PyResult<()> {
        for (collection, _) in addition.opens() {
            let node = self
                .node(plan, row, collection, documents, is_kept)
                .inspect_err(|_| self.newcomers.clear())?;
            self.newcomers.push((collection, node));
        }
        while let Some((collection, node)) = self.newcomers.pop() {
            if let Some(nodes) = self.nodes.get_mut(collection) {
                nodes.push(node);
            }
        }
        Ok(())
    }

    fn node(
        &self,
        plan: &Plan,
        row: &PyRow<'_, '_>,
        collection: CollectionId,
        documents: &mut Documents,
        is_kept: bool,
    ) -> PyResult<Node> {
        let values = &row.values;
        let start = plan.layout.start(row.plan.kind, collection);
        let node = |values: Bound<'_, PyTuple>, start| Node {
            values: values.unbind(),
            start,
            row: row.index,
        };
        let Some(record) = plan.records.get(collection) else {
            return Ok(node(values.clone(), start));
        };
        let end = start + record.columns.len();
        if !record.has_documents {
            // A row kept for a few of its values would keep the others alive too.
            let is_whole = is_kept || 2 * (end - start) >= values.len();
            return Ok(if is_whole {
                node(values.clone(), start)
            } else {
                node(values.get_slice(start, end), 0)
            });
        }
        let mut own = Vec::with_capacity(record.columns.len());
        for (position, column) in record.columns.iter().enumerate() {
            let value = values.get_item(start + position)?;
            let place = || record.place(values, start, position, row.index);
            own.push(match column.policy {
                None => value,
                Some(_) if self.is_for_json => documents.read(&value, Policy::Raw, &place)?,
                Some(policy) => documents.hold(&value, policy, &place)?,
            });
        }
        Ok(node(PyTuple::new(values.py(), own)?, 0))
    }

    pub fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.nodes
            .iter()
            .flatten()
            .try_for_each(|node| visit.call(&node.values))
    }
}
