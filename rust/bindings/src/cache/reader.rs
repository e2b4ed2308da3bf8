//! What `TagCache.reader` returns: a look at the cache for those who await it, in one call.

use pyo3::PyTraverseError;
use pyo3::ffi::{self, PyObject};
use pyo3::gc::PyVisit;
use pyo3::prelude::*;

use super::TagCache;
use super::fastcall::{Arguments, Definition, answer, guarded};
use super::quick::{Look, look};
use crate::ready;

static READ: Definition = Definition::with_keywords(c"read", read, c"");

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

impl Reader {
    /// A function that looks into the cache, and calls `on_miss` in its own place after a miss.
    pub fn function<'py>(
        cache: Bound<'py, TagCache>,
        on_miss: Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = cache.py();
        let (cache, on_miss) = (cache.unbind(), on_miss.unbind());
        READ.bind(Bound::new(py, Self { cache, on_miss })?.as_any())
    }
}

/// The function. Nobody but the interpreter calls it, bound to a `Reader`.
unsafe extern "C" fn read(
    this: *mut PyObject,
    arguments: *const *mut PyObject,
    count: ffi::Py_ssize_t,
    names: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: the interpreter holds the GIL and passes a reader, and its arguments.
    let (py, this, arguments) = unsafe {
        let py = Python::assume_attached();
        let this = Borrowed::from_ptr(py, this).cast_unchecked::<Reader>();
        (py, this, Arguments::new(py, arguments, count, names))
    };
    guarded(py, || {
        let key = arguments.get(0);
        match key.map_or(Look::Missing, |key| look(this.get().cache.get(), key)) {
            // SAFETY: the GIL is held, and the reference is given away.
            Look::Found(value) => unsafe { ready::make(value) },
            Look::Missing => answer(py, || arguments.pass_on(this.get().on_miss.bind(py), None)),
            Look::Untidy => answer(py, || look_again(this.get(), arguments)),
        }
    })
}

fn look_again<'py>(this: &Reader, call: Arguments<'_, 'py>) -> PyResult<Bound<'py, PyAny>> {
    let py = call.py();
    if let Some(key) = call.get(0)
        && let Some(value) = this.cache.get().get(&key)?
    {
        // SAFETY: the GIL is held, and the reference is given away. What is made is a new one, or
        // null with an error set.
        return unsafe { Bound::from_owned_ptr_or_err(py, ready::make(value.into_ptr())) };
    }
    call.pass_on(this.on_miss.bind(py), None)
}
