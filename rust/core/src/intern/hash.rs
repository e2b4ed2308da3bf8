//! Hashes of content: equal values have the same one, whether they are on a tape or in the pool.
//! That of a list or dict is made of those of its parts, so a part that is a node already is not
//! read again.

use std::ptr;

use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::node::mix;
use super::refs::Kind;
use crate::digest::float_bits;
use crate::tape::Sink;

/// The hashes of one pool. They depend on a number that nobody else knows, and only say what to
/// compare with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Hashes {
    pub seed: u64,
    /// The bits that are kept.
    pub mask: u32,
}

impl Hashes {
    pub(super) fn null(self) -> u32 {
        self.cut(mix(self.seed, 1))
    }

    pub(super) fn boolean(self, value: bool) -> u32 {
        self.cut(mix(self.seed, 2 + u64::from(value)))
    }

    pub(super) fn int(self, value: i64) -> u32 {
        self.cut(mix(self.seed ^ 4, value.cast_unsigned()))
    }

    pub(super) fn big(self, bytes: &[u8]) -> u32 {
        self.cut(xxh3_64_with_seed(bytes, self.seed ^ 4))
    }

    pub(super) fn float(self, bits: u64) -> u32 {
        self.cut(mix(self.seed ^ 5, bits))
    }

    pub(super) fn text(self, bytes: &[u8]) -> u32 {
        self.cut(xxh3_64_with_seed(bytes, self.seed))
    }

    /// The hash of a value without a node; that of a node is written in it.
    pub(super) fn immediate(self, kind: Kind) -> u32 {
        match kind {
            Kind::Node(_) | Kind::Null => self.null(),
            Kind::Bool(value) => self.boolean(value),
            Kind::Int(value) => self.int(value),
        }
    }

    pub(super) fn list(self) -> Parts {
        Parts(self.seed ^ 6)
    }

    pub(super) fn dict(self) -> Parts {
        Parts(self.seed ^ 7)
    }

    /// What the hash of a key becomes before its value is mixed in.
    pub(super) fn key(self, hash: u32) -> u64 {
        mix(self.seed ^ 8, u64::from(hash))
    }

    /// The hash of all parts.
    pub(super) fn whole(self, Parts(hash): Parts) -> u32 {
        // A sum is spread before it is summed up again.
        self.cut(mix(self.seed, hash))
    }

    #[expect(clippy::cast_possible_truncation, reason = "32 bits are kept")]
    fn cut(self, hash: u64) -> u32 {
        hash as u32 & self.mask
    }
}

/// The hash of some parts of a list or dict.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parts(u64);

impl Parts {
    /// Add the next item of a list.
    pub(super) fn item(&mut self, hash: u32) {
        self.0 = mix(self.0, u64::from(hash));
    }

    /// Add an entry of a dict. The order does not matter: the hashes of entries are summed up,
    /// which is good enough as long as nobody knows the seed, and as every find is compared.
    pub(super) fn entry(&mut self, key: u64, hash: u32) {
        self.0 = self.0.wrapping_add(mix(key, u64::from(hash)));
    }
}

/// How many keys are remembered; a power of two.
const KEYS: usize = 32;

/// Computes the hash of the value written to it.
#[derive(Debug)]
pub(super) struct ContentHasher<'a> {
    hashes: Hashes,
    value: u32,
    key: u64,
    open: Vec<Open>,
    /// Hashes of keys by where they are: most sources have each key once and refer to it often.
    keys: [(&'a [u8], u64); KEYS],
}

#[derive(Debug, Clone, Copy)]
struct Open {
    parts: Parts,
    is_dict: bool,
    /// The key of the list or dict itself.
    key: u64,
}

impl ContentHasher<'_> {
    pub(super) fn new(hashes: Hashes) -> Self {
        Self {
            hashes,
            value: 0,
            key: 0,
            open: Vec::with_capacity(16),
            keys: [(&[], 0); KEYS],
        }
    }

    pub(super) fn finish(&self) -> u32 {
        self.value
    }

    /// Add a value of which the hash is known.
    pub(super) fn add(&mut self, hash: u32) {
        match self.open.last_mut() {
            None => self.value = hash,
            Some(open) if open.is_dict => open.parts.entry(self.key, hash),
            Some(open) => open.parts.item(hash),
        }
    }

    fn open(&mut self, is_dict: bool, parts: Parts) {
        self.open.push(Open {
            parts,
            is_dict,
            key: self.key,
        });
    }
}

impl<'a> Sink<'a> for ContentHasher<'a> {
    fn null(&mut self) {
        self.add(self.hashes.null());
    }

    fn boolean(&mut self, value: bool) {
        self.add(self.hashes.boolean(value));
    }

    fn int(&mut self, value: i64) {
        self.add(self.hashes.int(value));
    }

    fn big(&mut self, value: &[u8]) {
        self.add(self.hashes.big(value));
    }

    fn float(&mut self, value: f64) {
        self.add(self.hashes.float(float_bits(value)));
    }

    fn text(&mut self, value: &[u8]) {
        self.add(self.hashes.text(value));
    }

    fn key(&mut self, value: &'a [u8]) {
        let place = value.as_ptr().addr() / 16 % KEYS;
        if let Some((known, hash)) = self.keys.get_mut(place) {
            // Empty slices may be anywhere, and are not worth remembering.
            if value.is_empty() || !ptr::eq(*known, value) {
                *known = value;
                *hash = self.hashes.key(self.hashes.text(value));
            }
            self.key = *hash;
        }
    }

    fn open_list(&mut self) {
        self.open(false, self.hashes.list());
    }

    fn open_dict(&mut self) {
        self.open(true, self.hashes.dict());
    }

    fn close(&mut self) {
        if let Some(closed) = self.open.pop() {
            self.key = closed.key;
            self.add(self.hashes.whole(closed.parts));
        }
    }
}
