//! `TagCache.set`: a quick way through for what nearly all calls are like, to `store` without a
//! conversion of arguments.

use meshaccel_core::cache::Offer;
use pyo3::exceptions::PySystemError;
use pyo3::ffi::{self, PyObject};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyFloat, PyList, PyString, PyTuple, PyType};
use smallvec::SmallVec;

use super::clock::Clock;
use super::fastcall::{Arguments, Definition, answer, guarded};
use super::owned::Owned;
use super::text::Named;
use super::{Flight, TagCache, options};

static SET: Definition = Definition::with_keywords(
    c"set",
    set,
    c"set($self, key, value, tags=(), *, ttl=None, idle_ttl=None, since=None, size=None)\n--\n\n\
      Store a value.",
);

/// The method of `PyO3` that does the same, and the rest.
static ANY_SET: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

/// The keywords of quick calls. The interpreter's own strings are interned as these are.
static KEYWORDS: PyOnceLock<[Py<PyString>; 4]> = PyOnceLock::new();

pub fn install(class: &Bound<'_, PyType>) -> PyResult<()> {
    let py = class.py();
    let any_set = class.getattr("set")?.unbind();
    ANY_SET.get_or_init(py, || any_set);
    KEYWORDS.get_or_init(py, || {
        ["tags", "ttl", "idle_ttl", "since"].map(|name| PyString::intern(py, name).unbind())
    });
    SET.install(class)
}

/// Nobody but the interpreter calls it, on an instance.
unsafe extern "C" fn set(
    this: *mut PyObject,
    arguments: *const *mut PyObject,
    count: ffi::Py_ssize_t,
    names: *mut PyObject,
) -> *mut PyObject {
    // SAFETY: the interpreter holds the GIL and passes an instance and its arguments.
    let (py, this, arguments) = unsafe {
        let py = Python::assume_attached();
        let this = Borrowed::from_ptr(py, this);
        (py, this, Arguments::new(py, arguments, count, names))
    };
    guarded(py, || {
        // SAFETY: see above.
        let cache = unsafe { this.cast_unchecked::<TagCache>() };
        match set_quickly(cache.get(), arguments) {
            Ok(stored) => PyBool::new(py, stored).to_owned().into_ptr(),
            Err(Unusual) => answer(py, || {
                let any_set = ANY_SET
                    .get(py)
                    .ok_or_else(|| PySystemError::new_err("no set"))?;
                arguments.pass_on(any_set.bind(py), Some(this))
            }),
        }
    })
}

/// It takes more than the quick way; nothing was done.
struct Unusual;

fn set_quickly(cache: &TagCache, arguments: Arguments<'_, '_>) -> Result<bool, Unusual> {
    let (Clock::Coarse(start), None, 2..=3) = (&cache.clock, cache.max_bytes, arguments.len())
    else {
        return Err(Unusual);
    };
    let [key, value] = [0, 1].map(|index| arguments.get(index).ok_or(Unusual));
    let (key, value) = (Named::quickly(key?).ok_or(Unusual)?, value?);
    let mut tags = arguments.get(2);
    let mut lifetime = cache.defaults;
    let mut since = None;
    for (name, argument) in arguments.by_name() {
        let keywords = KEYWORDS.get(arguments.py()).ok_or(Unusual)?;
        match keywords.iter().position(|keyword| keyword.is(name)) {
            Some(0) if tags.is_none() => tags = Some(argument),
            Some(1) => lifetime.ttl = span(argument, lifetime.ttl)?,
            Some(2) => lifetime.idle = span(argument, lifetime.idle)?,
            Some(3) => since = began(cache, argument)?,
            _ => return Err(Unusual),
        }
    }
    let tags = tags.map_or(Ok(SmallVec::new()), members)?;
    let offer = Offer {
        value: Owned::new(value.to_owned()),
        lifetime,
        weight: 0,
        since,
    };
    let now = start.elapsed().as_micros();
    Ok(cache.store(arguments.py(), &key, &tags, offer, now))
}

/// Seconds that are a plain number, if not None. `Err`: something else, or out of range.
fn span(seconds: Borrowed<'_, '_, PyAny>, default: Option<u64>) -> Result<Option<u64>, Unusual> {
    if seconds.is_none() {
        return Ok(default);
    }
    match seconds.cast_exact::<PyFloat>() {
        Ok(seconds) if seconds.value() > 0.0 => Ok(options::micros_if_finite(seconds.value())),
        _ => Err(Unusual),
    }
}

/// When a flight began, if not None. `Err`: it is none of this cache, or has ended.
fn began(cache: &TagCache, flight: Borrowed<'_, '_, PyAny>) -> Result<Option<u64>, Unusual> {
    if flight.is_none() {
        return Ok(None);
    }
    let flight = flight.cast_exact::<Flight>().map_err(|_| Unusual)?.get();
    match flight.began_if_under_way() {
        Some(began) if flight.is_of(cache) => Ok(Some(began)),
        _ => Err(Unusual),
    }
}

/// The members of a tuple or a list. `Err`: it is something else, or has other members.
fn members<'a, 'py>(
    tags: Borrowed<'a, 'py, PyAny>,
) -> Result<SmallVec<[Named<'a, 'py>; 8]>, Unusual> {
    type Get = unsafe extern "C" fn(*mut PyObject, ffi::Py_ssize_t) -> *mut PyObject;
    let (get, len): (Get, usize) = if let Ok(tuple) = tags.cast_exact::<PyTuple>() {
        (ffi::PyTuple_GetItem, tuple.len())
    } else {
        let list = tags.cast_exact::<PyList>().map_err(|_| Unusual)?;
        (ffi::PyList_GetItem, list.len())
    };
    let member = |index: usize| {
        // SAFETY: the tags are alive and of the kind that the function is for, and the index is one
        // of theirs. They keep the member, since no foreign code runs that could change them.
        let member = unsafe {
            let member = get(tags.as_ptr(), index.cast_signed());
            Borrowed::from_ptr(tags.py(), member)
        };
        Named::quickly(member).ok_or(Unusual)
    };
    (0..len).map(member).collect()
}
