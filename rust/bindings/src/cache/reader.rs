//! What `TagCache.reader` returns: a look at the cache for those who await it, in one call.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr::null_mut;

use pyo3::PyTraverseError;
use pyo3::ffi::{self, PyObject};
use pyo3::gc::PyVisit;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{IntoPyDict, PyTuple};

use super::TagCache;
use super::quick::{Look, broken, look};
use crate::ready;

/// What the function is bound to.
#[pyclass(frozen)]
pub struct Reader {
    cache: Py<TagCache>,
    on_miss: Py<PyAny>,
}

#[pymethods]
impl Reader {
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.cache)?;
        visit.call(&self.on_miss)
    }
}

/// A definition that is only read.
struct Definition(ffi::PyMethodDef);

// SAFETY: nobody writes to it.
unsafe impl Send for Definition {}
// SAFETY: as above.
unsafe impl Sync for Definition {}

impl Reader {
    /// A function that looks into the cache, and calls `on_miss` in its own place after a miss.
    pub fn function<'py>(
        cache: Bound<'py, TagCache>,
        on_miss: Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        static DEFINITION: PyOnceLock<Definition> = PyOnceLock::new();
        let py = cache.py();
        let definition = DEFINITION.get_or_init(py, || {
            Definition(ffi::PyMethodDef {
                ml_name: c"read".as_ptr(),
                ml_meth: ffi::PyMethodDefPointer {
                    PyCFunctionFastWithKeywords: read,
                },
                ml_flags: ffi::METH_FASTCALL | ffi::METH_KEYWORDS,
                ml_doc: null_mut(),
            })
        });
        let (cache, on_miss) = (cache.unbind(), on_miss.unbind());
        let reader = Bound::new(py, Self { cache, on_miss })?;
        let definition = (&raw const definition.0).cast_mut();
        // SAFETY: the definition lives for ever and is not written to. `read` is called in the way
        // that its flags say, on the reader that is passed here.
        unsafe {
            Bound::from_owned_ptr_or_err(py, ffi::PyCFunction_New(definition, reader.as_ptr()))
        }
    }
}

/// The function. Nobody but the interpreter calls it, bound to a `Reader`.
unsafe extern "C" fn read(
    this: *mut PyObject,
    arguments: *const *mut PyObject,
    count: ffi::Py_ssize_t,
    keywords: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: the interpreter holds the GIL and passes a reader, `count` arguments, and those of
    // the keywords after them, that stay alive until this returns. The value that was found is
    // given away when the cache is no longer locked.
    let answer = catch_unwind(AssertUnwindSafe(|| unsafe {
        let py = Python::assume_attached();
        let this = Borrowed::from_ptr(py, this).cast_unchecked::<Reader>();
        let this = this.get();
        let found = if count > 0 {
            look(this.cache.get(), Borrowed::from_ptr(py, *arguments))
        } else {
            Look::Missing
        };
        match found {
            Look::Found(value) => ready::make(value),
            Look::Missing => this.go_on(arguments, count, keywords, false),
            Look::Untidy => this.go_on(arguments, count, keywords, true),
        }
    }));
    answer.unwrap_or_else(|_| broken())
}

impl Reader {
    /// What is left to do after a quick look.
    ///
    /// # Safety
    /// The GIL is held. There are `count` arguments, and after them one for each name in
    /// `keywords`, which is a tuple or null.
    #[cold]
    unsafe fn go_on(
        &self,
        arguments: *const *mut PyObject,
        count: ffi::Py_ssize_t,
        keywords: *mut PyObject,
        is_untidy: bool,
    ) -> *mut PyObject {
        Python::attach(|py| {
            // SAFETY: as promised.
            let (positional, options) = unsafe {
                let all = |index| Borrowed::from_ptr(py, *arguments.offset(index));
                let positional: Vec<_> = (0..count).map(all).collect();
                let names = Borrowed::from_ptr_or_opt(py, keywords);
                let names = names.map(|names| names.cast_unchecked::<PyTuple>());
                let options = names.map(|names| names.iter().zip((count..).map(all)));
                (positional, options.map(Iterator::collect::<Vec<_>>))
            };
            let answer = || {
                if is_untidy
                    && let Some(key) = positional.first()
                    && let Some(value) = self.cache.get().get(key)?
                {
                    // SAFETY: the GIL is held, and the reference is given away. What is made is a
                    // new one, or null with an error set.
                    return unsafe {
                        Bound::from_owned_ptr_or_err(py, ready::make(value.into_ptr()))
                    };
                }
                let options = options
                    .map(|options| options.into_py_dict(py))
                    .transpose()?;
                let positional = PyTuple::new(py, positional)?;
                self.on_miss.bind(py).call(positional, options.as_ref())
            };
            answer().map_or_else(
                |error| {
                    error.restore(py);
                    null_mut()
                },
                Bound::into_ptr,
            )
        })
    }
}
