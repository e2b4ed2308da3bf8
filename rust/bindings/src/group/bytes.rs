//! Records as JSON, written straight from the values of the rows.

use meshaccel_core::group::{CollectionId, Fold, RecordId};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::plan::Plan;
use super::values::{Node, Values};
use crate::breath::Breath;
use crate::json::{Documents, write_value};

/// Writes records, each with all that is nested in it.
pub struct Writer<'a, 'py> {
    pub plan: &'a Plan,
    pub fold: &'a Fold<Py<PyAny>>,
    pub values: &'a Values,
    /// None: the documents were made valid bytes with their rows.
    pub documents: Option<&'a mut Documents>,
    /// What makes plain values of others.
    pub default: Option<&'a Bound<'py, PyAny>>,
    pub breath: &'a mut Breath<'py>,
    pub out: Vec<u8>,
}

impl<'py> Writer<'_, 'py> {
    pub fn array(
        &mut self,
        py: Python<'py>,
        collection: CollectionId,
        ids: impl Iterator<Item = RecordId>,
    ) -> PyResult<()> {
        self.out.push(b'[');
        for (index, id) in ids.enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            self.record(py, collection, id)?;
        }
        self.out.push(b']');
        Ok(())
    }

    fn record(&mut self, py: Python<'py>, collection: CollectionId, id: RecordId) -> PyResult<()> {
        let (Some(plan), Some(Node { values, start, row })) = (
            self.plan.records.get(collection),
            self.values.get(collection, id),
        ) else {
            return Ok(());
        };
        let values = values.bind(py);
        self.out.push(b'{');
        for (position, column) in plan.columns.iter().enumerate() {
            self.out.extend_from_slice(&column.member);
            let value = values.get_borrowed_item(start + position)?;
            match (&mut self.documents, column.policy) {
                (_, None) => write_value(&mut self.out, &value, &column.label, self.default)?,
                (Some(documents), Some(_)) => {
                    let place = || plan.place(values, *start, position, *row);
                    documents.write(&mut self.out, &value, &place)?;
                }
                (None, Some(_)) => match value.cast::<PyBytes>() {
                    Ok(document) => self.out.extend_from_slice(document.as_bytes()),
                    Err(_) => self.out.extend_from_slice(b"null"),
                },
            }
        }
        for child in &plan.children {
            self.out.extend_from_slice(&child.member);
            let ids = self.fold.children(child.collection, id);
            self.array(py, child.collection, ids)?;
        }
        self.out.push(b'}');
        self.breath.step()
    }
}
