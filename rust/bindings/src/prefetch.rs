//! Memory that will be wanted soon.

use pyo3::prelude::*;
use pyo3::types::{PyList, PyTuple};

/// How many rows ahead the values of a row are asked for, and how many the row itself.
const VALUES_AHEAD: usize = 4;
const ROW_AHEAD: usize = 8;

const LINE: usize = 64;

/// Ask for the rows that come after this one in a list, and for their values.
///
/// Whoever puts a value in a dict counts a reference, in the head of the value. Rows that were
/// all fetched before lie anywhere in memory, and waiting for these heads one by one takes
/// longer than all the rest of grouping.
pub fn prefetch_rows(rows: &Bound<'_, PyList>, at: usize) {
    if let Some(row) = tuple_at(rows, at + ROW_AHEAD) {
        // How long it is, is not read now: that would wait for it.
        for line in 0..4 {
            prefetch(row.as_ptr().cast::<u8>().wrapping_add(line * LINE));
        }
    }
    if let Some(row) = tuple_at(rows, at + VALUES_AHEAD) {
        for value in row.iter_borrowed() {
            prefetch(value.as_ptr().cast());
        }
    }
}

fn tuple_at<'py>(rows: &Bound<'py, PyList>, at: usize) -> Option<Bound<'py, PyTuple>> {
    if at >= rows.len() {
        return None; // to ask would make an exception
    }
    rows.get_item(at).ok()?.cast_into_exact().ok()
}

#[cfg(target_arch = "x86_64")]
fn prefetch(address: *const u8) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};

    // SAFETY: A prefetch is a hint. It changes nothing but caches and faults at no address.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) };
}

#[cfg(not(target_arch = "x86_64"))]
fn prefetch(_: *const u8) {}
