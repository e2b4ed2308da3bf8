//! Records built from their values.

use meshaccel_core::group::{CollectionId, Fold, RecordId};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList};

use super::objects::dict;
use super::plan::Plan;
use super::values::{Node, Values};
use crate::breath::Breath;
use crate::json::Documents;

/// Builds records, each with all that is nested in it.
pub struct Builder<'a, 'py> {
    pub plan: &'a Plan,
    pub fold: &'a Fold<Py<PyAny>>,
    pub values: &'a Values,
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
        let Some(Node { values, start, row }) = self.values.get(collection, id) else {
            return Ok(None);
        };
        let dict = dict(plan, values.bind(py), *start, *row, self.documents)?;
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
