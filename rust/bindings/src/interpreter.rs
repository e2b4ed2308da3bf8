//! The one interpreter that may use this module.

use std::sync::atomic::{AtomicI64, Ordering};

use pyo3::exceptions::PyImportError;
use pyo3::ffi;
use pyo3::prelude::*;

/// Nobody has loaded the module yet.
const NOBODY: i64 = -1;

static FIRST: AtomicI64 = AtomicI64::new(NOBODY);

/// Refuse every interpreter of the process but the first, also those that share its GIL: classes
/// are made once, and the interpreters' caches of methods mix up what they share.
pub fn refuse_others(_py: Python<'_>) -> PyResult<()> {
    // SAFETY: the GIL is held, so there is a current interpreter.
    let this = unsafe { ffi::PyInterpreterState_GetID(ffi::PyInterpreterState_Get()) };
    let first = FIRST.compare_exchange(NOBODY, this, Ordering::Relaxed, Ordering::Relaxed);
    match first {
        Err(first) if first != this => Err(PyImportError::new_err(
            "meshaccel can be used by one interpreter of a process only",
        )),
        _ => Ok(()),
    }
}
