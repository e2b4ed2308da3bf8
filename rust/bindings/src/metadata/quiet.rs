//! Times in which no Python code runs.

use pyo3::ffi;
use pyo3::prelude::*;

/// Keeps the garbage collector from running, and with it finalizers and callbacks, in whatever
/// thread: until it is dropped nobody else has the GIL.
pub struct Quiet<'py> {
    was_enabled: bool,
    _py: Python<'py>,
}

impl<'py> Quiet<'py> {
    pub fn begin(py: Python<'py>) -> Self {
        // SAFETY: the GIL is held, as `py` says.
        let was_enabled = unsafe { ffi::PyGC_Disable() } == 1;
        Self {
            was_enabled,
            _py: py,
        }
    }
}

impl Drop for Quiet<'_> {
    fn drop(&mut self) {
        if self.was_enabled {
            // SAFETY: the GIL is held, as `_py` says.
            unsafe { ffi::PyGC_Enable() };
        }
    }
}
