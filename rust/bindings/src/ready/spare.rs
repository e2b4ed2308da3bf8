//! A `StopIteration` that is used again and again.

use std::ffi::c_void;
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, Ordering};

use pyo3::exceptions::{PyStopIteration, PySystemError};
use pyo3::ffi::{self, PyObject};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

/// How to set the value of a `StopIteration`, without a lookup by name: the descriptor, and the
/// function that sets what it describes.
static VALUE: PyOnceLock<(Py<PyAny>, ffi::descrsetfunc)> = PyOnceLock::new();

/// An exception that nobody uses, or null. Read and written under the GIL, hence not swapped.
static SPARE: AtomicPtr<PyObject> = AtomicPtr::new(null_mut());

/// Find out how to set a value. To be called before the functions below.
pub fn prepare(py: Python<'_>) -> PyResult<()> {
    let descriptor = py.get_type::<PyStopIteration>().getattr("value")?;
    // SAFETY: the class of the descriptor is a class. What is in this slot of a class, if there is
    // anything, is a function of this type.
    let set = unsafe {
        let slot = ffi::PyType_GetSlot(descriptor.get_type_ptr(), ffi::Py_tp_descr_set);
        std::mem::transmute::<*mut c_void, Option<ffi::descrsetfunc>>(slot)
    };
    let set = set.ok_or_else(|| PySystemError::new_err("StopIteration.value cannot be set"))?;
    VALUE.get_or_init(py, || (descriptor.unbind(), set));
    Ok(())
}

/// Return a new reference to an exception that carries `value`, or null with an error set.
///
/// # Safety
/// The GIL is held and the value is alive.
pub unsafe fn carry(value: *mut PyObject) -> *mut PyObject {
    // SAFETY: as promised; the spare belongs to this module.
    unsafe {
        let mut carrier = SPARE.load(Ordering::Relaxed);
        SPARE.store(null_mut(), Ordering::Relaxed);
        if carrier.is_null() {
            carrier = ffi::PyObject_CallNoArgs(ffi::PyExc_StopIteration);
        }
        if !carrier.is_null() && !set(carrier, value) {
            ffi::Py_DECREF(carrier);
            return null_mut();
        }
        carrier
    }
}

/// Raise an exception that `carry` returned. The caller keeps its reference.
///
/// # Safety
/// The GIL is held and the exception is alive.
pub unsafe fn raise(carrier: *mut PyObject) {
    // SAFETY: as promised; both references are new and given away. What is restored, unlike what
    // is set, gets no context: no exception that is being handled is kept alive by the spare.
    unsafe {
        let class = ffi::PyExc_StopIteration;
        ffi::Py_INCREF(class);
        ffi::Py_INCREF(carrier);
        ffi::PyErr_Restore(class, carrier, null_mut());
    }
}

/// Take the caller's reference to an exception that `carry` returned. The value stays with no one.
///
/// # Safety
/// The GIL is held and the exception is alive.
pub unsafe fn take_back(carrier: *mut PyObject) {
    // SAFETY: as promised. Setting the value may drop another one that was put there, and thereby
    // run foreign code; only then is it decided what becomes of the exception.
    unsafe {
        let is_clean = is_unseen(carrier) && set(carrier, ffi::Py_None()) && is_unseen(carrier);
        if is_clean && SPARE.load(Ordering::Relaxed).is_null() {
            SPARE.store(carrier, Ordering::Relaxed);
        } else {
            ffi::Py_DECREF(carrier);
        }
    }
}

/// Whether no one else holds the exception, and it passed through no Python code, which leaves a
/// traceback and may have left more.
///
/// # Safety
/// The GIL is held and the exception is alive.
unsafe fn is_unseen(carrier: *mut PyObject) -> bool {
    // SAFETY: as promised. A traceback is returned as a new reference.
    unsafe {
        let traceback = ffi::PyException_GetTraceback(carrier);
        ffi::Py_XDECREF(traceback);
        traceback.is_null() && ffi::Py_REFCNT(carrier) == 1
    }
}

/// # Safety
/// The GIL is held and both are alive.
unsafe fn set(carrier: *mut PyObject, value: *mut PyObject) -> bool {
    // SAFETY: the GIL is held.
    let py = unsafe { Python::assume_attached() };
    VALUE.get(py).is_some_and(|(descriptor, set)| {
        // SAFETY: the descriptor, what it is of, and the value are alive.
        unsafe { set(descriptor.as_ptr(), carrier, value) == 0 }
    })
}
