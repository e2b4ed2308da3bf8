//! `TagCache.get`, called as C is called: to convert its arguments would cost more than the look.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::null_mut;

use pyo3::exceptions::{PySystemError, PyTypeError};
use pyo3::ffi::{self, PyObject};
use pyo3::prelude::*;
use pyo3::types::PyType;

use super::TagCache;
use super::clock::Clock;
use super::text::Named;

/// Give the class its `get`.
pub fn install(class: &Bound<'_, PyType>) -> PyResult<()> {
    let definition = ffi::PyMethodDef {
        ml_name: c"get".as_ptr(),
        ml_meth: ffi::PyMethodDefPointer {
            PyCFunctionFast: get,
        },
        ml_flags: ffi::METH_FASTCALL,
        ml_doc: c"get($self, key, default=None, /)\n--\n\nReturn the value of a key.".as_ptr(),
    };
    let definition = Box::leak(Box::new(definition));
    // SAFETY: the definition lives for ever, and the class is one. The descriptor made of both
    // calls `get` on instances of the class only, in the way that the flag says.
    let method = unsafe {
        let method = ffi::PyDescr_NewMethod(class.as_type_ptr(), definition);
        Bound::from_owned_ptr_or_err(class.py(), method)?
    };
    class.setattr("get", method)
}

/// The method. Nobody but the interpreter calls it, as a `METH_FASTCALL` method of `TagCache`.
unsafe extern "C" fn get(
    this: *mut PyObject,
    arguments: *mut *mut PyObject,
    count: ffi::Py_ssize_t,
) -> *mut PyObject {
    // SAFETY: the interpreter holds the GIL and passes an instance of the class, and `count`
    // arguments that stay alive until this returns.
    let answer = catch_unwind(AssertUnwindSafe(|| unsafe {
        let py = Python::assume_attached();
        let this = Borrowed::from_ptr(py, this).cast_unchecked::<TagCache>();
        let (key, default) = match count {
            1 => (*arguments, ffi::Py_None()),
            2 => (*arguments, *arguments.add(1)),
            _ => return wrong_count(count),
        };
        let key = Borrowed::from_ptr(py, key);
        let default = Borrowed::from_ptr(py, default);
        match get_quickly(this.get(), key, default) {
            Some(found) => found,
            None => get_slowly(this.get(), key, default),
        }
    }));
    answer.unwrap_or_else(|_| raise(|| PySystemError::new_err("the cache is broken")))
}

/// A look that makes and drops no object. `None`: it takes more than that.
///
/// `PyO3` does not know that the GIL is held, so what is dropped here would be dropped later.
fn get_quickly<'a, 'py>(
    cache: &TagCache,
    key: Borrowed<'a, 'py, PyAny>,
    default: Borrowed<'a, 'py, PyAny>,
) -> Option<*mut PyObject> {
    let Clock::Coarse(start) = &cache.clock else {
        return None;
    };
    let name = Named::quickly(key)?;
    let mut state = cache.lock(key.py());
    let found = state
        .get_quickly(&name, || start.elapsed().as_micros())
        .ok()?;
    let value = found.map_or(default.as_ptr(), Py::as_ptr);
    // SAFETY: the value is alive while the lock is held, and the default is an argument. The GIL
    // is held, as `key` proves.
    unsafe { ffi::Py_INCREF(value) };
    Some(value)
}

#[cold]
fn get_slowly(
    cache: &TagCache,
    key: Borrowed<'_, '_, PyAny>,
    default: Borrowed<'_, '_, PyAny>,
) -> *mut PyObject {
    Python::attach(|py| match cache.get(&key) {
        Ok(found) => found.unwrap_or_else(|| default.to_owned()).into_ptr(),
        Err(error) => {
            error.restore(py);
            null_mut()
        }
    })
}

#[cold]
fn wrong_count(count: ffi::Py_ssize_t) -> *mut PyObject {
    raise(|| PyTypeError::new_err(format!("get expected 1 or 2 arguments, got {count}")))
}

#[cold]
fn raise(error: impl FnOnce() -> PyErr) -> *mut PyObject {
    Python::attach(|py| error().restore(py));
    null_mut()
}
