//! A `StopIteration` that carries a value, and later another one.

use std::ffi::c_void;
use std::ptr::null_mut;

use pyo3::exceptions::{PyStopIteration, PySystemError};
use pyo3::ffi::{self, PyObject};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

/// How to set the value of a `StopIteration`, without a lookup by name: the descriptor, and the
/// function that sets what it describes.
static VALUE: PyOnceLock<(Py<PyAny>, ffi::descrsetfunc)> = PyOnceLock::new();

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

/// Return a new exception, or null with an error set.
///
/// # Safety
/// The GIL is held.
pub unsafe fn new() -> *mut PyObject {
    // SAFETY: as promised.
    unsafe { ffi::PyObject_CallNoArgs(ffi::PyExc_StopIteration) }
}

/// Give a value to an exception; false, with an error set, if that fails.
///
/// # Safety
/// The GIL is held and both are alive.
pub unsafe fn load(carrier: *mut PyObject, value: *mut PyObject) -> bool {
    // SAFETY: the GIL is held.
    let py = unsafe { Python::assume_attached() };
    VALUE.get(py).is_some_and(|(descriptor, set)| {
        // SAFETY: the descriptor, what it is of, and the value are alive.
        unsafe { set(descriptor.as_ptr(), carrier, value) == 0 }
    })
}

/// Raise an exception. The caller keeps its reference.
///
/// # Safety
/// The GIL is held and the exception is alive.
pub unsafe fn raise(carrier: *mut PyObject) {
    // SAFETY: as promised; both references are new and given away. What is restored, unlike what
    // is set, gets no context: no exception that is being handled is kept alive by the carrier.
    unsafe {
        let class = ffi::PyExc_StopIteration;
        ffi::Py_INCREF(class);
        ffi::Py_INCREF(carrier);
        ffi::PyErr_Restore(class, carrier, null_mut());
    }
}

/// Take its value from an exception that was raised. Whether it is as good as new: only if nobody
/// else holds it and it passed through no Python code, which leaves a traceback, and may have
/// left more.
///
/// # Safety
/// The GIL is held and the exception is alive, also while foreign code runs, which the value that
/// was put in place of ours may do when it is dropped.
pub unsafe fn unload(carrier: *mut PyObject) -> bool {
    // SAFETY: as promised. A traceback is returned as a new reference.
    unsafe {
        if ffi::Py_REFCNT(carrier) != 1 {
            return false;
        }
        let traceback = ffi::PyException_GetTraceback(carrier);
        ffi::Py_XDECREF(traceback);
        traceback.is_null() && load(carrier, ffi::Py_None())
    }
}
