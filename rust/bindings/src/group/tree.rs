//! The values of the records of a fold, until they are built or written.

use meshaccel_core::group::{CollectionId, RecordId};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

/// By collection, by record.
pub struct Tree(Vec<Vec<Node>>);

/// One record.
pub enum Node {
    /// All of it but what is nested in it.
    Dict(Py<PyDict>),
    /// Its values.
    Values {
        /// They may be among others.
        values: Py<PyTuple>,
        /// Position of the first.
        start: usize,
        /// Number of the row that opened it.
        row: usize,
    },
}

impl Tree {
    pub fn new(collections: usize) -> Self {
        Self((0..collections).map(|_| Vec::new()).collect())
    }

    pub fn get(&self, collection: CollectionId, record: RecordId) -> Option<&Node> {
        self.0.get(collection)?.get(record)
    }

    /// Number of outermost records.
    pub fn len(&self) -> usize {
        self.0.first().map_or(0, Vec::len)
    }

    pub fn push(&mut self, collection: CollectionId, node: Node) {
        if let Some(nodes) = self.0.get_mut(collection) {
            nodes.push(node);
        }
    }

    pub fn clear(&mut self) {
        self.0.iter_mut().for_each(Vec::clear);
    }

    pub fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.0.iter().flatten().try_for_each(|node| match node {
            Node::Dict(dict) => visit.call(dict),
            Node::Values { values, .. } => visit.call(values),
        })
    }
}
