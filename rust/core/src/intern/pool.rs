//! The pool: keys for values.

use std::error::Error;
use std::fmt;

use bumpalo::Bump;

use super::cons::Graph;
use super::json::NoJson;
use super::limits::{Full, Limits};
use super::memo::Memo;
use super::read::{Order, Value};
use super::refs::Ref;
use super::roots::{Key, Roots};
use crate::json::JsonError;
use crate::output::Output;
use crate::tape::{Sink, Tape, from_json};

/// What a pool is made with.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// A random number that nobody else knows: hashes and keys depend on it.
    pub seed: u64,
    /// How many bits of each hash are kept. Few make everything slow and nothing wrong: only
    /// tests want less than all.
    pub hash_bits: u32,
    /// How large it may grow.
    pub limits: Limits,
    /// Bytes of JSON texts that are remembered; counted in [`Stats::bytes`], not
    /// in [`Limits::bytes`].
    pub memo_bytes: usize,
}

/// What a pool holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    /// Distinct values that have a key.
    pub values: usize,
    /// How often they were interned and not yet released.
    pub references: u64,
    /// Distinct strings, numbers, lists and dicts in them.
    pub nodes: usize,
    /// Bytes that all this takes.
    pub bytes: usize,
    /// Bytes that a plain Python copy for each reference would take, without the keys of dicts.
    pub plain_bytes: u64,
    /// How often a value was interned that was there already.
    pub hits: u64,
    /// How often one was interned that was not.
    pub misses: u64,
}

/// The key of no value, or of one that was released as often as it was interned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UnknownKey;

impl fmt::Display for UnknownKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the key is unknown or was released")
    }
}

impl Error for UnknownKey {}

/// Distinct values, counted by reference.
#[derive(Debug)]
pub struct Pool {
    graph: Graph,
    roots: Roots,
    limits: Limits,
    memo: Memo,
    references: u64,
    plain_bytes: u64,
    hits: u64,
    misses: u64,
}

impl Pool {
    /// An empty pool.
    #[must_use]
    pub fn new(settings: Settings) -> Self {
        let Settings {
            seed,
            hash_bits,
            limits,
            memo_bytes,
        } = settings;
        // Generations begin below 2^28, so that a key of two pools is the same one by chance in
        // as many cases only, and fits into two digits of a Python int.
        let generation = (seed >> 36) as u32;
        let memo_mask = match hash_bits {
            0..32 => (1 << hash_bits) - 1,
            _ => u64::MAX,
        };
        Self {
            graph: Graph::new(seed, hash_bits, limits),
            roots: Roots::new(generation),
            limits,
            memo: Memo::new(seed, memo_mask, memo_bytes),
            references: 0,
            plain_bytes: 0,
            hits: 0,
            misses: 0,
        }
    }

    /// The key of a value, counted once more. Takes O(tokens) time, whatever the nodes among
    /// them hold.
    ///
    /// # Errors
    /// [`Full`]: the value would exceed a limit, and nothing has changed.
    pub fn intern(&mut self, tape: &Tape<'_>) -> Result<Key, Full> {
        if let Some(value) = self.graph.find(tape) {
            return self.intern_known(value);
        }
        self.make_room()?;
        let value = self.graph.intern(tape)?;
        Ok(self.add(value))
    }

    /// The key of the value that a JSON text says, counted once more. A text that is remembered
    /// is not parsed again: it is compared.
    ///
    /// # Errors
    /// Nothing has changed.
    pub fn intern_json(&mut self, text: &[u8]) -> Result<Key, JsonRefused> {
        let known = self.memo.get(text).filter(|key| self.get(*key).is_some());
        if let Some(key) = known {
            self.count(key);
            return Ok(key);
        }
        let store = Bump::new();
        let tape = from_json(text, &store)?;
        if tape.depth() > self.limits.depth {
            return Err(JsonRefused::TooDeep(self.limits.depth));
        }
        let key = self.intern(&tape)?;
        self.memo.insert(text, key);
        Ok(key)
    }

    /// The key of a value of this pool, counted once more. Takes O(1) time.
    fn intern_known(&mut self, value: Ref) -> Result<Key, Full> {
        if let Some(key) = self.roots.key_of(value) {
            self.count(key);
            return Ok(key);
        }
        self.make_room()?;
        self.graph.arena.retain(value);
        Ok(self.add(value))
    }

    /// The key of a value that takes the place of another one's: as [`Pool::intern`] and then
    /// [`Pool::release`], but equal values are found so without hashing.
    ///
    /// # Errors
    /// As those two; nothing has changed then.
    pub fn reintern(&mut self, old: Key, tape: &Tape<'_>) -> Result<Key, ReinternError> {
        let root = self.roots.get(old).ok_or(ReinternError::Unknown)?;
        if self.graph.is_same(tape, root.value) {
            self.hits += 1;
            return Ok(old);
        }
        let key = self.intern(tape).map_err(ReinternError::Full)?;
        self.release(old)
            .map_err(|UnknownKey| ReinternError::Unknown)?;
        Ok(key)
    }

    /// Count a key less; take its value away if it was the last time.
    ///
    /// # Errors
    /// [`UnknownKey`]: nothing has changed.
    pub fn release(&mut self, key: Key) -> Result<(), UnknownKey> {
        let root = self.roots.get(key).ok_or(UnknownKey)?;
        // A root counted to the limit stays, however often it is released after that.
        let plain = self.graph.plain(root.value).bytes();
        self.plain_bytes = self.plain_bytes.saturating_sub(plain);
        self.references = self.references.saturating_sub(1);
        if let Some(value) = self.roots.release(key) {
            self.release_ref(value);
        }
        Ok(())
    }

    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: Key) -> Option<Ref> {
        self.roots.get(key).map(|root| root.value)
    }

    /// Keep a value that is in the pool, until [`Pool::release_ref`].
    pub fn retain_ref(&mut self, value: Ref) {
        self.graph.arena.retain(value);
    }

    /// Give back what [`Pool::retain_ref`] kept.
    pub fn release_ref(&mut self, value: Ref) {
        self.graph.release([value]);
        if self.graph.arena.live() == 0 && self.roots.live() == 0 {
            self.roots.shrink();
            self.memo.clear();
        }
    }

    /// Keep a value that has no key.
    ///
    /// # Errors
    /// [`Full`]: the value would exceed a limit, and nothing has changed.
    pub fn hold(&mut self, tape: &Tape<'_>) -> Result<Ref, Full> {
        self.graph.intern(tape)
    }

    /// Whether a value is that of a tape, whose nodes are of this pool.
    #[must_use]
    pub fn is_same(&self, tape: &Tape<'_>, value: Ref) -> bool {
        self.graph.is_same(tape, value)
    }

    /// What a value is.
    #[must_use]
    pub fn value(&self, value: Ref) -> Value<'_> {
        self.graph.value(value)
    }

    /// The bytes of a string; none for anything else.
    #[must_use]
    pub fn text(&self, value: Ref) -> &[u8] {
        self.graph.text(value).unwrap_or_default()
    }

    /// The value of a key of a dict.
    #[must_use]
    pub fn field(&self, dict: Ref, key: &[u8]) -> Option<Ref> {
        self.graph.field(dict, key)
    }

    /// Whether a value is kept more than once.
    #[must_use]
    pub fn is_shared(&self, value: Ref) -> bool {
        value
            .number()
            .is_some_and(|number| self.graph.arena.refs(number) > 1)
    }

    /// Write a value to a sink.
    pub fn walk<'a, S: Sink<'a>>(&'a self, value: Ref, order: Order, sink: &mut S) {
        self.graph.walk(value, order, sink);
    }

    /// Append a value as JSON.
    ///
    /// # Errors
    /// [`NoJson`]: what was appended is of no use.
    pub fn write_json(&self, value: Ref, out: &mut Output) -> Result<(), NoJson> {
        self.graph.write_json(value, out)
    }

    /// What the pool holds.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats {
            values: self.roots.live(),
            references: self.references,
            nodes: self.graph.arena.live(),
            bytes: self.graph.bytes() + self.roots.bytes() + self.memo.bytes(),
            plain_bytes: self.plain_bytes,
            hits: self.hits,
            misses: self.misses,
        }
    }

    /// Check that one more root fits.
    fn make_room(&mut self) -> Result<(), Full> {
        self.graph.beside = self.roots.bytes() + Roots::EACH;
        if self.graph.bytes() + self.graph.beside > self.limits.bytes {
            return Err(Full::Bytes(self.limits.bytes));
        }
        Ok(())
    }

    fn count(&mut self, key: Key) {
        self.roots.retain(key);
        self.references += 1;
        self.hits += 1;
        if let Some(value) = self.get(key) {
            self.plain_bytes += self.graph.plain(value).bytes();
        }
    }

    fn add(&mut self, value: Ref) -> Key {
        self.references += 1;
        self.misses += 1;
        self.plain_bytes += self.graph.plain(value).bytes();
        self.roots.add(value)
    }
}

/// Why a value could not take the place of another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReinternError {
    /// The old key is unknown.
    Unknown,
    /// The pool is full.
    Full(Full),
}

/// Why a JSON text was not interned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JsonRefused {
    /// It is no JSON.
    Json(JsonError),
    /// It has more than so many levels.
    TooDeep(usize),
    /// The pool is full.
    Full(Full),
}

impl From<JsonError> for JsonRefused {
    fn from(error: JsonError) -> Self {
        Self::Json(error)
    }
}

impl From<Full> for JsonRefused {
    fn from(full: Full) -> Self {
        Self::Full(full)
    }
}
