//! What is known of the documents met lately, by their content.

use std::hash::BuildHasher;
use std::mem;

use foldhash::quality::RandomState;
use hashbrown::{HashTable, hash_table as table};
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use super::source::{Fault, Stored};
use super::template::Template;

/// How much text is remembered before the older half is forgotten.
const GENERATION: usize = 4 << 20;

/// What an entry takes besides its text, roughly.
const OVERHEAD: usize = 128;

/// A document, and what has been made of it.
pub struct Entry {
    hash: u64,
    stored: Stored,
    /// The text as bytes, once it was wanted.
    raw: Option<Py<PyBytes>>,
    pub is_valid: bool,
    pub shared: Option<Py<PyAny>>,
    pub template: Option<Template>,
    /// Whether it was decoded before; a template pays from the second time on.
    pub is_repeated: bool,
}

impl Entry {
    fn new(hash: u64, stored: Stored) -> Self {
        Self {
            hash,
            stored,
            raw: None,
            is_valid: false,
            shared: None,
            template: None,
            is_repeated: false,
        }
    }

    fn is(&self, py: Python<'_>, hash: u64, text: &[u8]) -> bool {
        self.hash == hash && self.stored.utf8(py).is_ok_and(|known| known == text)
    }

    /// The text itself: one object for all equal documents.
    pub fn stored(&self, py: Python<'_>) -> Stored {
        self.stored.clone_ref(py)
    }

    /// As UTF-8, which of bytes is still to be proved.
    pub fn text<'a>(&'a self, py: Python<'a>) -> Result<&'a [u8], Fault> {
        self.stored.utf8(py)
    }

    /// The text as bytes: one object for all equal documents.
    pub fn raw<'py>(&mut self, py: Python<'py>) -> Result<Bound<'py, PyBytes>, Fault> {
        if let Some(known) = &self.raw {
            return Ok(known.bind(py).clone());
        }
        let raw = self.stored.to_bytes(py)?;
        self.raw = Some(raw.clone().unbind());
        Ok(raw)
    }
}

/// Two generations of documents. One that is met again moves to the younger; when the younger is
/// full, the older is forgotten. So memory is bounded, and what is used often stays.
#[derive(Default)]
pub struct Memo {
    young: HashTable<Entry>,
    old: HashTable<Entry>,
    young_size: usize,
    /// Seeded at random, as the texts may be chosen to collide.
    hasher: RandomState,
}

impl Memo {
    /// The entry of this text, new if need be.
    pub fn entry(&mut self, py: Python<'_>, stored: Stored) -> Result<&mut Entry, Fault> {
        let text = stored.utf8(py)?;
        let size = text.len() + OVERHEAD;
        let hash = self.hasher.hash_one(text);
        if self.young_size > GENERATION {
            self.young_size = 0;
            drop(mem::replace(&mut self.old, mem::take(&mut self.young)));
        }
        let is_it = |entry: &Entry| entry.is(py, hash, text);
        match self.young.entry(hash, is_it, |entry| entry.hash) {
            table::Entry::Occupied(known) => Ok(known.into_mut()),
            table::Entry::Vacant(free) => {
                let entry = match self.old.find_entry(hash, is_it) {
                    Ok(known) => known.remove().0,
                    Err(_) => Entry::new(hash, stored),
                };
                self.young_size += size;
                Ok(free.insert(entry).into_mut())
            }
        }
    }

    pub fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        for entry in self.young.iter().chain(&self.old) {
            visit.call(&entry.shared)?;
        }
        Ok(())
    }
}
