//! Digests of content: equal values have equal digests, whatever the order of their keys, on
//! every platform and in every version.
//!
//! A digest is a hash of the canonical form of a value: one run of bytes, in which each value is
//! a letter and what follows it.
//!
//! | letter | value | what follows |
//! |---|---|---|
//! | `n` `t` `f` | None, True, False | nothing |
//! | `i` | an integer of at most 64 bits | 8 bytes, two's complement, little endian |
//! | `I` | any other integer | a length, and so many bytes: the same, as few as possible |
//! | `d` | a float | 8 bytes, IEEE 754, little endian; NaN is `7ff8000000000000` |
//! | `s` | a string | a length, and so many bytes: UTF-8, in which lone surrogates are encoded too |
//! | `l` | a list | its items, and `e` |
//! | `m` | a dict | for each entry, sorted by the bytes of the keys, the key as a string and the value; and `e` |
//!
//! Lengths are LEB128. The digest "mm1" is XXH3-128 of that, which is fast and not made to resist
//! forgery; where content comes from somebody who is not trusted, take SHA-256.

pub use sha2::Sha256;

use sha2::Digest as _;
use xxhash_rust::xxh3::{Xxh3, xxh3_128};

use crate::output::Output;
use crate::tape::Sink;

mod decode;

pub use decode::decode;

/// The bits of the only NaN.
pub const NAN_BITS: u64 = 0x7ff8_0000_0000_0000;

/// The bits of a float, in which all NaN are one.
#[must_use]
pub fn float_bits(value: f64) -> u64 {
    if value.is_nan() {
        NAN_BITS
    } else {
        value.to_bits()
    }
}

/// What takes the canonical form, piece by piece.
pub trait Hasher: Default {
    /// Add bytes.
    fn update(&mut self, bytes: &[u8]);
}

impl Hasher for Sha256 {
    fn update(&mut self, bytes: &[u8]) {
        sha2::Digest::update(self, bytes);
    }
}

/// XXH3-128.
#[derive(Default)]
pub struct Xxh3Hasher(Option<Box<Xxh3>>);

impl Hasher for Xxh3Hasher {
    fn update(&mut self, bytes: &[u8]) {
        self.0.get_or_insert_default().update(bytes);
    }
}

/// Writes the canonical form of the value that is written to it, provided that the entries of
/// dicts come sorted by key; otherwise a form that [`decode`] reads as well.
#[derive(Debug, Default)]
pub struct Writer<H> {
    bytes: Output,
    hasher: H,
}

/// So much is written before it is hashed, and so stays in the nearest cache.
const CHUNK: usize = 8 << 10;

impl<H: Hasher> Writer<H> {
    /// A writer of one value.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    #[inline]
    fn run(&mut self, letter: u8, bytes: &[u8]) {
        let mut len = bytes.len();
        if len < 0x80 {
            return self.bytes.append_behind([letter, low_bits(len)], bytes);
        }
        self.bytes.push(letter);
        while len >= 0x80 {
            self.bytes.push(low_bits(len) | 0x80);
            len >>= 7;
        }
        self.bytes.append_behind([low_bits(len)], bytes);
    }

    fn word(&mut self, letter: u8, word: [u8; 8]) {
        self.bytes.append_behind([letter], &word);
    }
}

#[expect(clippy::cast_possible_truncation, reason = "seven bits")]
fn low_bits(len: usize) -> u8 {
    len as u8 & 0x7f
}

impl Writer<Xxh3Hasher> {
    /// XXH3-128 of what was written.
    #[must_use]
    pub fn finish(mut self) -> u128 {
        match self.hasher.0.take() {
            None => xxh3_128(self.bytes.as_bytes()),
            Some(mut state) => {
                state.update(self.bytes.as_bytes());
                state.digest128()
            }
        }
    }
}

impl Writer<Sha256> {
    /// SHA-256 of what was written.
    #[must_use]
    pub fn finish(self) -> [u8; 32] {
        self.hasher
            .chain_update(self.bytes.as_bytes())
            .finalize()
            .into()
    }
}

/// Keeps what is written.
#[derive(Debug, Default)]
pub struct Kept(Vec<u8>);

impl Hasher for Kept {
    fn update(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }
}

impl Writer<Kept> {
    /// What was written.
    #[must_use]
    pub fn finish(mut self) -> Vec<u8> {
        self.hasher.update(self.bytes.as_bytes());
        self.hasher.0
    }
}

impl<H: Hasher> Sink<'_> for Writer<H> {
    fn null(&mut self) {
        self.bytes.push(b'n');
    }

    fn boolean(&mut self, value: bool) {
        self.bytes.push(if value { b't' } else { b'f' });
    }

    fn int(&mut self, value: i64) {
        self.word(b'i', value.to_le_bytes());
    }

    fn big(&mut self, value: &[u8]) {
        self.run(b'I', value);
    }

    fn float(&mut self, value: f64) {
        self.word(b'd', float_bits(value).to_le_bytes());
    }

    fn text(&mut self, value: &[u8]) {
        self.run(b's', value);
    }

    fn key(&mut self, value: &[u8]) {
        self.run(b's', value);
    }

    fn open_list(&mut self) {
        self.bytes.push(b'l');
    }

    fn open_dict(&mut self) {
        self.bytes.push(b'm');
    }

    fn close(&mut self) {
        self.bytes.push(b'e');
        if self.bytes.len() >= CHUNK {
            self.hasher.update(self.bytes.as_bytes());
            self.bytes.clear();
        }
    }
}
