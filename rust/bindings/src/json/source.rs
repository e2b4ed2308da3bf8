//! The text of a document as a driver gives it, and what to say if it is none.

use meshaccel_core::json::JsonError;
use pyo3::exceptions::PyUnicodeEncodeError;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyMemoryView, PyString, PyTuple};

use crate::error::{invalid_json, type_name};

/// Where a document was found, for messages.
pub struct Place {
    /// Position of the row among those given, from 0.
    pub row: usize,
    /// Label of the column.
    pub column: String,
    /// Key of the record.
    pub key: Py<PyTuple>,
}

impl Place {
    pub fn clone_ref(&self, py: Python<'_>) -> Self {
        Self {
            row: self.row,
            column: self.column.clone(),
            key: self.key.clone_ref(py),
        }
    }
}

/// Why a document could not be read.
pub enum Fault {
    /// The text, not we, is to blame. The reason is worded.
    Invalid(String),
    /// Anything that Python raised.
    Python(PyErr),
}

impl Fault {
    pub fn at(self, py: Python<'_>, place: &Place) -> PyErr {
        match self {
            Self::Invalid(reason) => invalid_json(py, place, reason),
            Self::Python(error) => error,
        }
    }
}

impl From<JsonError> for Fault {
    fn from(error: JsonError) -> Self {
        Self::Invalid(error.to_string())
    }
}

impl From<PyErr> for Fault {
    fn from(error: PyErr) -> Self {
        Self::Python(error)
    }
}

/// The text of a document in a form that cannot change.
pub enum Stored {
    Text(Py<PyString>),
    /// Of the exact type.
    Bytes(Py<PyBytes>),
}

impl Stored {
    /// Take text in any of its forms. What could change later is copied.
    pub fn of(value: &Bound<'_, PyAny>) -> Result<Self, Fault> {
        let py = value.py();
        if let Ok(text) = value.cast_exact::<PyString>() {
            Ok(Self::Text(text.clone().unbind()))
        } else if let Ok(bytes) = value.cast_exact::<PyBytes>() {
            Ok(Self::Bytes(bytes.clone().unbind()))
        } else if let Ok(text) = value.cast::<PyString>() {
            Ok(Self::Text(PyString::new(py, content(text)?).unbind()))
        } else if let Ok(bytes) = value.cast::<PyBytes>() {
            Ok(Self::Bytes(PyBytes::new(py, bytes.as_bytes()).unbind()))
        } else if let Ok(bytes) = value.cast::<PyByteArray>() {
            Ok(Self::Bytes(PyBytes::new(py, &bytes.to_vec()).unbind()))
        } else if value.is_instance_of::<PyMemoryView>() {
            let bytes = value.call_method0("tobytes")?;
            Ok(Self::Bytes(bytes.extract().map_err(PyErr::from)?))
        } else {
            let got = type_name(value);
            Err(Fault::Invalid(format!("expected text, got {got}")))
        }
    }

    pub fn clone_ref(&self, py: Python<'_>) -> Self {
        match self {
            Self::Text(text) => Self::Text(text.clone_ref(py)),
            Self::Bytes(bytes) => Self::Bytes(bytes.clone_ref(py)),
        }
    }

    /// As UTF-8, which of bytes is still to be proved.
    pub fn utf8<'a>(&'a self, py: Python<'a>) -> Result<&'a [u8], Fault> {
        match self {
            Self::Text(text) => content(text.bind(py)).map(str::as_bytes),
            Self::Bytes(bytes) => Ok(bytes.as_bytes(py)),
        }
    }

    /// As bytes, copied only from a str.
    pub fn to_bytes<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyBytes>, Fault> {
        match self {
            Self::Text(_) => Ok(PyBytes::new(py, self.utf8(py)?)),
            Self::Bytes(bytes) => Ok(bytes.bind(py).clone()),
        }
    }

    pub fn as_any(&self) -> &Py<PyAny> {
        match self {
            Self::Text(text) => text.as_any(),
            Self::Bytes(bytes) => bytes.as_any(),
        }
    }
}

fn content<'a>(text: &'a Bound<'_, PyString>) -> Result<&'a str, Fault> {
    text.to_str().map_err(|error| {
        if error.is_instance_of::<PyUnicodeEncodeError>(text.py()) {
            Fault::Invalid(String::from("lone surrogate"))
        } else {
            Fault::Python(error)
        }
    })
}
