//! Methods that are called as C is called: to convert their arguments would cost more than what
//! they do.

use std::ffi::CStr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::null_mut;

use pyo3::exceptions::PySystemError;
use pyo3::ffi::{self, PyObject};
use pyo3::prelude::*;
use pyo3::types::{IntoPyDict, PyString, PyTuple, PyType};

/// A definition that is only read.
pub struct Definition(ffi::PyMethodDef);

// SAFETY: nobody writes to it.
unsafe impl Send for Definition {}
// SAFETY: as above.
unsafe impl Sync for Definition {}

impl Definition {
    /// A function that takes no keywords.
    pub const fn positional(
        name: &'static CStr,
        function: ffi::PyCFunctionFast,
        doc: &'static CStr,
    ) -> Self {
        Self(ffi::PyMethodDef {
            ml_name: name.as_ptr(),
            ml_meth: ffi::PyMethodDefPointer {
                PyCFunctionFast: function,
            },
            ml_flags: ffi::METH_FASTCALL,
            ml_doc: doc.as_ptr(),
        })
    }

    /// A function that takes keywords too.
    pub const fn with_keywords(
        name: &'static CStr,
        function: ffi::PyCFunctionFastWithKeywords,
        doc: &'static CStr,
    ) -> Self {
        Self(ffi::PyMethodDef {
            ml_name: name.as_ptr(),
            ml_meth: ffi::PyMethodDefPointer {
                PyCFunctionFastWithKeywords: function,
            },
            ml_flags: ffi::METH_FASTCALL | ffi::METH_KEYWORDS,
            ml_doc: doc.as_ptr(),
        })
    }

    /// A function bound to an object. It may rely on being called with that.
    pub fn bind<'py>(&'static self, object: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let definition = (&raw const self.0).cast_mut();
        // SAFETY: the definition lives for ever and is not written to.
        unsafe {
            let function = ffi::PyCFunction_New(definition, object.as_ptr());
            Bound::from_owned_ptr_or_err(object.py(), function)
        }
    }

    /// Give a class a method, in place of the one it may have. It may rely on being called on
    /// instances of the class.
    pub fn install(&'static self, class: &Bound<'_, PyType>) -> PyResult<()> {
        let definition = (&raw const self.0).cast_mut();
        // SAFETY: the definition lives for ever and is not written to, and the class is one.
        let method = unsafe {
            let method = ffi::PyDescr_NewMethod(class.as_type_ptr(), definition);
            Bound::from_owned_ptr_or_err(class.py(), method)?
        };
        class.setattr(method.getattr("__name__")?.cast_into::<PyString>()?, method)
    }
}

/// The arguments of such a function, borrowed from its caller.
#[derive(Clone, Copy)]
pub struct Arguments<'a, 'py> {
    py: Python<'py>,
    positional: &'a [*mut PyObject],
    by_name: &'a [*mut PyObject],
    /// Null if there are none.
    names: *mut PyObject,
}

impl<'a, 'py> Arguments<'a, 'py> {
    /// # Safety
    /// These are what the interpreter has passed to the function, which still runs in `'a`.
    pub unsafe fn new(
        py: Python<'py>,
        arguments: *const *mut PyObject,
        count: ffi::Py_ssize_t,
        names: *mut PyObject,
    ) -> Self {
        // SAFETY: the interpreter passes `count` arguments and one for each of the names, which
        // are null or a tuple. All stay alive until the function returns.
        let all = unsafe {
            let more = if names.is_null() {
                0
            } else {
                ffi::PyTuple_Size(names)
            };
            match (count + more).unsigned_abs() {
                0 => &[],
                total => std::slice::from_raw_parts(arguments, total),
            }
        };
        let (positional, by_name) = all.split_at(count.unsigned_abs());
        Self {
            py,
            positional,
            by_name,
            names,
        }
    }

    pub fn py(&self) -> Python<'py> {
        self.py
    }

    pub fn none(&self) -> Borrowed<'a, 'py, PyAny> {
        // SAFETY: None lives for ever.
        self.borrow(unsafe { ffi::Py_None() })
    }

    pub fn len(&self) -> usize {
        self.positional.len()
    }

    /// A positional argument.
    pub fn get(&self, index: usize) -> Option<Borrowed<'a, 'py, PyAny>> {
        self.positional
            .get(index)
            .map(|&object| self.borrow(object))
    }

    /// Names, and what is passed by them.
    pub fn by_name(
        self,
    ) -> impl Iterator<Item = (Borrowed<'a, 'py, PyAny>, Borrowed<'a, 'py, PyAny>)> {
        (0isize..).zip(self.by_name).map(move |(index, &object)| {
            // SAFETY: there are as many names as arguments after the positional ones.
            let name = unsafe { ffi::PyTuple_GetItem(self.names, index) };
            (self.borrow(name), self.borrow(object))
        })
    }

    /// Call something else with the same arguments, and others before them.
    pub fn pass_on(
        &self,
        callable: &Bound<'py, PyAny>,
        first: Option<Borrowed<'_, 'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let rest = self.positional.iter().map(|&object| self.borrow(object));
        let positional: Vec<_> = first.into_iter().chain(rest).collect();
        let by_name = self.by_name().collect::<Vec<_>>().into_py_dict(self.py)?;
        callable.call(PyTuple::new(self.py, positional)?, Some(&by_name))
    }

    fn borrow(&self, object: *mut PyObject) -> Borrowed<'a, 'py, PyAny> {
        // SAFETY: `new` was promised that the arguments stay alive.
        unsafe { Borrowed::from_ptr(self.py, object) }
    }
}

/// Run the body of such a function, and let no panic out.
pub fn guarded(py: Python<'_>, body: impl FnOnce() -> *mut PyObject) -> *mut PyObject {
    catch_unwind(AssertUnwindSafe(body))
        .unwrap_or_else(|_| answer(py, || Err(PySystemError::new_err("the cache is broken"))))
}

/// Do what takes time anyway, or raises, as in a method of `PyO3`, which did not see the call and
/// is to know that the GIL is held.
#[cold]
pub fn answer<'py>(
    _py: Python<'py>,
    body: impl FnOnce() -> PyResult<Bound<'py, PyAny>>,
) -> *mut PyObject {
    Python::attach(|py| match body() {
        Ok(answer) => answer.into_ptr(),
        Err(error) => {
            error.restore(py);
            null_mut()
        }
    })
}
