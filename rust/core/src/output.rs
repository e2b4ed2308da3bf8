//! Bytes that are written in small pieces.

use std::cell::Cell;
use std::mem;

use crate::json::Append;

/// Bytes being written. To a `Vec` each of `"`, a name and `"` is added on its own, and each has to
/// wait for the length that the one before left in memory; here a writer fills the room ahead,
/// and then moves on over all of it at once.
#[derive(Debug)]
pub struct Output {
    /// All of it has been written to once, to be what can be lent.
    bytes: Vec<u8>,
    len: usize,
}

/// The room that there is at least, once there is any.
const FIRST: usize = 1 << 10;

/// Room up to this is kept for the next output of the thread.
const KEPT: usize = 64 << 10;

/// Strings of so many bytes are copied in a register.
const SHORT: usize = 16;

thread_local! {
    static SPARE: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

impl Default for Output {
    fn default() -> Self {
        // None is there while the thread ends.
        let bytes = SPARE.try_with(Cell::take).unwrap_or_default();
        Self { bytes, len: 0 }
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        let bytes = mem::take(&mut self.bytes);
        if bytes.len() <= KEPT {
            // Where a thread ends it goes.
            let _ = SPARE.try_with(|spare| spare.set(bytes));
        }
    }
}

impl Output {
    /// What was written.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    /// How many bytes were written.
    #[must_use]
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether nothing was written.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Forget what was written, and keep the room.
    pub fn clear(&mut self) {
        self.len = 0;
    }

    /// The room ahead: so many bytes at least.
    #[inline]
    pub fn room(&mut self, size: usize) -> &mut [u8] {
        if self.bytes.len() - self.len < size {
            self.grow(size);
        }
        self.bytes.get_mut(self.len..).unwrap_or_default()
    }

    /// Say that so many bytes of the room were filled.
    #[inline]
    pub fn advance(&mut self, size: usize) {
        self.len = self.bytes.len().min(self.len + size);
    }

    /// Append a byte.
    #[inline]
    pub fn push(&mut self, byte: u8) {
        if let Some(first) = self.room(1).first_mut() {
            *first = byte;
        }
        self.advance(1);
    }

    /// Append two runs of bytes; the first one is short.
    #[inline]
    pub fn append_behind<const HEAD: usize>(&mut self, head: [u8; HEAD], bytes: &[u8]) {
        let len = bytes.len();
        let room = self.room(HEAD + len.max(SHORT));
        if let Some((first, rest)) = room.split_first_chunk_mut() {
            *first = head;
            if len > SHORT {
                if let Some(rest) = rest.get_mut(..len) {
                    rest.copy_from_slice(bytes);
                }
            } else if let Some(rest) = rest.first_chunk_mut() {
                *rest = word(bytes).to_le_bytes();
            }
        }
        self.advance(HEAD + len);
    }

    #[cold]
    fn grow(&mut self, size: usize) {
        let enough = self.len + size;
        let len = enough.max(2 * self.bytes.len()).max(FIRST);
        self.bytes.resize(len, 0);
    }
}

impl Append for Output {
    #[inline]
    fn append(&mut self, bytes: &[u8]) {
        self.append_behind([], bytes);
    }
}

/// At most 16 bytes as a number, the first one lowest.
#[inline]
fn word(bytes: &[u8]) -> u128 {
    let len = bytes.len();
    // The first and the last of them, which overlap if there are fewer.
    if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        let last = u128::from(u64::from_le_bytes(*last)) << (8 * (len - 8));
        return u128::from(u64::from_le_bytes(*first)) | last;
    }
    if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        let last = u64::from(u32::from_le_bytes(*last)) << (8 * (len - 4));
        return u128::from(u64::from(u32::from_le_bytes(*first)) | last);
    }
    let shifts = bytes.iter().zip([0, 8, 16]);
    shifts.fold(0, |word, (byte, shift)| word | u128::from(*byte) << shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_any_length_follow_each_other() {
        let text: Vec<u8> = (0..=255).cycle().take(5000).collect();
        let mut output = Output::default();
        let mut expected = Vec::new();
        for len in (0..70).chain([1000, 4000]) {
            output.append_behind([b'<', b'='], &text[..len]);
            output.push(b'>');
            output.append(&text[1..=len]);
            expected.extend_from_slice(b"<=");
            expected.extend_from_slice(&text[..len]);
            expected.push(b'>');
            expected.extend_from_slice(&text[1..=len]);
        }
        assert_eq!(output.as_bytes(), expected);
        assert_eq!(output.len(), expected.len());
        output.clear();
        output.append(b"again");
        assert_eq!(output.as_bytes(), b"again");
    }

    #[test]
    fn room_is_used_again_but_not_what_was_in_it() {
        let mut first = Output::default();
        first.append(&[b'x'; 3000]);
        drop(first);
        let mut second = Output::default();
        assert!(second.is_empty());
        second.push(b'y');
        assert_eq!(second.as_bytes(), b"y");
    }
}
