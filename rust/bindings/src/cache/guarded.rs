//! A value that is used under the GIL, by one caller at a time. The module says that it needs the
//! GIL, so a free-threaded interpreter turns it on.

use std::cell::{Cell, UnsafeCell};
use std::ops::{Deref, DerefMut};

use pyo3::prelude::*;

/// As a mutex, for a tenth of its cost, which a look at the cache does feel. Nobody ever waits:
/// who holds the value neither runs Python code nor gives the GIL away, and should that be
/// violated, the next one to ask panics.
pub struct Guarded<T> {
    value: UnsafeCell<T>,
    is_taken: Cell<bool>,
}

// SAFETY: both fields are touched by holders of the GIL only, that is by one thread at a time,
// each of which sees what the one before has written. `is_taken` sees to it that there is one
// reference to the value at most, even if the GIL should change hands meanwhile.
unsafe impl<T: Send> Sync for Guarded<T> {}

/// The right to use the value until dropped.
pub struct Guard<'a, T> {
    guarded: &'a Guarded<T>,
    _gil: Python<'a>,
}

impl<T> Guarded<T> {
    pub const fn new(value: T) -> Self {
        Self {
            value: UnsafeCell::new(value),
            is_taken: Cell::new(false),
        }
    }

    #[inline]
    pub fn lock<'a>(&'a self, py: Python<'a>) -> Guard<'a, T> {
        assert!(!self.is_taken.replace(true), "the cache is in use");
        Guard {
            guarded: self,
            _gil: py,
        }
    }

    pub fn is_taken(&self, _py: Python<'_>) -> bool {
        self.is_taken.get()
    }
}

impl<T> Deref for Guard<'_, T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        // SAFETY: there is one guard at a time, and it is borrowed for as long as the value.
        unsafe { &*self.guarded.value.get() }
    }
}

impl<T> DerefMut for Guard<'_, T> {
    #[inline]
    fn deref_mut(&mut self) -> &mut T {
        // SAFETY: as above, and borrowed mutably.
        unsafe { &mut *self.guarded.value.get() }
    }
}

impl<T> Drop for Guard<'_, T> {
    #[inline]
    fn drop(&mut self) {
        self.guarded.is_taken.set(false);
    }
}
