//! `ready`: an awaitable that has its value already, for what is awaited far more often than it
//! has to wait.
//!
//! `CPython` 3.11 asks `am_send` for the value, which costs next to nothing. Since 3.12 `await`
//! asks `tp_iternext` instead and takes the value from a `StopIteration`. To make one costs as
//! much as a coroutine, so the instance that died last is used again, and its exception with it.

mod carrier;

use std::ffi::{c_int, c_void};
use std::ptr::null_mut;
use std::sync::atomic::{AtomicPtr, Ordering};

use pyo3::exceptions::{PyBaseException, PyTypeError};
use pyo3::ffi::{self, PyObject};
use pyo3::prelude::*;
use pyo3::types::PyTuple;

/// The object, which is made by `ready` only.
#[repr(C)]
struct Ready {
    head: PyObject,
    value: *mut PyObject,
    /// The exception that carries the value to who awaits it, or null.
    carrier: *mut PyObject,
    /// Whether the carrier was raised since this was made.
    was_raised: bool,
}

/// The instance that died last, or null: a carrier is all that it owns. Read and written under
/// the GIL, hence not swapped.
static SPARE: AtomicPtr<PyObject> = AtomicPtr::new(null_mut());

/// The class `Ready`; null until the module was loaded.
static CLASS: AtomicPtr<ffi::PyTypeObject> = AtomicPtr::new(null_mut());

/// Add the class and the function to the module.
pub fn install(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let py = module.py();
    carrier::prepare(py)?;
    let class = make_class(py)?;
    module.add("Ready", &class)?;
    CLASS.store(class.into_ptr().cast(), Ordering::Relaxed);
    let function = ffi::PyMethodDef {
        ml_name: c"ready".as_ptr(),
        ml_meth: ffi::PyMethodDefPointer { PyCFunction: ready },
        ml_flags: ffi::METH_O,
        ml_doc: c"ready(value, /)\n--\n\nReturn an awaitable of `value`.".as_ptr(),
    };
    let function = Box::leak(Box::new(function));
    // SAFETY: the definition lives for ever, and `ready` is called in the way that its flag says.
    let function =
        unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyCFunction_New(function, null_mut()))? };
    module.add("ready", function)
}

fn make_class(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    let method = |name: &'static std::ffi::CStr, call, flags| ffi::PyMethodDef {
        ml_name: name.as_ptr(),
        ml_meth: ffi::PyMethodDefPointer { PyCFunction: call },
        ml_flags: flags,
        ml_doc: null_mut(),
    };
    let generic = ffi::METH_O | ffi::METH_CLASS;
    let methods = Box::leak(Box::new([
        method(c"send", send, ffi::METH_O),
        method(c"throw", throw, ffi::METH_VARARGS),
        method(c"close", close, ffi::METH_NOARGS),
        method(c"__class_getitem__", ffi::Py_GenericAlias, generic),
        ffi::PyMethodDef::zeroed(),
    ]));
    let slot = |slot, pfunc| ffi::PyType_Slot { slot, pfunc };
    let mut slots = [
        slot(ffi::Py_am_await, itself as *mut c_void),
        slot(ffi::Py_am_send, send_quickly as *mut c_void),
        slot(ffi::Py_tp_iter, itself as *mut c_void),
        slot(ffi::Py_tp_iternext, next as *mut c_void),
        slot(ffi::Py_tp_methods, methods.as_mut_ptr().cast()),
        slot(ffi::Py_tp_traverse, traverse as *mut c_void),
        slot(ffi::Py_tp_clear, clear as *mut c_void),
        slot(ffi::Py_tp_dealloc, dealloc as *mut c_void),
        slot(0, null_mut()),
    ];
    let flags = ffi::Py_TPFLAGS_DEFAULT
        | ffi::Py_TPFLAGS_HAVE_GC
        | ffi::Py_TPFLAGS_DISALLOW_INSTANTIATION
        | ffi::Py_TPFLAGS_IMMUTABLETYPE;
    let mut spec = ffi::PyType_Spec {
        name: c"meshaccel._native.Ready".as_ptr(),
        basicsize: c_int::try_from(size_of::<Ready>())?,
        itemsize: 0,
        flags: u32::try_from(flags)?,
        slots: slots.as_mut_ptr(),
    };
    // SAFETY: the name and the methods live for ever, the rest is copied. Each slot has a function
    // of the type that the slot asks for.
    unsafe { Bound::from_owned_ptr_or_err(py, ffi::PyType_FromSpec(&raw mut spec)) }
}

// SAFETY, for all functions below: nobody but the interpreter calls them, with the GIL held, on
// instances of the class, which own their two references. None of them panics.

unsafe extern "C" fn ready(_module: *mut PyObject, value: *mut PyObject) -> *mut PyObject {
    // SAFETY: see above.
    unsafe {
        ffi::Py_INCREF(value);
        make(value)
    }
}

/// Return a new instance, or null with an error set. May run the garbage collector.
///
/// # Safety
/// The GIL is held, the module was loaded, and the caller gives away a reference to the value.
pub unsafe fn make(value: *mut PyObject) -> *mut PyObject {
    // SAFETY: as promised. The memory of the spare is that of an instance. A new instance is
    // shown to the collector only when it is complete.
    unsafe {
        let class = CLASS.load(Ordering::Relaxed);
        let spare = SPARE.load(Ordering::Relaxed);
        let this = if spare.is_null() {
            let new = ffi::PyObject_GC_New::<Ready>(class);
            if new.is_null() {
                ffi::Py_DECREF(value);
                return null_mut();
            }
            (*new).carrier = null_mut();
            new
        } else {
            SPARE.store(null_mut(), Ordering::Relaxed);
            ffi::PyObject_Init(spare, class).cast()
        };
        (*this).value = value;
        (*this).was_raised = false;
        ffi::PyObject_GC_Track(this.cast());
        this.cast()
    }
}

unsafe extern "C" fn itself(this: *mut PyObject) -> *mut PyObject {
    // SAFETY: see above.
    unsafe { ffi::Py_INCREF(this) };
    this
}

unsafe extern "C" fn send_quickly(
    this: *mut PyObject,
    _sent: *mut PyObject,
    result: *mut *mut PyObject,
) -> ffi::PySendResult {
    // SAFETY: see above, and the interpreter takes a new reference in `result`.
    unsafe {
        let value = (*this.cast::<Ready>()).value;
        ffi::Py_INCREF(value);
        *result = value;
    }
    ffi::PySendResult::PYGEN_RETURN
}

unsafe extern "C" fn next(this: *mut PyObject) -> *mut PyObject {
    // SAFETY: see above. Nobody knows of a carrier that was not raised yet.
    unsafe {
        let this = this.cast::<Ready>();
        if (*this).was_raised {
            ffi::Py_XDECREF(std::mem::replace(&mut (*this).carrier, null_mut()));
        }
        if (*this).carrier.is_null() {
            (*this).carrier = carrier::new();
        }
        let carrier = (*this).carrier;
        if !carrier.is_null() && carrier::load(carrier, (*this).value) {
            (*this).was_raised = true;
            carrier::raise(carrier);
        }
    }
    null_mut()
}

unsafe extern "C" fn send(this: *mut PyObject, _sent: *mut PyObject) -> *mut PyObject {
    // SAFETY: as of `next`.
    unsafe { next(this) }
}

unsafe extern "C" fn close(_this: *mut PyObject, _: *mut PyObject) -> *mut PyObject {
    // SAFETY: None lives for ever.
    unsafe {
        let none = ffi::Py_None();
        ffi::Py_INCREF(none);
        none
    }
}

unsafe extern "C" fn throw(_this: *mut PyObject, arguments: *mut PyObject) -> *mut PyObject {
    Python::attach(|py| {
        // SAFETY: see above: the arguments are a tuple.
        let arguments = unsafe { Borrowed::from_ptr(py, arguments).cast_unchecked::<PyTuple>() };
        thrown(&arguments).unwrap_or_else(|error| error).restore(py);
    });
    null_mut()
}

/// The exception that `throw` was called with, as of a generator that does not catch it.
fn thrown(arguments: &Bound<'_, PyTuple>) -> PyResult<PyErr> {
    let given = |index| {
        arguments
            .get_item(index)
            .ok()
            .filter(|item| !item.is_none())
    };
    let kind = given(0).ok_or_else(|| PyTypeError::new_err("throw expected an exception"))?;
    let error = match given(1) {
        Some(value) if value.is_instance_of::<PyBaseException>() => PyErr::from_value(value),
        Some(value) => PyErr::from_value(kind.call1((value,))?),
        None => PyErr::from_value(kind),
    };
    if let Some(traceback) = given(2) {
        error.set_traceback(arguments.py(), Some(traceback.cast_into()?));
    }
    Ok(error)
}

unsafe extern "C" fn traverse(
    this: *mut PyObject,
    visit: ffi::visitproc,
    argument: *mut c_void,
) -> c_int {
    // SAFETY: see above. An instance owns a reference to its class as well.
    unsafe {
        let Ready { value, carrier, .. } = *this.cast::<Ready>();
        for owned in [ffi::Py_TYPE(this).cast(), value, carrier] {
            if !owned.is_null() {
                let answer = visit(owned, argument);
                if answer != 0 {
                    return answer;
                }
            }
        }
    }
    0
}

unsafe extern "C" fn clear(this: *mut PyObject) -> c_int {
    // SAFETY: see above. Who still awaits it afterwards gets None.
    unsafe {
        let this = this.cast::<Ready>();
        let none = ffi::Py_None();
        ffi::Py_INCREF(none);
        let value = std::mem::replace(&mut (*this).value, none);
        let carrier = std::mem::replace(&mut (*this).carrier, null_mut());
        ffi::Py_DECREF(value);
        ffi::Py_XDECREF(carrier);
    }
    0
}

unsafe extern "C" fn dealloc(this: *mut PyObject) {
    // SAFETY: see above, and this is the last use of the instance. It is a spare, or is no more,
    // before what it owned is dropped, since that may run foreign code.
    unsafe {
        ffi::PyObject_GC_UnTrack(this.cast());
        let class = ffi::Py_TYPE(this);
        let Ready {
            value,
            mut carrier,
            was_raised,
            ..
        } = *this.cast::<Ready>();
        if was_raised && !carrier.is_null() && !carrier::unload(carrier) {
            ffi::Py_DECREF(std::mem::replace(&mut carrier, null_mut()));
        }
        if SPARE.load(Ordering::Relaxed).is_null() {
            (*this.cast::<Ready>()).carrier = carrier;
            SPARE.store(this, Ordering::Relaxed);
        } else {
            ffi::Py_XDECREF(carrier);
            ffi::PyObject_GC_Del(this.cast());
        }
        drop_chain(class, value);
        ffi::Py_DECREF(class.cast());
    }
}

/// Drop the value of an instance. If that is an instance too, and so on, this takes no stack.
///
/// # Safety
/// As for the functions above. The caller owns the reference that it passes.
unsafe fn drop_chain(class: *mut ffi::PyTypeObject, mut value: *mut PyObject) {
    // SAFETY: see above. Nobody else knows of an object that has one reference.
    unsafe {
        while ffi::Py_TYPE(value) == class && ffi::Py_REFCNT(value) == 1 {
            let none = ffi::Py_None();
            ffi::Py_INCREF(none);
            let inner = std::mem::replace(&mut (*value.cast::<Ready>()).value, none);
            ffi::Py_DECREF(value);
            value = inner;
        }
        ffi::Py_DECREF(value);
    }
}
