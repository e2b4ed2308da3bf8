//! A reference of the cache's own.

use std::mem::ManuallyDrop;
use std::ops::Deref;

use pyo3::ffi;
use pyo3::prelude::*;

/// As `Py`, but dropped at once, without asking whether the GIL is held: whoever drops one holds
/// it, since references leave the cache only under its guard, or with it.
pub struct Owned<T>(ManuallyDrop<Py<T>>);

impl<T> Owned<T> {
    pub fn new(object: Bound<'_, T>) -> Self {
        Self(ManuallyDrop::new(object.unbind()))
    }
}

impl<T> Deref for Owned<T> {
    type Target = Py<T>;

    #[inline]
    fn deref(&self) -> &Py<T> {
        &self.0
    }
}

impl<T> Drop for Owned<T> {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: the reference is owned, this is its end, and the GIL is held, see above.
        unsafe { ffi::Py_DECREF(self.0.as_ptr()) };
    }
}
