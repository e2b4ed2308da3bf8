//! Interned values to Python objects.

use std::ffi::c_int;
use std::sync::Arc;

use meshaccel_core::intern::{Pool, Ref, Value};
use meshaccel_core::tape::text::{Part, parts};
use pyo3::PyClass;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString};

use super::list::MetadataList;
use super::quiet::Quiet;
use super::shared::{Handle, Shared};
use super::view::MetadataView;
use super::walk::int_of;
use crate::json::Strings;

/// A value as whoever reads a view gets it: lists and dicts as views.
///
/// The pool is locked, and views are followed by the garbage collector, as is every class: to make
/// one could start a collection, so that is kept from running.
pub fn view<'py>(
    py: Python<'py>,
    shared: &Arc<Shared>,
    pool: &mut Pool,
    value: Ref,
) -> PyResult<Bound<'py, PyAny>> {
    match pool.value(value) {
        Value::Dict(..) => {
            let _quiet = Quiet::begin(py);
            let handle = Handle::new(shared, pool, value);
            Ok(untracked(Bound::new(py, MetadataView::of(handle))?))
        }
        Value::List(_) => {
            let _quiet = Quiet::begin(py);
            let handle = Handle::new(shared, pool, value);
            Ok(untracked(Bound::new(py, MetadataList::of(handle))?))
        }
        scalar => scalar_object(py, scalar),
    }
}

/// A view that the garbage collector does not look at: there may be hundreds of thousands, and a
/// pass through them holds all threads.
fn untracked<T: PyClass>(view: Bound<'_, T>) -> Bound<'_, PyAny> {
    // SAFETY: the object is alive and the GIL is held. It refers to no Python object but its class,
    // which the module keeps, so it is in no cycle. To untrack it again when it goes is allowed.
    unsafe { ffi::PyObject_GC_UnTrack(view.as_ptr().cast()) };
    view.into_any()
}

/// A list or dict that is being filled.
enum Open<'a, 'py> {
    List(Bound<'py, PyList>, &'a [Ref]),
    Dict(Bound<'py, PyDict>, &'a [Ref], &'a [Ref]),
}

/// A value as plain objects that share nothing with the pool.
pub fn plain<'py>(py: Python<'py>, pool: &Pool, value: Ref) -> PyResult<Bound<'py, PyAny>> {
    let _quiet = Quiet::begin(py);
    let mut strings = Strings::take();
    let mut open: Vec<Open<'_, 'py>> = Vec::new();
    let root = begin(py, pool, value, &mut strings, &mut open)?;
    while let Some(parent) = open.pop() {
        match parent {
            Open::List(list, items) => {
                for item in items {
                    list.append(begin(py, pool, *item, &mut strings, &mut open)?)?;
                }
            }
            Open::Dict(dict, keys, values) => {
                for (key, item) in keys.iter().zip(values) {
                    let key = text(py, pool.text(*key), Some(&mut strings))?;
                    dict.set_item(key, begin(py, pool, *item, &mut strings, &mut open)?)?;
                }
            }
        }
    }
    Ok(root)
}

/// The object of a value; a list or dict is empty, and to be filled.
fn begin<'a, 'py>(
    py: Python<'py>,
    pool: &'a Pool,
    value: Ref,
    strings: &mut Strings,
    open: &mut Vec<Open<'a, 'py>>,
) -> PyResult<Bound<'py, PyAny>> {
    Ok(match pool.value(value) {
        Value::List(items) => {
            let list = PyList::empty(py);
            open.push(Open::List(list.clone(), items));
            list.into_any()
        }
        Value::Dict(keys, values) => {
            let dict = PyDict::new(py);
            open.push(Open::Dict(dict.clone(), keys, values));
            dict.into_any()
        }
        Value::Text(bytes) => {
            let known = pool.is_shared(value).then_some(strings);
            text(py, bytes, known)?
        }
        scalar => scalar_object(py, scalar)?,
    })
}

fn scalar_object<'py>(py: Python<'py>, value: Value<'_>) -> PyResult<Bound<'py, PyAny>> {
    Ok(match value {
        Value::Bool(value) => PyBool::new(py, value).to_owned().into_any(),
        Value::Int(value) => PyInt::new(py, value).into_any(),
        Value::Big(bytes) => int_of(py, bytes)?,
        Value::Float(value) => PyFloat::new(py, value).into_any(),
        Value::Text(bytes) => text(py, bytes, None)?,
        Value::Null | Value::List(_) | Value::Dict(..) => py.None().into_bound(py),
    })
}

/// A str, if possible one that was made before.
pub fn text<'py>(
    py: Python<'py>,
    bytes: &[u8],
    known: Option<&mut Strings>,
) -> PyResult<Bound<'py, PyAny>> {
    let Ok(valid) = str::from_utf8(bytes) else {
        return surrogates(py, bytes);
    };
    let string = match known {
        Some(strings) => strings.get(py, valid),
        None => PyString::new(py, valid),
    };
    Ok(string.into_any())
}

/// A str with lone surrogates, put together without the error handlers of codecs: those may be
/// anybody's code.
#[cold]
fn surrogates<'py>(py: Python<'py>, bytes: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    // The pool is locked, and to make the list could start a collection.
    let _quiet = Quiet::begin(py);
    let list = PyList::empty(py);
    for part in parts(bytes).unwrap_or_default() {
        match part {
            Part::Valid(valid) => list.append(PyString::new(py, valid))?,
            // SAFETY: the GIL is held, and the result is ours.
            Part::Surrogate(code) => list.append(unsafe {
                let char = ffi::PyUnicode_FromOrdinal(c_int::try_from(code)?);
                Bound::from_owned_ptr_or_err(py, char)
            }?)?,
        }
    }
    // SAFETY: the GIL is held, both are what they have to be, and the result is ours.
    unsafe {
        let joined = ffi::PyUnicode_Join(PyString::new(py, "").as_ptr(), list.as_ptr());
        Bound::from_owned_ptr_or_err(py, joined)
    }
}
