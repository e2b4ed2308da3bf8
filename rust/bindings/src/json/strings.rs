//! Short strings that were made before, to be had again without allocating.

use std::hash::{BuildHasher, Hasher};
use std::mem;
use std::sync::{Mutex, PoisonError};

use foldhash::fast::RandomState;
use pyo3::prelude::*;
use pyo3::types::PyString;

/// In bytes. Longer strings are rarely the same.
const MAX_LEN: usize = 39;

/// With their strings the slots take up to some 300 KB.
const SLOTS: usize = 2048;

/// Strings by hash. A slot holds the last string that fell on it.
///
/// The names in JSON documents repeat, and so do short values. A string from here also
/// remembers its own hash, so that inserting it into a dict does not compute that again.
pub struct Strings {
    slots: Vec<Option<Slot>>,
    /// Seeded at random: nobody can make documents whose names all fall on one slot.
    hasher: RandomState,
}

struct Slot {
    /// The content once more, so that a look takes one line of the processor's cache.
    content: [u8; MAX_LEN],
    len: u8,
    string: Py<PyString>,
}

/// The slots that nobody uses now, with their hasher. Only locked to swap a pointer.
static POOL: Mutex<Option<(Vec<Option<Slot>>, RandomState)>> = Mutex::new(None);

impl Strings {
    /// The strings of whoever had them last, else none.
    pub fn take() -> Self {
        let pooled = POOL.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (slots, hasher) = pooled.unwrap_or_else(|| {
            let slots = std::iter::repeat_with(|| None).take(SLOTS).collect();
            (slots, RandomState::default())
        });
        Self { slots, hasher }
    }

    /// A Python str with this content.
    pub fn get<'py>(&mut self, py: Python<'py>, text: &str) -> Bound<'py, PyString> {
        let bytes = text.as_bytes();
        // The interpreter has the strings of at most one ASCII character at hand.
        if bytes.len() < 2 || bytes.len() > MAX_LEN {
            return PyString::new(py, text);
        }
        let mut hasher = self.hasher.build_hasher();
        hasher.write(bytes);
        let index = usize::try_from(hasher.finish() % SLOTS as u64).unwrap_or_default();
        let mut content = [0; MAX_LEN];
        let (Some(slot), Some(place), Ok(len)) = (
            self.slots.get_mut(index),
            content.get_mut(..bytes.len()),
            u8::try_from(bytes.len()),
        ) else {
            return PyString::new(py, text);
        };
        if let Some(known) = slot
            && known.len == len
            && known.content.starts_with(bytes)
        {
            return known.string.bind(py).clone();
        }
        place.copy_from_slice(bytes);
        let string = PyString::new(py, text);
        *slot = Some(Slot {
            content,
            len,
            string: string.clone().unbind(),
        });
        string
    }
}

impl Drop for Strings {
    fn drop(&mut self) {
        let ours = (mem::take(&mut self.slots), self.hasher.clone());
        let theirs = POOL
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .replace(ours);
        // Strings run no code when they go, but nothing goes while the lock is held.
        drop(theirs);
    }
}
