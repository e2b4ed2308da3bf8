//! `MetadataList`: a list of the pool.

use pyo3::exceptions::{PyIndexError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyIterator, PySlice, PyTuple};

use super::read::index_of;
use super::shared::Handle;

/// A list of a pool, which nobody can change.
#[pyclass(frozen, sequence, module = "meshaccel.metadata")]
pub struct MetadataList {
    handle: Handle,
}

impl MetadataList {
    pub fn of(handle: Handle) -> Self {
        Self { handle }
    }

    pub fn handle(&self) -> &Handle {
        &self.handle
    }
}

#[pymethods]
impl MetadataList {
    fn __getitem__<'py>(&self, index: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = index.py();
        if index.is_instance_of::<PySlice>() {
            return self.handle.parts(py)?.to_list().as_any().get_item(index);
        }
        if !index.hasattr("__index__")? {
            let kind = index.get_type().name()?;
            let message = format!("list indices must be integers or slices, not {kind}");
            return Err(PyTypeError::new_err(message));
        }
        let found = self.handle.item(py, index_of(index)?)?;
        found.ok_or_else(|| PyIndexError::new_err("list index out of range"))
    }

    fn __len__(&self) -> usize {
        self.handle.len()
    }

    fn __contains__(&self, value: &Bound<'_, PyAny>) -> bool {
        !self.handle.positions(value).is_empty()
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyIterator>> {
        self.handle.parts(py)?.try_iter()
    }

    fn __reversed__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyIterator>> {
        let parts = self.handle.parts(py)?.to_list();
        parts.reverse()?;
        parts.try_iter()
    }

    /// Return the first index of a value, as of a list.
    #[pyo3(signature = (value, start=0, stop=isize::MAX, /))]
    fn index(&self, value: &Bound<'_, PyAny>, start: isize, stop: isize) -> PyResult<usize> {
        let len = self.handle.len();
        let place = |bound: isize| match usize::try_from(bound) {
            Ok(bound) => bound,
            Err(_) => len.saturating_sub(bound.unsigned_abs()),
        };
        let wanted = place(start)..place(stop);
        let found = self.handle.positions(value);
        let first = found.into_iter().find(|position| wanted.contains(position));
        first.ok_or_else(|| PyValueError::new_err("the value is not in the list"))
    }

    /// Count how often a value occurs.
    #[pyo3(signature = (value, /))]
    fn count(&self, value: &Bound<'_, PyAny>) -> usize {
        self.handle.positions(value).len()
    }

    /// Return plain objects, which are the caller's.
    fn to_list<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.handle.plain(py)
    }

    /// Return the list as JSON, in UTF-8, without spaces.
    fn to_json<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        self.handle.json(py)
    }

    /// Return its digest, as `MetadataPool.digest` does.
    #[pyo3(signature = (algorithm="xxh3"))]
    fn digest(&self, algorithm: &str) -> PyResult<String> {
        self.handle.digest(algorithm)
    }

    /// Return the value at the end of a path of keys and indexes.
    #[pyo3(signature = (*path))]
    fn get_path<'py>(&self, path: &Bound<'py, PyTuple>) -> PyResult<Bound<'py, PyAny>> {
        self.handle.at(path)
    }

    fn __eq__<'py>(&self, other: &Bound<'py, PyAny>) -> Bound<'py, PyAny> {
        self.handle.equals(other)
    }

    fn __hash__(&self) -> u64 {
        self.handle.hash()
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(format!("MetadataList({})", self.handle.plain(py)?.repr()?))
    }

    fn __copy__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __deepcopy__(slf: Py<Self>, _memo: &Bound<'_, PyAny>) -> Py<Self> {
        slf
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.handle.reduced(py)
    }
}
