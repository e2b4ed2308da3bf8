//! Items and entries that were read and are written next.

use std::cmp::Ordering;

use pyo3::ffi;

/// How many parts are read at once, unless they have to be sorted. While some are written, what
/// the others are is on its way from memory.
pub const BATCH: ffi::Py_ssize_t = 32;

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
    pub fn item(value: *mut ffi::PyObject) -> Self {
        Self::entry(&[], value, false)
    }

    #[inline]
    pub fn entry(key: &'a [u8], value: *mut ffi::PyObject, is_sorted: bool) -> Self {
        prefetch(value);
        let prefix = if is_sorted { prefix(key) } else { 0 };
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
pub fn sort(entries: &mut [Part<'_>]) {
    entries.sort_unstable_by(|one, other| {
        if one.is_before(other) {
            Ordering::Less
        } else {
            Ordering::Greater
        }
    });
}

#[inline]
fn prefix(key: &[u8]) -> u64 {
    if let Some(first) = key.first_chunk() {
        return u64::from_be_bytes(*first);
    }
    // The last and the first bytes, which overlap if they are not all.
    let len = key.len();
    let high = |bytes: u64, width: usize| bytes << (64 - 8 * width);
    match (key.first_chunk::<4>(), key.last_chunk::<4>()) {
        (Some(first), Some(last)) => {
            let last = high(u64::from(u32::from_be_bytes(*last)), 4) >> (8 * (len - 4));
            high(u64::from(u32::from_be_bytes(*first)), 4) | last
        }
        _ => key
            .iter()
            .zip([56_u32, 48, 40])
            .fold(0, |prefix, (byte, shift)| {
                prefix | u64::from(*byte) << shift
            }),
    }
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
