//! Python values to a sink of the core, without running Python code and without recursion.

mod target;

use std::ffi::CString;
use std::ptr;

use meshaccel_core::tape::big;
use pyo3::ffi;
use pyo3::prelude::*;

use super::quiet::Quiet;
use super::view::handle_of;

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
    /// How many items there are, or how many sorted entries there were before.
    len: ffi::Py_ssize_t,
}

/// An entry of a dict that is written in sorted order.
#[derive(Clone, Copy)]
struct Entry<'a> {
    key: &'a [u8],
    value: *mut ffi::PyObject,
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    List,
    Tuple,
    Dict,
    /// Its entries are the last of those sorted, the next one last.
    Sorted,
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
        sorted: Vec::new(),
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
    /// Entries of the dicts that are open.
    sorted: Vec<Entry<'a>>,
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
            let mut item = ptr::null_mut();
            match open.kind {
                Kind::Sorted => {
                    if self.sorted.len() > open.len.cast_unsigned()
                        && let Some(entry) = self.sorted.pop()
                    {
                        self.target.key(entry.key);
                        item = entry.value;
                    }
                }
                Kind::Dict => {
                    // SAFETY: it is a dict, which nobody changes meanwhile; passed on.
                    if let Some((key, value)) = unsafe { self.entry()? } {
                        self.target.key(key);
                        item = value;
                    }
                }
                Kind::List | Kind::Tuple => {
                    if open.next < open.len {
                        // SAFETY: it is of this kind, and no shorter than it was.
                        item = unsafe {
                            match open.kind {
                                Kind::Tuple => ffi::PyTuple_GetItem(open.object, open.next),
                                _ => ffi::PyList_GetItem(open.object, open.next),
                            }
                        };
                        open.next += 1;
                    }
                }
            }
            if item.is_null() {
                self.target.close();
                self.open.pop();
            } else {
                // SAFETY: the item lives as long as what it is in.
                unsafe { self.value(item)? };
            }
        }
        Ok(())
    }

    /// The next entry of the innermost dict.
    ///
    /// # Safety
    /// As for `run`.
    #[inline]
    unsafe fn entry(&mut self) -> Result<Option<(&'a [u8], *mut ffi::PyObject)>, Refusal> {
        let Some(open) = self.open.last_mut() else {
            return Ok(None);
        };
        let (mut key, mut value) = (ptr::null_mut(), ptr::null_mut());
        // SAFETY: it is a dict, which nobody changes meanwhile.
        let more = unsafe {
            ffi::PyDict_Next(
                open.object,
                &raw mut open.next,
                &raw mut key,
                &raw mut value,
            )
        };
        if more == 0 {
            return Ok(None);
        }
        // SAFETY: the key lives as long as the dict.
        if unsafe { ffi::PyUnicode_CheckExact(key) } == 0 {
            return Err(Refusal::NotPlain);
        }
        // SAFETY: it is a str that lives for `'a`.
        let key = unsafe { self.text(key) };
        Ok(Some((key, value)))
    }

    /// Read all entries of the dict that was just opened.
    ///
    /// # Safety
    /// As for `run`.
    unsafe fn sort(&mut self) -> Result<(), Refusal> {
        let first = self.sorted.len();
        // SAFETY: passed on.
        while let Some((key, value)) = unsafe { self.entry()? } {
            self.sorted.push(Entry { key, value });
        }
        if let Some(entries) = self.sorted.get_mut(first..) {
            entries.sort_unstable_by(|one, other| other.key.cmp(one.key));
        }
        if let Some(open) = self.open.last_mut() {
            open.kind = Kind::Sorted;
            open.len = first.cast_signed();
        }
        Ok(())
    }

    /// # Safety
    /// As for `run`.
    #[inline]
    unsafe fn value(&mut self, object: *mut ffi::PyObject) -> Result<(), Refusal> {
        // SAFETY: the object is alive; these only look at its type or identity, or read the
        // value of what was found to have that type.
        unsafe {
            if ffi::PyUnicode_CheckExact(object) != 0 {
                let text = self.text(object);
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
                let text = self.text(object);
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
        // SAFETY: the object is of this kind.
        let len = unsafe {
            match kind {
                Kind::Dict | Kind::Sorted => 0,
                Kind::List => ffi::PyList_Size(object),
                Kind::Tuple => ffi::PyTuple_Size(object),
            }
        };
        match kind {
            Kind::Dict | Kind::Sorted => self.target.open_dict(),
            Kind::List | Kind::Tuple => self.target.open_list(),
        }
        self.open.push(Open {
            object,
            kind,
            next: 0,
            len,
        });
        if T::SORTED && kind == Kind::Dict {
            // SAFETY: passed on.
            unsafe { self.sort()? };
        }
        Ok(())
    }

    /// # Safety
    /// The object is a str that lives and stays as it is for `'a`.
    #[inline]
    unsafe fn text(&mut self, object: *mut ffi::PyObject) -> &'a [u8] {
        let mut len = 0;
        // SAFETY: it is a str.
        let utf8 = unsafe { ffi::PyUnicode_AsUTF8AndSize(object, &raw mut len) };
        if utf8.is_null() {
            // SAFETY: passed on.
            return unsafe { self.surrogates(object) };
        }
        // SAFETY: the str holds its UTF-8 as long as it lives.
        unsafe { std::slice::from_raw_parts(utf8.cast(), len.cast_unsigned()) }
    }

    /// # Safety
    /// The object is a str.
    #[cold]
    unsafe fn surrogates(&mut self, object: *mut ffi::PyObject) -> &'a [u8] {
        let mut bytes = Vec::new();
        // SAFETY: the GIL is held; it is a str, of whose length each index is checked.
        unsafe {
            ffi::PyErr_Clear();
            let len = ffi::PyUnicode_GetLength(object);
            for index in 0..len {
                encode(ffi::PyUnicode_ReadChar(object, index), &mut bytes);
            }
        }
        self.target.keep(&bytes)
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
