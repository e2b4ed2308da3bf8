//! Python values to a sink of the core, without running Python code and without recursion.

mod part;
mod target;

use std::ffi::CString;
use std::ptr;

use meshaccel_core::tape::big;
use pyo3::ffi;
use pyo3::prelude::*;

use super::quiet::Quiet;
use super::view::handle_of;
use part::{BATCH, Part};

pub use target::{Hashing, Recorder, Target};

/// What is looked at in which way.
#[derive(Clone, Copy)]
pub struct Rules {
    /// How many lists and dicts there may be within each other.
    pub max_depth: usize,
    /// Whether a tuple is no list.
    pub strict: bool,
}

impl Rules {
    /// What anything is compared by: everything that is in a pool was accepted once.
    pub const LOOSE: Self = Self {
        max_depth: 100_000,
        strict: false,
    };
}

/// Why a value was not walked to its end.
pub enum Refusal {
    /// It is nested too deeply, or contains itself.
    TooDeep,
    /// It has parts that are not plain: Python has to convert them, or to say what is wrong.
    NotPlain,
}

/// A list or dict that is being walked.
#[derive(Clone, Copy)]
struct Open {
    object: *mut ffi::PyObject,
    kind: Kind,
    /// The next index, or where `PyDict_Next` is.
    next: ffi::Py_ssize_t,
    /// Where its parts begin among those that were read.
    first: usize,
    /// Which of them is written next.
    part: usize,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    List,
    Tuple,
    Dict,
}

/// Write a value to a target.
///
/// # Safety
/// Whatever the target keeps is borrowed from the parts of `value`. Until that is dropped the
/// GIL must be held all the time and no Python code may run, since it could change the value.
pub unsafe fn walk<'a, 'py, T: Target<'a>>(
    value: &'a Bound<'py, PyAny>,
    rules: Rules,
    target: &mut T,
) -> Result<(), Refusal> {
    // Making the exception for a lone surrogate, or an int's digits, could start a collection.
    let _quiet = Quiet::begin(value.py());
    let mut walker = Walker {
        py: value.py(),
        open: Vec::with_capacity(16),
        parts: Vec::with_capacity(2 * BATCH.cast_unsigned()),
        rules,
        target,
    };
    // SAFETY: nothing below runs Python code, so the objects reached from `value` stay alive and
    // as they are; see each call.
    unsafe { walker.run(value.as_ptr()) }
}

struct Walker<'a, 't, 'py, T> {
    py: Python<'py>,
    open: Vec<Open>,
    /// Parts of what is open, read and not yet written.
    parts: Vec<Part<'a>>,
    rules: Rules,
    target: &'t mut T,
}

impl<'a, T: Target<'a>> Walker<'a, '_, '_, T> {
    /// # Safety
    /// The object is alive, the GIL is held, and `'a` ends before Python code runs again.
    unsafe fn run(&mut self, root: *mut ffi::PyObject) -> Result<(), Refusal> {
        // SAFETY: passed on.
        unsafe { self.value(root)? };
        while let Some(open) = self.open.last_mut() {
            let Some(&part) = self.parts.get(open.part) else {
                // SAFETY: passed on.
                if !unsafe { self.read()? } {
                    self.target.close();
                    self.open.pop();
                }
                continue;
            };
            open.part += 1;
            if open.kind == Kind::Dict {
                self.target.key(part.key);
            }
            // SAFETY: the value lives as long as what it is in.
            unsafe { self.value(part.value)? };
        }
        Ok(())
    }

    /// Read more parts of what was opened last, in the place of those that were written. Returns
    /// whether there were any.
    ///
    /// # Safety
    /// As for `run`.
    unsafe fn read(&mut self) -> Result<bool, Refusal> {
        // In place: what was just written would be waited for if it were moved.
        let Some(open) = self.open.last_mut() else {
            return Ok(false);
        };
        let parts = &mut self.parts;
        parts.truncate(open.first);
        open.part = open.first;
        // SAFETY: passed on; it is of this kind.
        unsafe {
            match open.kind {
                Kind::Dict => entries(open, parts, self.target)?,
                Kind::List => items(open, parts, ffi::PyList_Size, ffi::PyList_GetItem),
                Kind::Tuple => items(open, parts, ffi::PyTuple_Size, ffi::PyTuple_GetItem),
            }
        }
        Ok(parts.len() > open.first)
    }

    /// # Safety
    /// As for `run`.
    #[inline]
    unsafe fn value(&mut self, object: *mut ffi::PyObject) -> Result<(), Refusal> {
        // SAFETY: the object is alive; these only look at its type or identity, or read the
        // value of what was found to have that type.
        unsafe {
            if ffi::PyUnicode_CheckExact(object) != 0 {
                let text = text(object, self.target);
                self.target.text(text);
            } else if ffi::PyDict_CheckExact(object) != 0 {
                self.open(object, Kind::Dict)?;
            } else if ffi::PyList_CheckExact(object) != 0 {
                self.open(object, Kind::List)?;
            } else if object == ffi::Py_True() {
                self.target.boolean(true);
            } else if object == ffi::Py_False() {
                self.target.boolean(false);
            } else if object == ffi::Py_None() {
                self.target.null();
            } else if ffi::PyLong_CheckExact(object) != 0 {
                self.int(object)?;
            } else if ffi::PyFloat_CheckExact(object) != 0 {
                self.target.float(ffi::PyFloat_AsDouble(object));
            } else {
                self.rare(object)?;
            }
        }
        Ok(())
    }

    /// Subclasses, of which only what they inherit is looked at, tuples and views.
    ///
    /// # Safety
    /// As for `run`.
    unsafe fn rare(&mut self, object: *mut ffi::PyObject) -> Result<(), Refusal> {
        // SAFETY: as in `value`.
        unsafe {
            if ffi::PyUnicode_Check(object) != 0 {
                let text = text(object, self.target);
                self.target.text(text);
            } else if ffi::PyDict_Check(object) != 0 {
                self.open(object, Kind::Dict)?;
            } else if ffi::PyList_Check(object) != 0 {
                self.open(object, Kind::List)?;
            } else if ffi::PyTuple_Check(object) != 0 && !self.rules.strict {
                self.open(object, Kind::Tuple)?;
            } else if ffi::PyLong_Check(object) != 0 {
                self.int(object)?;
            } else if ffi::PyFloat_Check(object) != 0 {
                self.target.float(ffi::PyFloat_AsDouble(object));
            } else if let Some(handle) = handle_of(self.py, object) {
                self.target.handle(handle);
            } else {
                return Err(Refusal::NotPlain);
            }
        }
        Ok(())
    }

    /// # Safety
    /// The object is of this kind, and as for `run`.
    unsafe fn open(&mut self, object: *mut ffi::PyObject, kind: Kind) -> Result<(), Refusal> {
        if self.open.len() >= self.rules.max_depth {
            return Err(Refusal::TooDeep);
        }
        match kind {
            Kind::Dict => self.target.open_dict(),
            Kind::List | Kind::Tuple => self.target.open_list(),
        }
        let first = self.parts.len();
        self.open.push(Open {
            object,
            kind,
            next: 0,
            first,
            part: first,
        });
        Ok(())
    }

    /// # Safety
    /// The object is an int.
    #[inline]
    unsafe fn int(&mut self, object: *mut ffi::PyObject) -> Result<(), Refusal> {
        let mut overflow = 0;
        // SAFETY: it is an int, so that `__index__` is not called.
        let value = unsafe { ffi::PyLong_AsLongLongAndOverflow(object, &raw mut overflow) };
        if overflow == 0 {
            self.target.int(value);
            return Ok(());
        }
        // SAFETY: passed on.
        let bytes = unsafe { self.big(object) }.ok_or(Refusal::NotPlain)?;
        self.target.big(bytes);
        Ok(())
    }

    /// # Safety
    /// The object is an int.
    #[cold]
    unsafe fn big(&mut self, object: *mut ffi::PyObject) -> Option<&'a [u8]> {
        // SAFETY: the digits of an int are made without calling methods of subclasses; the str
        // is ours.
        let digits = unsafe {
            let digits = ffi::PyNumber_ToBase(object, 16);
            if digits.is_null() {
                ffi::PyErr_Clear();
                return None;
            }
            Bound::from_owned_ptr(self.py, digits)
        };
        let digits = digits.extract::<String>().ok()?.replacen("0x", "", 1);
        let bytes = big::from_hex(&digits)?;
        Some(self.target.keep(&bytes))
    }
}

/// Read the next items of a list or tuple.
///
/// # Safety
/// As for `run`; the functions are those for the kind of the object.
#[inline]
unsafe fn items(
    open: &mut Open,
    parts: &mut Vec<Part<'_>>,
    size: unsafe extern "C" fn(*mut ffi::PyObject) -> ffi::Py_ssize_t,
    item: unsafe extern "C" fn(*mut ffi::PyObject, ffi::Py_ssize_t) -> *mut ffi::PyObject,
) {
    // SAFETY: the object is of this kind.
    let rest = unsafe { size(open.object) } - open.next;
    for _ in 0..rest.min(BATCH) {
        // SAFETY: as above, and it is no shorter than it was.
        let value = unsafe { item(open.object, open.next) };
        open.next += 1;
        parts.push(Part::item(value));
    }
}

/// Read the next entries of a dict; all of them if they are to be sorted.
///
/// # Safety
/// As for `run`; the object is a dict.
#[inline]
unsafe fn entries<'a, T: Target<'a>>(
    open: &mut Open,
    parts: &mut Vec<Part<'a>>,
    target: &mut T,
) -> Result<(), Refusal> {
    let most = if T::SORTED { isize::MAX } else { BATCH };
    for _ in 0..most {
        let (mut key, mut value) = (ptr::null_mut(), ptr::null_mut());
        let next = &raw mut open.next;
        // SAFETY: it is a dict, which nobody changes meanwhile.
        if unsafe { ffi::PyDict_Next(open.object, next, &raw mut key, &raw mut value) } == 0 {
            break;
        }
        // SAFETY: the key lives as long as the dict.
        if unsafe { ffi::PyUnicode_CheckExact(key) } == 0 {
            return Err(Refusal::NotPlain);
        }
        // SAFETY: it is a str that lives for `'a`.
        let key = unsafe { text(key, target) };
        parts.push(Part::entry(key, value, T::SORTED));
    }
    if T::SORTED
        && let Some(entries) = parts.get_mut(open.first..)
    {
        part::sort(entries);
    }
    Ok(())
}

/// # Safety
/// The object is a str that lives and stays as it is for `'a`.
#[inline]
unsafe fn text<'a, T: Target<'a>>(object: *mut ffi::PyObject, target: &mut T) -> &'a [u8] {
    let mut len = 0;
    // SAFETY: it is a str.
    let utf8 = unsafe { ffi::PyUnicode_AsUTF8AndSize(object, &raw mut len) };
    if utf8.is_null() {
        // SAFETY: passed on.
        return unsafe { surrogates(object, target) };
    }
    // SAFETY: the str holds its UTF-8 as long as it lives.
    unsafe { std::slice::from_raw_parts(utf8.cast(), len.cast_unsigned()) }
}

/// # Safety
/// The object is a str.
#[cold]
unsafe fn surrogates<'a, T: Target<'a>>(object: *mut ffi::PyObject, target: &mut T) -> &'a [u8] {
    let mut bytes = Vec::new();
    // SAFETY: the GIL is held; it is a str, of whose length each index is checked.
    unsafe {
        ffi::PyErr_Clear();
        let len = ffi::PyUnicode_GetLength(object);
        for index in 0..len {
            encode(ffi::PyUnicode_ReadChar(object, index), &mut bytes);
        }
    }
    target.keep(&bytes)
}

/// Append a code point as UTF-8 would, lone surrogates too.
fn encode(code: u32, bytes: &mut Vec<u8>) {
    if let Some(char) = char::from_u32(code) {
        bytes.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes());
        return;
    }
    let low = |shift: u32| u8::try_from(code >> shift & 0x3f).unwrap_or_default() | 0x80;
    bytes.extend_from_slice(&[0xe0 | 0x0d, low(6), low(0)]);
}

/// A Python int of two's complement bytes.
pub fn int_of<'py>(py: Python<'py>, bytes: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    let digits = CString::new(big::to_hex(bytes))?;
    // SAFETY: the text ends with NUL; the result is ours.
    unsafe {
        let value = ffi::PyLong_FromString(digits.as_ptr(), std::ptr::null_mut(), 16);
        Bound::from_owned_ptr_or_err(py, value)
    }
}
