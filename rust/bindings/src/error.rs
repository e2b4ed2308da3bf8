//! The only place where errors become Python exceptions; their wording is in `meshaccel.errors`.

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyMemoryView, PyTuple};

/// The exceptions of `meshaccel.errors` that native code raises.
mod python {
    use pyo3::import_exception;

    import_exception!(meshaccel.errors, CacheNameError);
    import_exception!(meshaccel.errors, CacheOptionError);
    import_exception!(meshaccel.errors, ForeignFlightError);
    import_exception!(meshaccel.errors, NullKeyError);
    import_exception!(meshaccel.errors, RowTypeError);
    import_exception!(meshaccel.errors, RowWidthError);
    import_exception!(meshaccel.errors, UnhashableKeyError);
}

/// Something else than exactly `str` where `role` is wanted.
pub fn name_type(role: &str, value: &Bound<'_, PyAny>) -> PyErr {
    python::CacheNameError::new_err((role.to_owned(), type_name(value)))
}

/// One `str` where a collection of them is wanted: its characters are hardly meant.
pub fn lone_name(role: &str) -> PyErr {
    python::CacheNameError::new_err((role.to_owned(), "one str in place of a collection"))
}

/// An option of a cache out of its range.
pub fn cache_option<T>(name: &str, range: &str, value: T) -> PyErr
where
    T: Send + Sync + 'static,
    (String, String, T): pyo3::PyErrArguments,
{
    python::CacheOptionError::new_err((name.to_owned(), range.to_owned(), value))
}

/// A flight of another cache.
pub fn foreign_flight() -> PyErr {
    python::ForeignFlightError::new_err(())
}

/// A row without the key of its outermost record.
pub fn null_key(row: usize, table: &str) -> PyErr {
    python::NullKeyError::new_err((row, table.to_owned()))
}

/// A row that is no sequence of column values.
pub fn row_type(row: usize, value: &Bound<'_, PyAny>) -> PyErr {
    python::RowTypeError::new_err((row, type_name(value)))
}

/// A row with too many or too few values.
pub fn row_width(row: usize, got: usize, expected: usize) -> PyErr {
    python::RowWidthError::new_err((row, got, expected))
}

/// A key value that has no hash, and what Python said about it.
pub fn unhashable_key(row: usize, column: &str, value: &Bound<'_, PyAny>, cause: PyErr) -> PyErr {
    let error = python::UnhashableKeyError::new_err((row, column.to_owned(), type_name(value)));
    error.set_cause(value.py(), Some(cause));
    error
}

/// Whether hashing failed because of the value's type, not because of its own `__hash__`.
pub fn never_hashable(value: &Bound<'_, PyAny>, error: &PyErr) -> bool {
    let py = value.py();
    (error.is_instance_of::<PyTypeError>(py) || error.is_instance_of::<PyValueError>(py))
        && has_no_hash(value)
}

fn has_no_hash(value: &Bound<'_, PyAny>) -> bool {
    let mut pending = vec![value.clone()];
    while let Some(value) = pending.pop() {
        if let Ok(parts) = value.cast_exact::<PyTuple>() {
            pending.extend(parts.iter());
        } else if value.is_exact_instance_of::<PyMemoryView>()
            || value
                .get_type()
                .getattr("__hash__")
                .is_ok_and(|hash| hash.is_none())
        {
            return true;
        }
    }
    false
}

fn type_name(value: &Bound<'_, PyAny>) -> String {
    // The unqualified name, as `type(value).__name__`; a metaclass may refuse even that.
    value
        .get_type()
        .name()
        .map_or_else(|_| String::from("object"), |name| name.to_string())
}
