//! Python strings as UTF-8.

use pyo3::ffi;

use super::Target;

/// # Safety
/// The object is a str that lives and stays as it is for `'a`.
#[inline]
pub unsafe fn text<'a, T: Target<'a>>(object: *mut ffi::PyObject, target: &mut T) -> &'a [u8] {
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
