//! `Flight`: the time in which a value is computed.

use std::sync::atomic::{AtomicBool, Ordering};

use pyo3::PyTraverseError;
use pyo3::gc::PyVisit;
use pyo3::prelude::*;
use pyo3::types::PyTuple;

use super::TagCache;
use super::text::{Named, collect};

/// A computation under way: tells what was changed since it began.
#[pyclass(frozen, module = "meshaccel.cache")]
pub struct Flight {
    cache: Py<TagCache>,
    began: u64,
    under_way: AtomicBool,
}

#[pymethods]
impl Flight {
    fn __enter__(this: Py<Self>) -> Py<Self> {
        this
    }

    #[pyo3(signature = (*error))]
    fn __exit__(&self, error: &Bound<'_, PyTuple>) {
        self.end(error.py());
    }

    /// The cache's epoch when the flight began.
    #[getter]
    fn epoch(&self) -> u64 {
        self.began
    }

    /// Whether a value with these tags may have been derived from what has changed.
    #[pyo3(signature = (tags, key=None))]
    fn outlived(&self, tags: &Bound<'_, PyAny>, key: Option<&Bound<'_, PyAny>>) -> PyResult<bool> {
        let tags_given = collect(tags, "tags")?;
        let tags = Named::all(&tags_given, "tag")?;
        let key = key
            .map(|key| Named::new(key.as_borrowed(), "key"))
            .transpose()?;
        let Some(began) = self.began_if_under_way() else {
            return Ok(true);
        };
        let state = self.cache.get().lock(tags_given.py());
        Ok(state.has_outlived(began, key.as_ref(), &tags))
    }

    /// End the flight; nothing can be stored in it any more. Ending it again does nothing.
    fn end(&self, py: Python<'_>) {
        if self.under_way.swap(false, Ordering::Relaxed) {
            self.cache.get().lock(py).end_flight(self.began);
        }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.cache)
    }
}

impl Flight {
    pub fn begin(cache: Bound<'_, TagCache>) -> Self {
        let began = cache.get().lock(cache.py()).begin_flight();
        Self {
            cache: cache.unbind(),
            began,
            under_way: AtomicBool::new(true),
        }
    }

    pub fn is_of(&self, cache: &TagCache) -> bool {
        std::ptr::eq(self.cache.get(), cache)
    }

    /// What was noted since a flight that has ended is forgotten.
    pub fn began_if_under_way(&self) -> Option<u64> {
        self.under_way.load(Ordering::Relaxed).then_some(self.began)
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        if *self.under_way.get_mut() {
            Python::attach(|py| self.end(py));
        }
    }
}
