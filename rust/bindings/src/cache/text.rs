//! Names of entries and tags: exact `str`, whose hash and equality run no foreign code.

use meshaccel_core::cache::Name;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyString, PyTuple};
use smallvec::SmallVec;

use super::owned::Owned;
use crate::error::{lone_name, name_type};

/// A kept name.
pub type Text = Owned<PyString>;

/// A name in a call.
pub struct Named<'a, 'py> {
    text: Borrowed<'a, 'py, PyString>,
    hash: u64,
}

impl<'a, 'py> Named<'a, 'py> {
    pub fn new(value: Borrowed<'a, 'py, PyAny>, role: &str) -> PyResult<Self> {
        Self::quickly(value).ok_or_else(|| name_type(role, &value))
    }

    /// Whether a value is a name.
    #[inline]
    pub fn is_one(value: Borrowed<'_, '_, PyAny>) -> bool {
        // SAFETY: the value is alive.
        unsafe { ffi::PyUnicode_CheckExact(value.as_ptr()) != 0 }
    }

    /// As `new`, for a role of no interest, without making an error.
    #[inline]
    pub fn quickly(value: Borrowed<'a, 'py, PyAny>) -> Option<Self> {
        if !Self::is_one(value) {
            return None;
        }
        // SAFETY: the value is alive. The hash of a string is computed without foreign code, and
        // cannot fail.
        let hash = unsafe { ffi::PyObject_Hash(value.as_ptr()) };
        Some(Self {
            // SAFETY: it was just found to be a string.
            text: unsafe { value.cast_unchecked() },
            hash: hash.cast_unsigned() as u64,
        })
    }

    /// The members of a tuple.
    pub fn all(values: &'a Bound<'py, PyTuple>, role: &str) -> PyResult<SmallVec<[Self; 8]>> {
        values
            .iter_borrowed()
            .map(|value| Self::new(value, role))
            .collect()
    }
}

impl Name<Text> for Named<'_, '_> {
    #[inline]
    fn hash(&self) -> u64 {
        self.hash
    }

    #[inline]
    fn is(&self, kept: &Text) -> bool {
        let (kept, text) = (kept.as_ptr(), self.text.as_ptr());
        kept == text || {
            // SAFETY: both are alive and exactly `str`, for which this cannot fail, and the GIL
            // is held, as a `Borrowed` proves.
            unsafe { ffi::PyUnicode_Compare(kept, text) == 0 }
        }
    }

    fn keep(&self) -> Text {
        Owned::new(self.text.to_owned())
    }
}

/// Python's own hash of a string, which it computes once.
pub fn hash(text: &Bound<'_, PyString>) -> PyResult<u64> {
    text.hash().map(|hash| hash.cast_unsigned() as u64)
}

/// What an iterable of names gives, as a tuple nobody can change. May run foreign code.
pub fn collect<'py>(values: &Bound<'py, PyAny>, role: &str) -> PyResult<Bound<'py, PyTuple>> {
    if let Ok(tuple) = values.cast_exact::<PyTuple>() {
        return Ok(tuple.clone());
    }
    if let Ok(list) = values.cast_exact::<PyList>() {
        return Ok(list.to_tuple());
    }
    if values.is_instance_of::<PyString>() {
        return Err(lone_name(role));
    }
    let values_given: Vec<_> = values.try_iter()?.collect::<PyResult<_>>()?;
    PyTuple::new(values.py(), values_given)
}
