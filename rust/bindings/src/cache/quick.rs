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
        match look(this.get(), key) {
            Look::Found(value) => value,
            Look::Missing => {
                ffi::Py_INCREF(default.as_ptr());
                default.as_ptr()
            }
            Look::Untidy => get_slowly(this.get(), key, default),
        }
    }));
    answer.unwrap_or_else(|_| broken())
}

/// What a quick look came to.
pub enum Look {
    /// A new reference to the value.
    Found(*mut PyObject),
    Missing,
    /// It takes more than a quick look; nothing was noted.
    Untidy,
}

/// A look that makes and drops no object.
///
/// `PyO3` does not know that the GIL is held, so what is dropped here would be dropped later.
pub fn look(cache: &TagCache, key: Borrowed<'_, '_, PyAny>) -> Look {
    let Clock::Coarse(start) = &cache.clock else {
        return Look::Untidy;
    };
    let Some(name) = Named::quickly(key) else {
        return Look::Untidy;
    };
    let mut state = cache.lock(key.py());
    match state.get_quickly(&name, || start.elapsed().as_micros()) {
        Ok(Some(value)) => {
            // SAFETY: the value is alive while the lock is held. The GIL is held, as `key` proves.
            unsafe { ffi::Py_INCREF(value.as_ptr()) };
            Look::Found(value.as_ptr())
        }
        Ok(None) => Look::Missing,
        Err(_) => Look::Untidy,
    }
}

#[cold]
pub fn broken() -> *mut PyObject {
    raise(|| PySystemError::new_err("the cache is broken"))
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
