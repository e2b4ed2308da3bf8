//! A document that is decoded when it is first looked at.

use std::sync::{Mutex, MutexGuard, PoisonError};

use meshaccel_core::json::validate;
use pyo3::basic::CompareOp;
use pyo3::exceptions::PyAttributeError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyDict, PyIterator, PyTuple};

use super::build::decode;
use super::source::{Fault, Place, Stored};
use super::strings::Strings;
use crate::error::type_name;

/// Behaves like the document once it is asked for anything.
#[pyclass(frozen, module = "meshaccel._native")]
pub struct LazyJson {
    stored: Stored,
    place: Place,
    /// Locked only to copy or swap a reference; Python code never runs meanwhile.
    value: Mutex<Option<Py<PyAny>>>,
}

impl LazyJson {
    pub fn new(stored: Stored, place: Place) -> Self {
        Self {
            stored,
            place,
            value: Mutex::new(None),
        }
    }

    fn cell(&self) -> MutexGuard<'_, Option<Py<PyAny>>> {
        self.value.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        self.cell().as_ref().map(|value| value.bind(py).clone())
    }

    fn decode<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyAny>, Fault> {
        decode(py, self.stored.utf8(py)?, &mut Strings::take())
    }

    /// A method of dicts, which only an object has.
    fn method<'py>(&self, py: Python<'py>, name: &'static str) -> PyResult<Bound<'py, PyAny>> {
        let value = self.value(py)?;
        if value.is_instance_of::<PyDict>() {
            return value.getattr(name);
        }
        let kind = type_name(&value);
        let message = format!("the document is a {kind}, which has no attribute {name:?}");
        Err(PyAttributeError::new_err(message))
    }

    fn duplicate(&self, py: Python<'_>) -> Self {
        Self {
            stored: self.stored.clone_ref(py),
            place: self.place.clone_ref(py),
            value: Mutex::new(None),
        }
    }
}

#[pymethods]
impl LazyJson {
    /// The document as plain objects: always the same ones, made on first access.
    #[getter]
    fn value<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        if let Some(value) = self.known(py) {
            return Ok(value);
        }
        let value = self.decode(py).map_err(|fault| fault.at(py, &self.place))?;
        // Another thread may have been faster; then all get what it made.
        let mut cell = self.cell();
        let winner = cell
            .get_or_insert_with(|| value.clone().unbind())
            .bind(py)
            .clone();
        drop(cell);
        Ok(winner)
    }

    /// The document as stored, in UTF-8, validated.
    #[getter]
    fn raw<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let valid = || {
            let raw = self.stored.to_bytes(py)?;
            if self.known(py).is_none() {
                validate(raw.as_bytes())?;
            }
            Ok(raw)
        };
        valid().map_err(|fault: Fault| fault.at(py, &self.place))
    }

    /// `dict.keys` of an object; any other document has no such attribute.
    #[getter]
    fn keys<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.method(py, "keys")
    }

    /// `dict.values` of an object; any other document has no such attribute.
    #[getter]
    fn values<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.method(py, "values")
    }

    /// `dict.items` of an object; any other document has no such attribute.
    #[getter]
    fn items<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.method(py, "items")
    }

    /// `dict.get` of an object; any other document has no such attribute.
    #[getter]
    fn get<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.method(py, "get")
    }

    fn __getitem__<'py>(&self, index: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        self.value(index.py())?.get_item(index)
    }

    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        self.value(py)?.len()
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyIterator>> {
        self.value(py)?.try_iter()
    }

    fn __contains__(&self, item: &Bound<'_, PyAny>) -> PyResult<bool> {
        self.value(item.py())?.contains(item)
    }

    fn __bool__(&self, py: Python<'_>) -> PyResult<bool> {
        self.value(py)?.is_truthy()
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(self.value(py)?.repr()?.to_string())
    }

    fn __richcmp__<'py>(
        &self,
        other: &Bound<'py, PyAny>,
        op: CompareOp,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = other.py();
        if !matches!(op, CompareOp::Eq | CompareOp::Ne) {
            return Ok(py.NotImplemented().into_bound(py));
        }
        let value = self.value(py)?;
        match other.cast::<Self>() {
            Ok(other) => value.rich_compare(other.get().value(py)?, op),
            Err(_) => value.rich_compare(other, op),
        }
    }

    fn __copy__(&self, py: Python<'_>) -> Self {
        self.duplicate(py)
    }

    fn __deepcopy__(&self, memo: &Bound<'_, PyAny>) -> Self {
        self.duplicate(memo.py())
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        static RESTORE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let restore = RESTORE.import(py, "meshaccel._native", "_restore_lazy_json")?;
        let Place { row, column, key } = &self.place;
        (restore, (self.stored.as_any(), *row, column, key)).into_pyobject(py)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.place.key)?;
        // Nobody holds the lock while the collector runs; if so, the value just seems in use.
        match self.value.try_lock() {
            Ok(value) => visit.call(&*value),
            Err(_) => Ok(()),
        }
    }

    fn __clear__(&self) {
        let value = self.cell().take();
        drop(value);
    }
}

/// What pickled documents are made of.
#[pyfunction]
#[pyo3(name = "_restore_lazy_json")]
pub fn restore_lazy_json(
    stored: &Bound<'_, PyAny>,
    row: usize,
    column: String,
    key: Py<PyTuple>,
) -> PyResult<LazyJson> {
    let place = Place { row, column, key };
    match Stored::of(stored) {
        Ok(stored) => Ok(LazyJson::new(stored, place)),
        Err(fault) => Err(fault.at(stored.py(), &place)),
    }
}
