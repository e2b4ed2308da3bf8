//! Items and entries that were read and are written next.

use std::cmp::Ordering;
use std::ptr;

use meshaccel_core::word::order_word;
use pyo3::ffi;

use super::text::text;
use super::{Open, Refusal, Target};

/// How many parts are read at once, unless they have to be sorted. While some are written, what
/// the others are is on its way from memory.
const BATCH: ffi::Py_ssize_t = 32;

/// An item of a list, or an entry of a dict.
#[derive(Clone, Copy)]
pub struct Part<'a> {
    /// Of an entry.
    pub key: &'a [u8],
    /// The first bytes of the key, as a number of the same order, if entries are to be sorted.
    prefix: u64,
    /// Alive as long as what it is in.
    pub value: *mut ffi::PyObject,
}

impl<'a> Part<'a> {
    #[inline]
    fn item(value: *mut ffi::PyObject) -> Self {
        Self::entry(&[], value, false)
    }

    #[inline]
    fn entry(key: &'a [u8], value: *mut ffi::PyObject, is_sorted: bool) -> Self {
        prefetch(value);
        let prefix = if is_sorted { order_word(key) } else { 0 };
        Self { key, prefix, value }
    }

    #[inline]
    fn is_before(&self, other: &Self) -> bool {
        if self.prefix == other.prefix {
            self.key < other.key
        } else {
            self.prefix < other.prefix
        }
    }
}

/// Sort entries by key.
#[inline]
fn sort(entries: &mut [Part<'_>]) {
    entries.sort_unstable_by(|one, other| {
        if one.is_before(other) {
            Ordering::Less
        } else {
            Ordering::Greater
        }
    });
}

/// Say that an object will be read soon.
#[inline]
fn prefetch(object: *mut ffi::PyObject) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a hint, which reads nothing and may be given for any address.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(object.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = object;
}

/// Read the next items of a list or tuple.
///
/// # Safety
/// As for `run`; the functions are those for the kind of the object.
#[inline]
pub unsafe fn items(
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
pub unsafe fn entries<'a, T: Target<'a>>(
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
        sort(entries);
    }
    Ok(())
}
