//! Rows on their way into records: each is taken as a whole, or not at all.

use std::mem;
use std::sync::Arc;

use meshaccel_core::group::{CollectionId, Fold, Located, Order, RowKind};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyTuple};

use super::bytes::Writer;
use super::objects::{Builder, dict};
use super::plan::{Plan, RowPlan};
use super::row::PyRow;
use super::rows::RowReader;
use super::tree::{Node, Tree};
use crate::breath::Breath;
use crate::error::{null_key, orphan, reopened_group, too_many_rows};
use crate::json::{Documents, Policy};
use crate::prefetch::prefetch_rows;

/// What the records will be.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// Dicts: documents are read at once.
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
    tree: Tree,
    documents: Documents,
    /// Finished records that nobody has taken yet.
    finished: Vec<Py<PyDict>>,
    /// How many rows were given: joined, of each level, and altogether.
    given_joined: usize,
    given: Vec<usize>,
    total: usize,
    newcomers: Vec<(CollectionId, Node)>,
}

impl Folding {
    pub fn new(plan: Arc<Plan>, order: Order, purpose: Purpose) -> Self {
        let collections = plan.layout.len();
        Self {
            fold: Fold::new(Arc::clone(&plan.layout), order),
            tree: Tree::new(collections),
            documents: Documents::new(),
            finished: Vec::new(),
            given_joined: 0,
            given: vec![0; collections],
            total: 0,
            newcomers: Vec::with_capacity(collections),
            plan,
            order,
            purpose,
        }
    }

    /// Take rows of one kind. Those before the first one that fails are kept.
    pub fn feed(&mut self, rows: &Bound<'_, PyAny>, plan: &RowPlan) -> PyResult<()> {
        // Rows that live on anyway are kept as they are.
        let is_kept = self.purpose != Purpose::Any
            && (rows.is_exact_instance_of::<PyList>() || rows.is_exact_instance_of::<PyTuple>());
        let mut reader = RowReader::new(plan);
        let mut breath = Breath::new(rows.py());
        let list = rows.cast_exact::<PyList>().ok();
        for (at, row) in rows.try_iter()?.enumerate() {
            let row = row?;
            if let Some(list) = list {
                prefetch_rows(list, at);
            }
            let index = self.count(plan.kind)?;
            let values = reader.read(&row, index)?;
            let is_kept = is_kept && values.is(&row);
            self.push(
                &PyRow {
                    values,
                    plan,
                    index,
                },
                is_kept,
            )?;
            breath.step()?;
        }
        Ok(())
    }

    /// Build all records that nobody has taken yet.
    pub fn objects<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let mut breath = Breath::new(py);
        let mut builder = Builder {
            plan: &self.plan,
            fold: &self.fold,
            tree: &self.tree,
            documents: &mut self.documents,
            breath: &mut breath,
        };
        let mut records: Vec<_> = self
            .finished
            .iter()
            .map(|dict| dict.clone_ref(py))
            .collect();
        records.reserve(self.tree.len());
        for id in 0..self.tree.len() {
            records.extend(builder.record(py, 0, id)?.map(Bound::unbind));
        }
        PyList::new(py, records)
    }

    /// Write all records as a JSON array.
    pub fn json<'py>(
        &mut self,
        py: Python<'py>,
        default: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let mut breath = Breath::new(py);
        let mut writer = Writer {
            plan: &self.plan,
            fold: &self.fold,
            tree: &self.tree,
            documents: (self.purpose == Purpose::Any).then_some(&mut self.documents),
            default,
            breath: &mut breath,
            out: Vec::new(),
        };
        writer.array(py, 0, 0..self.tree.len())?;
        Ok(PyBytes::new(py, &writer.out))
    }

    /// The records finished since this was last asked.
    pub fn take_finished<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let records = PyList::new(py, &self.finished)?;
        self.finished.clear();
        Ok(records)
    }

    /// Begin anew. Returns what was: dropping it may run Python code, which may look here.
    #[must_use]
    pub fn reset(&mut self) -> Self {
        let plan = Arc::clone(&self.plan);
        mem::replace(self, Self::new(plan, self.order, self.purpose))
    }

    pub fn order(&self) -> Order {
        self.order
    }

    pub fn purpose(&self) -> Purpose {
        self.purpose
    }

    pub fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.fold.keys().try_for_each(|key| visit.call(key))?;
        self.finished
            .iter()
            .try_for_each(|record| visit.call(record))?;
        self.tree.traverse(visit)?;
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
        for collection in addition.opens() {
            let reading = Reading {
                plan: &self.plan,
                purpose: self.purpose,
                documents: &mut self.documents,
            };
            let node = reading
                .node(row, collection, is_kept)
                .inspect_err(|_| self.newcomers.clear())?;
            self.newcomers.push((collection, node));
        }
        if addition.finishes() {
            let py = row.values.py();
            let mut builder = Builder {
                plan: &self.plan,
                fold: addition.before(),
                tree: &self.tree,
                documents: &mut self.documents,
                breath: &mut Breath::new(py),
            };
            let record = builder
                .record(py, 0, 0)
                .inspect_err(|_| self.newcomers.clear())?;
            self.finished.extend(record.map(Bound::unbind));
            self.tree.clear();
        }
        addition.commit();
        while let Some((collection, node)) = self.newcomers.pop() {
            self.tree.push(collection, node);
        }
        Ok(())
    }
}

/// Reads what a row says of one record.
struct Reading<'a> {
    plan: &'a Plan,
    purpose: Purpose,
    documents: &'a mut Documents,
}

impl Reading<'_> {
    fn node(self, row: &PyRow<'_, '_>, collection: CollectionId, is_kept: bool) -> PyResult<Node> {
        let values = &row.values;
        let start = self.plan.layout.start(row.plan.kind, collection);
        let node = |values: Bound<'_, PyTuple>, start| Node::Values {
            values: values.unbind(),
            start,
            row: row.index,
        };
        let Some(record) = self.plan.records.get(collection) else {
            return Ok(node(values.clone(), start));
        };
        if self.purpose == Purpose::Objects {
            let dict = dict(record, values, start, row.index, self.documents)?;
            return Ok(Node::Dict(dict.unbind()));
        }
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
                Some(_) if self.purpose == Purpose::Json => {
                    self.documents.read(&value, Policy::Raw, &place)?
                }
                Some(policy) => self.documents.hold(&value, policy, &place)?,
            });
        }
        Ok(node(PyTuple::new(values.py(), own)?, 0))
    }
}
