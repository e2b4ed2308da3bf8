//! Rows on their way into records: each is taken as a whole, or not at all.

use std::mem;
use std::sync::Arc;

use meshaccel_core::group::{Fold, Located, Order, RowKind};
use pyo3::exceptions::PyValueError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList, PyTuple};

use super::build::Builder;
use super::bytes::Writer;
use super::objects::Objects;
use super::plan::{Plan, RowPlan};
use super::row::PyRow;
use super::rows::RowReader;
use super::values::Values;
use crate::breath::Breath;
use crate::error::{null_key, orphan, reopened_group, too_many_rows};
use crate::json::Documents;
use crate::prefetch::prefetch_rows;

/// What the records will be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Dicts, built at once.
    Objects,
    /// JSON: documents are validated at once, and kept as bytes.
    Json,
    /// Either: documents are tried, and kept as they came.
    Any,
}

/// The rows of one call or stream, so far.
pub struct Folding {
    plan: Arc<Plan>,
    order: Order,
    purpose: Purpose,
    fold: Fold<Py<PyAny>>,
    records: Records,
    documents: Documents,
    /// How many rows were given: joined, of each level, and altogether.
    given_joined: usize,
    given: Vec<usize>,
    total: usize,
}

/// The records so far.
enum Records {
    Objects(Objects),
    Values(Values),
}

impl Folding {
    pub fn new(py: Python<'_>, plan: Arc<Plan>, order: Order, purpose: Purpose) -> Self {
        let collections = plan.layout.len();
        Self {
            fold: Fold::new(Arc::clone(&plan.layout), order),
            records: match purpose {
                Purpose::Objects => Records::Objects(Objects::new(py, collections)),
                Purpose::Json => Records::Values(Values::new(collections, true)),
                Purpose::Any => Records::Values(Values::new(collections, false)),
            },
            documents: Documents::new(),
            given_joined: 0,
            given: vec![0; collections],
            total: 0,
            plan,
            order,
            purpose,
        }
    }

    /// Take rows of one kind. Those before the first one that fails are kept.
    ///
    /// `one_call`: whether the records are made before the caller can drop the rows. Then those
    /// of a list are kept as they are.
    pub fn feed(
        &mut self,
        rows: &Bound<'_, PyAny>,
        plan: &RowPlan,
        one_call: bool,
    ) -> PyResult<()> {
        let is_list =
            rows.is_exact_instance_of::<PyList>() || rows.is_exact_instance_of::<PyTuple>();
        let mut reader = RowReader::new(plan);
        let mut breath = Breath::new(rows.py());
        let list = rows.cast_exact::<PyList>().ok();
        for (at, row) in rows.try_iter()?.enumerate() {
            let row = row?;
            if let Some(list) = list {
                prefetch_rows(list, at);
            }
            let index = self.count(plan.kind)?;
            let (values, is_row) = reader.read(row, index)?;
            let is_kept = one_call && is_list && is_row;
            let row = PyRow {
                values,
                plan,
                index,
            };
            self.push(&row, is_kept)?;
            breath.step()?;
        }
        Ok(())
    }

    /// All records that nobody has taken yet.
    pub fn objects<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let values = match &self.records {
            Records::Objects(objects) => return Ok(objects.records(py)),
            Records::Values(values) if values.is_for_json() => {
                return Err(PyValueError::new_err(
                    "the stream was begun for JSON: it has no dicts to finish",
                ));
            }
            Records::Values(values) => values,
        };
        let mut breath = Breath::new(py);
        let mut builder = Builder {
            plan: &self.plan,
            fold: &self.fold,
            values,
            documents: &mut self.documents,
            breath: &mut breath,
        };
        let mut records = Vec::with_capacity(values.len());
        for id in 0..values.len() {
            records.extend(builder.record(py, 0, id)?);
        }
        PyList::new(py, records)
    }

    /// Write all records as a JSON array.
    pub fn json<'py>(
        &mut self,
        py: Python<'py>,
        default: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let Records::Values(values) = &self.records else {
            let message = match self.order {
                Order::Any => "the stream was begun for dicts: it has no JSON to finish",
                Order::Grouped => "an ordered stream gives its records one by one, not as one text",
            };
            return Err(PyValueError::new_err(message));
        };
        let mut breath = Breath::new(py);
        let mut writer = Writer {
            plan: &self.plan,
            fold: &self.fold,
            values,
            documents: (!values.is_for_json()).then_some(&mut self.documents),
            default,
            breath: &mut breath,
            out: Vec::new(),
        };
        writer.array(py, 0, 0..values.len())?;
        Ok(PyBytes::new(py, &writer.out))
    }

    /// The records finished since this was last asked.
    pub fn take_finished<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        match (&self.records, self.order) {
            (Records::Objects(objects), Order::Grouped) => objects.take_finished(py),
            _ => Ok(PyList::empty(py)),
        }
    }

    /// Begin anew. Returns what was: dropping it may run Python code, which may look here.
    #[must_use]
    pub fn reset(&mut self, py: Python<'_>) -> Self {
        let plan = Arc::clone(&self.plan);
        mem::replace(self, Self::new(py, plan, self.order, self.purpose))
    }

    pub fn order(&self) -> Order {
        self.order
    }

    pub fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.fold.keys().try_for_each(|key| visit.call(key))?;
        match &self.records {
            Records::Objects(objects) => objects.traverse(visit)?,
            Records::Values(values) => values.traverse(visit)?,
        }
        self.documents.traverse(visit)
    }

    /// The number of the next row of a kind.
    fn count(&mut self, kind: RowKind) -> PyResult<usize> {
        let given = match kind {
            RowKind::Joined => &mut self.given_joined,
            RowKind::Level(level) => match self.given.get_mut(level) {
                Some(given) => given,
                None => return Ok(0),
            },
        };
        let index = *given;
        if let Some(limit) = self.plan.max_rows
            && self.total >= limit
        {
            return Err(too_many_rows(index, limit));
        }
        *given += 1;
        self.total += 1;
        Ok(index)
    }

    fn push(&mut self, row: &PyRow<'_, '_>, is_kept: bool) -> PyResult<()> {
        let RowPlan { kind, path, .. } = row.plan;
        let layout = &self.plan.layout;
        let addition = match self.fold.locate(row, *kind)? {
            Located::Placed(addition) => addition,
            Located::Nowhere => {
                let is_outermost = matches!(kind, RowKind::Joined | RowKind::Level(0));
                if is_outermost && self.plan.refuses_null_key {
                    return Err(null_key(row.index, &self.plan.table));
                }
                return Ok(());
            }
            Located::Orphan(above) => {
                if !self.plan.refuses_orphans {
                    return Ok(());
                }
                let key = row.tuple(layout.key(*kind, above))?;
                return Err(orphan(row.index, path, key));
            }
            Located::Reopened => {
                let key = row.tuple(layout.key(*kind, 0))?;
                return Err(reopened_group(row.index, &self.plan.table, key));
            }
        };
        let (plan, documents) = (&self.plan, &mut self.documents);
        match &mut self.records {
            Records::Objects(objects) => objects.add(plan, row, &addition, documents)?,
            Records::Values(values) => values.add(plan, row, &addition, documents, is_kept)?,
        }
        addition.commit();
        Ok(())
    }
}
