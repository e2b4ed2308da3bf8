//! `RowGrouper`: read Python rows, build Python dicts. What belongs together, the core decides.

use meshaccel_core::group::{Collection, CollectionId, Fold, Layout, RecordId, Row};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyInt, PyList, PyString, PyTuple};

use crate::breath::Breath;
use crate::error::{never_hashable, null_key, row_type, row_width, unhashable_key};

/// Folds the rows of one shape into nested dicts.
#[pyclass(frozen, module = "meshaccel._native")]
pub struct RowGrouper {
    layout: Layout,
    /// By collection.
    records: Vec<RecordPlan>,
    /// Labels of the columns of a row, for messages.
    labels: Vec<String>,
    table: String,
    skip_null_key: bool,
}

/// How to build the dict of a record.
struct RecordPlan {
    /// Every name of a record, with None: copying it allocates once, where inserting names one
    /// by one grows the dict twice.
    template: Py<PyDict>,
    columns: Vec<Py<PyString>>,
    /// Position of the first column in the row.
    start: usize,
    /// Names of the child collections, and their ids.
    children: Vec<(Py<PyString>, CollectionId)>,
}

#[derive(FromPyObject)]
struct ShapeSpec<'py> {
    table: String,
    null_key: String,
    key: Vec<String>,
    columns: Vec<String>,
    children: Bound<'py, PyAny>,
}

#[derive(FromPyObject)]
struct ChildSpec<'py> {
    key: Vec<String>,
    columns: Vec<String>,
    presence: Vec<String>,
    children: Bound<'py, PyAny>,
}

#[pymethods]
impl RowGrouper {
    #[new]
    fn new(shape: &Bound<'_, PyAny>) -> PyResult<Self> {
        let spec: ShapeSpec<'_> = shape.extract()?;
        let mut grouper = Self {
            layout: Layout::default(),
            records: Vec::new(),
            labels: shape.call_method0("row_columns")?.extract()?,
            table: spec.table,
            skip_null_key: spec.null_key == "skip",
        };
        let outermost = ChildSpec {
            presence: spec.key.clone(),
            key: spec.key,
            columns: spec.columns,
            children: spec.children,
        };
        grouper.plan(shape.py(), None, &outermost, &mut 0)?;
        Ok(grouper)
    }

    /// Fold rows into one dict per distinct key, in first-seen order.
    #[pyo3(signature = (rows, /))]
    fn group<'py>(&self, rows: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyList>> {
        let py = rows.py();
        let mut fold = Fold::new(&self.layout);
        let mut records = Records::new(self, py);
        let mut breath = Breath::new(py)?;
        for (index, row) in rows.try_iter()?.enumerate() {
            let values = self.values(&row?, index)?;
            let mut row = PyRow {
                grouper: self,
                records: &mut records,
                values,
                index,
            };
            if !fold.push(&mut row)? && !self.skip_null_key {
                return Err(null_key(index, &self.table));
            }
            breath.step()?;
        }
        Ok(records.top)
    }
}

impl RowGrouper {
    /// Lay out a collection from column `next` on, and then its children, depth first.
    fn plan(
        &mut self,
        py: Python<'_>,
        parent: Option<CollectionId>,
        spec: &ChildSpec<'_>,
        next: &mut usize,
    ) -> PyResult<CollectionId> {
        let start = *next;
        *next += spec.columns.len();
        let id = self.layout.add(Collection {
            parent,
            key: positions(&spec.key, &spec.columns, start)?,
            presence: positions(&spec.presence, &spec.columns, start)?,
        });
        let template = PyDict::new(py);
        let mut columns = Vec::with_capacity(spec.columns.len());
        for column in &spec.columns {
            let name = PyString::intern(py, column);
            template.set_item(&name, py.None())?;
            columns.push(name.unbind());
        }
        self.records.push(RecordPlan {
            template: template.clone().unbind(),
            columns,
            start,
            children: Vec::new(),
        });
        for item in spec.children.call_method0("items")?.try_iter()? {
            let (name, child): (String, ChildSpec<'_>) = item?.extract()?;
            let name = PyString::intern(py, &name);
            template.set_item(&name, py.None())?;
            let child = self.plan(py, Some(id), &child, next)?;
            if let Some(record) = self.records.get_mut(id) {
                record.children.push((name.unbind(), child));
            }
        }
        Ok(id)
    }

    /// The values of a row, as a tuple nobody can change while foreign code runs.
    fn values<'py>(&self, row: &Bound<'py, PyAny>, index: usize) -> PyResult<Bound<'py, PyTuple>> {
        let py = row.py();
        let width = self.labels.len();
        let check = |got: usize| match got {
            got if got == width => Ok(()),
            got => Err(row_width(index, got, width)),
        };
        if let Ok(tuple) = row.cast_exact::<PyTuple>() {
            check(tuple.len())?;
            return Ok(tuple.clone());
        }
        if let Ok(list) = row.cast_exact::<PyList>() {
            let tuple = list.to_tuple();
            check(tuple.len())?;
            return Ok(tuple);
        }
        let is_text = row.is_instance_of::<PyString>() || row.is_instance_of::<PyBytes>();
        if is_text || row.is_instance_of::<PyDict>() {
            return Err(row_type(index, row));
        }
        let kind = row.get_type();
        if !kind.hasattr("__len__")? || !kind.hasattr("__getitem__")? {
            return Err(row_type(index, row));
        }
        check(row.len()?)?;
        let values: Vec<_> = (0..width)
            .map(|column| row.get_item(column))
            .collect::<PyResult<_>>()?;
        PyTuple::new(py, values)
    }
}

fn positions(names: &[String], columns: &[String], start: usize) -> PyResult<Vec<usize>> {
    names
        .iter()
        .map(
            |name| match columns.iter().position(|column| column == name) {
                Some(position) => Ok(start + position),
                None => Err(PyValueError::new_err(format!("no column {name:?}"))),
            },
        )
        .collect()
}

/// Equality for types that cannot run foreign code and always have a hash. No other value may be
/// called equal before it was hashed: `set()` equals `frozenset()`, but is no dict key.
fn surely_equal(a: &Bound<'_, PyAny>, b: &Bound<'_, PyAny>) -> bool {
    a.is(b) || (a.get_type().is(b.get_type()) && is_plain(a) && a.eq(b).unwrap_or(false))
}

fn is_plain(value: &Bound<'_, PyAny>) -> bool {
    value.is_exact_instance_of::<PyString>()
        || value.is_exact_instance_of::<PyInt>()
        || value.is_exact_instance_of::<PyBytes>()
}

/// The dicts and lists made so far.
struct Records<'py> {
    top: Bound<'py, PyList>,
    /// By collection, by record of its parent: the list its records go to. Empty for the outermost.
    lists: Vec<Vec<Bound<'py, PyList>>>,
}

impl<'py> Records<'py> {
    fn new(grouper: &RowGrouper, py: Python<'py>) -> Self {
        Self {
            top: PyList::empty(py),
            lists: grouper.records.iter().map(|_| Vec::new()).collect(),
        }
    }

    fn list(&self, collection: CollectionId, parent: RecordId) -> Option<&Bound<'py, PyList>> {
        match collection {
            0 => Some(&self.top),
            _ => self.lists.get(collection)?.get(parent),
        }
    }
}

/// One row on its way into the fold.
struct PyRow<'a, 'py> {
    grouper: &'a RowGrouper,
    records: &'a mut Records<'py>,
    values: Bound<'py, PyTuple>,
    index: usize,
}

impl<'py> Row for PyRow<'_, 'py> {
    /// The value of a key of one column, else a tuple of them: Python compares both as dicts do.
    type Key = Bound<'py, PyAny>;
    type Error = PyErr;

    fn all_null(&self, columns: &[usize]) -> PyResult<bool> {
        for &column in columns {
            if !self.values.get_borrowed_item(column)?.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn key(&self, columns: &[usize]) -> PyResult<Self::Key> {
        if let &[column] = columns {
            return self.values.get_item(column);
        }
        let parts: Vec<_> = columns
            .iter()
            .map(|&column| self.values.get_borrowed_item(column))
            .collect::<PyResult<_>>()?;
        Ok(PyTuple::new(self.values.py(), parts)?.into_any())
    }

    fn surely_same(&self, stored: &Self::Key, key: &Self::Key) -> bool {
        if surely_equal(stored, key) {
            return true;
        }
        match (stored.cast_exact::<PyTuple>(), key.cast_exact::<PyTuple>()) {
            (Ok(stored), Ok(key)) => {
                stored.len() == key.len()
                    && stored
                        .iter_borrowed()
                        .zip(key.iter_borrowed())
                        .all(|(stored, key)| surely_equal(&stored, &key))
            }
            _ => false,
        }
    }

    fn hash(&self, column: usize) -> PyResult<u64> {
        let value = self.values.get_borrowed_item(column)?;
        match value.hash() {
            Ok(hash) => Ok(hash.cast_unsigned() as u64),
            Err(error) if never_hashable(&value, &error) => {
                let label = self.grouper.labels.get(column).map_or("", String::as_str);
                Err(unhashable_key(self.index, label, &value, error))
            }
            Err(error) => Err(error),
        }
    }

    fn same(&self, stored: &Self::Key, key: &Self::Key) -> PyResult<bool> {
        // Identity first, as dicts do: a NaN is not equal to itself.
        Ok(stored.is(key) || stored.eq(key)?)
    }

    fn open(&mut self, collection: CollectionId, parent: RecordId) -> PyResult<()> {
        let py = self.values.py();
        let Some(plan) = self.grouper.records.get(collection) else {
            return Ok(());
        };
        let dict = plan.template.bind(py).copy()?;
        for (position, name) in plan.columns.iter().enumerate() {
            dict.set_item(name, self.values.get_borrowed_item(plan.start + position)?)?;
        }
        for (name, child) in &plan.children {
            let list = PyList::empty(py);
            dict.set_item(name, &list)?;
            if let Some(lists) = self.records.lists.get_mut(*child) {
                lists.push(list);
            }
        }
        match self.records.list(collection, parent) {
            Some(list) => list.append(dict),
            None => Ok(()),
        }
    }
}
