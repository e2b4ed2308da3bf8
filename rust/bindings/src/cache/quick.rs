//! `TagCache.get` and `get_many`: a quick way through for what nearly all calls are like.

use std::ptr::null_mut;

use meshaccel_core::cache::{MANY, Removed};
use pyo3::exceptions::PyTypeError;
use pyo3::ffi::{self, PyObject};
use pyo3::prelude::*;
use pyo3::types::{PyList, PyType};
use smallvec::SmallVec;

use super::clock::Clock;
use super::fastcall::{Arguments, Definition, answer, guarded};
use super::text::{Named, collect};
use super::{TagCache, set};

static GET: Definition = Definition::positional(
    c"get",
    get,
    c"get($self, key, default=None, /)\n--\n\nReturn the value of a key.",
);
static GET_MANY: Definition = Definition::positional(
    c"get_many",
    get_many,
    c"get_many($self, keys, default=None, /)\n--\n\nReturn the values of keys.",
);

/// Give the class its methods that `PyO3` has no part in.
pub fn install(class: &Bound<'_, PyType>) -> PyResult<()> {
    GET.install(class)?;
    GET_MANY.install(class)?;
    set::install(class)
}

/// Nobody but the interpreter calls it, on an instance.
unsafe extern "C" fn get(
    this: *mut PyObject,
    arguments: *mut *mut PyObject,
    count: ffi::Py_ssize_t,
) -> *mut PyObject {
    // SAFETY: the interpreter holds the GIL and passes an instance and its arguments.
    let (py, this, arguments) = unsafe {
        let py = Python::assume_attached();
        let this = Borrowed::from_ptr(py, this).cast_unchecked::<TagCache>();
        (py, this, Arguments::new(py, arguments, count, null_mut()))
    };
    guarded(py, || {
        let Some((key, default)) = key_and_default(arguments) else {
            return answer(py, || Err(wrong_count("get", arguments.len())));
        };
        match look(this.get(), key) {
            Look::Found(value) => value,
            Look::Missing => default.to_owned().into_ptr(),
            Look::Untidy => answer(py, || {
                let found = this.get().get(&key)?;
                Ok(found.unwrap_or_else(|| default.to_owned()))
            }),
        }
    })
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
#[inline]
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

/// Nobody but the interpreter calls it, on an instance.
unsafe extern "C" fn get_many(
    this: *mut PyObject,
    arguments: *mut *mut PyObject,
    count: ffi::Py_ssize_t,
) -> *mut PyObject {
    // SAFETY: the interpreter holds the GIL and passes an instance and its arguments.
    let (py, this, arguments) = unsafe {
        let py = Python::assume_attached();
        let this = Borrowed::from_ptr(py, this).cast_unchecked::<TagCache>();
        (py, this, Arguments::new(py, arguments, count, null_mut()))
    };
    guarded(py, || {
        let Some((keys, default)) = key_and_default(arguments) else {
            return answer(py, || Err(wrong_count("get_many", arguments.len())));
        };
        let found = keys
            .cast_exact::<PyList>()
            .ok()
            .and_then(|keys| look_for_all(this.get(), keys, default));
        match found {
            Some(found) => found.into_ptr(),
            None => answer(py, || Ok(this.get().get_many(&keys, &default)?.into_any())),
        }
    })
}

/// Look for the members of a list. `None`: it takes more than that; nothing was noted.
fn look_for_all<'py>(
    cache: &TagCache,
    keys: Borrowed<'_, 'py, PyList>,
    default: Borrowed<'_, 'py, PyAny>,
) -> Option<Bound<'py, PyAny>> {
    let py = keys.py();
    let Clock::Coarse(start) = &cache.clock else {
        return None;
    };
    let count = keys.len();
    // SAFETY: the GIL is held. A failure leaves an error, which the slow way would meet again.
    let found = unsafe {
        let found = ffi::PyList_New(count.cast_signed());
        Bound::from_owned_ptr_or_opt(py, found).or_else(|| {
            ffi::PyErr_Clear();
            None
        })?
    };
    // From here on no foreign code runs until the cache is unlocked. It may have run so far: to
    // make a list may start the garbage collector.
    if keys.len() != count {
        return None;
    }
    // SAFETY: the index is one of the list, which does not change.
    let key = |index: usize| unsafe {
        let key = ffi::PyList_GetItem(keys.as_ptr(), index.cast_signed());
        Borrowed::from_ptr(py, key)
    };
    if !(0..count).all(|index| Named::is_one(key(index))) {
        return None;
    }
    let now = start.elapsed().as_micros();
    let mut removed = Removed::new();
    {
        let mut state = cache.lock(py);
        let mut names = (0..count).filter_map(|index| Named::quickly(key(index)));
        let mut place = 0;
        loop {
            let batch: SmallVec<[_; MANY]> = names.by_ref().take(MANY).collect();
            if batch.is_empty() {
                break;
            }
            state.get_many(&batch, now, &mut removed, |value| {
                let value = value.map_or(default.as_ptr(), |value| value.as_ptr());
                // SAFETY: the value is alive while the lock is held. The list takes a new
                // reference, in a place of its own that is empty.
                unsafe {
                    ffi::Py_INCREF(value);
                    ffi::PyList_SetItem(found.as_ptr(), place, value);
                }
                place += 1;
            });
        }
    }
    drop(removed);
    Some(found)
}

/// What the quick ways leave to be done.
impl TagCache {
    fn get_many<'py>(
        &self,
        keys: &Bound<'py, PyAny>,
        default: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyList>> {
        let py = keys.py();
        let keys = collect(keys, "keys")?;
        let names = Named::all(&keys, "key")?;
        let now = self.clock.moment(py)?.micros();
        let mut removed = Removed::new();
        let mut found = Vec::with_capacity(names.len());
        {
            let mut state = self.lock(py);
            for name in &names {
                let value = state.get(name, || now, &mut removed);
                found.push(value.map_or_else(|| default.clone(), |value| value.bind(py).clone()));
            }
        }
        drop(removed);
        PyList::new(py, found)
    }

    pub fn get<'py>(&self, key: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = key.py();
        let name = Named::new(key.as_borrowed(), "key")?;
        let moment = self.clock.moment(py)?;
        let mut removed = Removed::new();
        let found = self
            .lock(py)
            .get(&name, || moment.micros(), &mut removed)
            .map(|value| value.bind(py).clone());
        drop(removed);
        Ok(found)
    }
}

fn key_and_default<'a, 'py>(
    arguments: Arguments<'a, 'py>,
) -> Option<(Borrowed<'a, 'py, PyAny>, Borrowed<'a, 'py, PyAny>)> {
    let none = arguments.none();
    match arguments.len() {
        1 => Some((arguments.get(0)?, none)),
        2 => Some((arguments.get(0)?, arguments.get(1)?)),
        _ => None,
    }
}

fn wrong_count(name: &str, count: usize) -> PyErr {
    PyTypeError::new_err(format!("{name} expected 1 or 2 arguments, got {count}"))
}
