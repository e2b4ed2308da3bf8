//! The only place where errors become Python exceptions; their wording is in `meshaccel.errors`.

use meshaccel_core::intern::{Full, JsonRefused, NoJson, ReinternError};
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyMemoryView, PyTuple};

use crate::json::Place;

/// The exceptions of `meshaccel.errors` that native code raises.
mod python {
    use pyo3::import_exception;

    import_exception!(meshaccel.errors, AmbiguousColumnError);
    import_exception!(meshaccel.errors, InvalidJsonError);
    import_exception!(meshaccel.errors, InvalidMetadataJsonError);
    import_exception!(meshaccel.errors, JsonValueError);
    import_exception!(meshaccel.errors, MetadataDepthError);
    import_exception!(meshaccel.errors, MissingColumnError);
    import_exception!(meshaccel.errors, NoJsonFormError);
    import_exception!(meshaccel.errors, CacheNameError);
    import_exception!(meshaccel.errors, CacheOptionError);
    import_exception!(meshaccel.errors, ForeignFlightError);
    import_exception!(meshaccel.errors, NullKeyError);
    import_exception!(meshaccel.errors, OrphanError);
    import_exception!(meshaccel.errors, PoolFull);
    import_exception!(meshaccel.errors, ReopenedGroupError);
    import_exception!(meshaccel.errors, RowTypeError);
    import_exception!(meshaccel.errors, RowWidthError);
    import_exception!(meshaccel.errors, StreamBusyError);
    import_exception!(meshaccel.errors, TooManyRowsError);
    import_exception!(meshaccel.errors, UnhashableKeyError);
    import_exception!(meshaccel.errors, UnknownMetadataKeyError);
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

/// A dict row without a column.
pub fn missing_column(row: usize, column: &str) -> PyErr {
    python::MissingColumnError::new_err((row, column.to_owned()))
}

/// A dict row whose only name for a column is that of others too.
pub fn ambiguous_column(row: usize, column: &str) -> PyErr {
    python::AmbiguousColumnError::new_err((row, column.to_owned()))
}

/// A row of one level whose parent is unknown.
pub fn orphan(row: usize, path: &str, key: Bound<'_, PyTuple>) -> PyErr {
    python::OrphanError::new_err((row, path.to_owned(), key.unbind()))
}

/// A row of a record that an ordered stream has finished.
pub fn reopened_group(row: usize, table: &str, key: Bound<'_, PyTuple>) -> PyErr {
    python::ReopenedGroupError::new_err((row, table.to_owned(), key.unbind()))
}

/// A row too many.
pub fn too_many_rows(row: usize, limit: usize) -> PyErr {
    python::TooManyRowsError::new_err((row, limit))
}

/// Use of a stream that is at work.
pub fn stream_busy() -> PyErr {
    python::StreamBusyError::new_err(())
}

/// A key value that has no hash, and what Python said about it.
pub fn unhashable_key(row: usize, column: &str, value: &Bound<'_, PyAny>, cause: PyErr) -> PyErr {
    let error = python::UnhashableKeyError::new_err((row, column.to_owned(), type_name(value)));
    error.set_cause(value.py(), Some(cause));
    error
}

/// A JSON column that holds no JSON, and why.
pub fn invalid_json(py: Python<'_>, place: &Place, reason: String) -> PyErr {
    let key = place.key.clone_ref(py);
    python::InvalidJsonError::new_err((place.row, place.column.clone(), key, reason))
}

/// A value without JSON form, by the name of its type.
pub fn json_value(column: &str, type_name: String) -> PyErr {
    python::JsonValueError::new_err((column.to_owned(), type_name))
}

/// A value that would make a pool exceed one of its limits.
pub fn pool_full(full: Full) -> PyErr {
    let (limit, allowed) = full.limit();
    python::PoolFull::new_err((limit, allowed))
}

/// A value that is nested more deeply than a pool takes.
pub fn too_deep(limit: usize) -> PyErr {
    python::MetadataDepthError::new_err((limit,))
}

/// The key of nothing.
pub fn unknown_key(key: &Bound<'_, PyAny>) -> PyErr {
    python::UnknownMetadataKeyError::new_err((key.clone().unbind(),))
}

/// What is no key at all.
pub fn key_type(key: &Bound<'_, PyAny>) -> PyErr {
    PyTypeError::new_err(format!("a key is an int, not {}", type_name(key)))
}

/// What is no JSON text.
pub fn json_type(text: &Bound<'_, PyAny>) -> PyErr {
    let name = type_name(text);
    PyTypeError::new_err(format!("expected JSON as bytes or str, got {name}"))
}

/// A JSON text that has no UTF-8.
pub fn json_surrogate() -> PyErr {
    python::InvalidMetadataJsonError::new_err(("a lone surrogate at byte 0", 0))
}

/// Why a JSON text was not interned.
pub fn json_refused(refused: JsonRefused) -> PyErr {
    match refused {
        JsonRefused::Json(error) => {
            python::InvalidMetadataJsonError::new_err((error.to_string(), error.position()))
        }
        JsonRefused::TooDeep(limit) => too_deep(limit),
        JsonRefused::Full(full) => pool_full(full),
    }
}

/// Why a value did not take the place of the one with this key.
pub fn reintern_refused(refused: ReinternError, key: &Bound<'_, PyAny>) -> PyErr {
    match refused {
        ReinternError::Unknown => unknown_key(key),
        ReinternError::Full(full) => pool_full(full),
    }
}

/// A value that JSON cannot express.
pub fn not_json(what: NoJson) -> PyErr {
    python::NoJsonFormError::new_err((what.to_string(),))
}

/// The name of no digest.
pub fn unknown_algorithm(name: &str) -> PyErr {
    PyValueError::new_err(format!("no digest {name:?}: there are 'xxh3' and 'sha256'"))
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

/// The unqualified name of a value's type.
pub fn type_name(value: &Bound<'_, PyAny>) -> String {
    // As `type(value).__name__`; a metaclass may refuse even that.
    value
        .get_type()
        .name()
        .map_or_else(|_| String::from("object"), |name| name.to_string())
}
