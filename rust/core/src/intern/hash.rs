//! A hash of the content of a tape, by which an interned value is looked for.

use std::ptr;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::node::mix;
use crate::digest::float_bits;
use crate::tape::Sink;

/// How many keys are remembered; a power of two.
const KEYS: usize = 32;

/// Computes the hash of the value written to it. The order of keys does not matter: the hashes
/// of entries are summed up, which is good enough as long as nobody knows the seed, and as every
/// find is compared.
#[derive(Debug)]
pub(super) struct ContentHasher<'a> {
    seed: u64,
    value: u64,
    key: u64,
    open: Vec<Open>,
    /// Hashes of keys by where they are: most sources have each key once and refer to it often.
    keys: [(&'a [u8], u64); KEYS],
}

#[derive(Debug, Clone, Copy)]
struct Open {
    hash: u64,
    is_dict: bool,
    /// The key of the list or dict itself.
    key: u64,
}

impl ContentHasher<'_> {
    pub(super) fn new(seed: u64) -> Self {
        Self {
            seed,
            value: 0,
            key: 0,
            open: Vec::with_capacity(16),
            keys: [(&[], 0); KEYS],
        }
    }

    pub(super) fn finish(&self) -> u64 {
        self.value
    }

    /// Add a value of which the hash is known.
    pub(super) fn add(&mut self, hash: u64) {
        match self.open.last_mut() {
            None => self.value = hash,
            Some(open) if open.is_dict => {
                open.hash = open.hash.wrapping_add(mix(self.key, hash));
            }
            Some(open) => open.hash = mix(open.hash, hash),
        }
    }

    fn open(&mut self, is_dict: bool) {
        let kind = if is_dict { 7 } else { 6 };
        self.open.push(Open {
            hash: self.seed ^ kind,
            is_dict,
            key: self.key,
        });
    }
}

impl<'a> Sink<'a> for ContentHasher<'a> {
    fn null(&mut self) {
        self.add(mix(self.seed, 1));
    }

    fn boolean(&mut self, value: bool) {
        self.add(mix(self.seed, 2 + u64::from(value)));
    }

    fn int(&mut self, value: i64) {
        self.add(mix(self.seed ^ 4, value.cast_unsigned()));
    }

    fn big(&mut self, value: &[u8]) {
        self.add(xxh3_64_with_seed(value, self.seed ^ 4));
    }

    fn float(&mut self, value: f64) {
        self.add(mix(self.seed ^ 5, float_bits(value)));
    }

    fn text(&mut self, value: &[u8]) {
        self.add(xxh3_64_with_seed(value, self.seed));
    }

    fn key(&mut self, value: &'a [u8]) {
        let place = value.as_ptr().addr() / 16 % KEYS;
        if let Some((known, hash)) = self.keys.get_mut(place) {
            // Empty slices may be anywhere, and are not worth remembering.
            if value.is_empty() || !ptr::eq(*known, value) {
                *known = value;
                *hash = xxh3_64_with_seed(value, self.seed);
            }
            self.key = *hash;
        }
    }

    fn open_list(&mut self) {
        self.open(false);
    }

    fn open_dict(&mut self) {
        self.open(true);
    }

    fn close(&mut self) {
        if let Some(closed) = self.open.pop() {
            self.key = closed.key;
            // A sum is spread before it is summed up again.
            self.add(mix(self.seed, closed.hash));
        }
    }
}
