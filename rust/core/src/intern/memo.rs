//! JSON texts that were interned lately.

use std::collections::VecDeque;

use hashbrown::HashTable;
use xxhash_rust::xxh3::xxh3_64_with_seed;

use super::roots::Key;

/// The texts themselves are kept: a hash says where to look, a comparison whether it is so.
#[derive(Debug)]
pub(super) struct Memo {
    /// The eldest first.
    texts: VecDeque<Text>,
    /// How many were dropped, which is the number of the first one.
    dropped: u64,
    /// Numbers of texts.
    index: HashTable<u64>,
    seed: u64,
    mask: u64,
    bytes: usize,
    max_bytes: usize,
}

#[derive(Debug)]
struct Text {
    bytes: Box<[u8]>,
    hash: u64,
    key: Key,
}

impl Text {
    /// With its share of the table.
    fn size(&self) -> usize {
        self.bytes.len() + size_of::<Self>() + 16
    }
}

impl Memo {
    pub(super) fn new(seed: u64, mask: u64, max_bytes: usize) -> Self {
        Self {
            texts: VecDeque::new(),
            dropped: 0,
            index: HashTable::new(),
            seed,
            mask,
            bytes: 0,
            max_bytes,
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// The key of a text. It may have been released meanwhile.
    pub(super) fn get(&self, text: &[u8]) -> Option<Key> {
        let place = self.find(text, self.hash(text))?;
        self.texts.get(place).map(|known| known.key)
    }

    /// Remember a text, in the place of the eldest ones.
    pub(super) fn insert(&mut self, text: &[u8], key: Key) {
        let hash = self.hash(text);
        let place = self.find(text, hash);
        if let Some(known) = place.and_then(|place| self.texts.get_mut(place)) {
            known.key = key;
            return;
        }
        let added = Text {
            bytes: text.into(),
            hash,
            key,
        };
        if added.size() > self.max_bytes {
            return;
        }
        self.bytes += added.size();
        while self.bytes > self.max_bytes {
            self.drop_eldest();
        }
        let number = self.dropped + self.texts.len() as u64;
        self.texts.push_back(added);
        let (texts, dropped) = (&self.texts, self.dropped);
        self.index.insert_unique(hash, number, |&other| {
            let text = place_of(other, dropped).and_then(|place| texts.get(place));
            text.map_or(0, |text| text.hash)
        });
    }

    pub(super) fn clear(&mut self) {
        *self = Self::new(self.seed, self.mask, self.max_bytes);
    }

    fn hash(&self, text: &[u8]) -> u64 {
        xxh3_64_with_seed(text, self.seed) & self.mask
    }

    /// The place of a text among those remembered.
    fn find(&self, text: &[u8], hash: u64) -> Option<usize> {
        let text_of = |number| self.texts.get(place_of(number, self.dropped)?);
        let is_it = |&number: &u64| {
            text_of(number).is_some_and(|known| known.hash == hash && *known.bytes == *text)
        };
        place_of(*self.index.find(hash, is_it)?, self.dropped)
    }

    fn drop_eldest(&mut self) {
        let Some(eldest) = self.texts.pop_front() else {
            return;
        };
        let number = self.dropped;
        if let Ok(entry) = self.index.find_entry(eldest.hash, |&other| other == number) {
            entry.remove();
        }
        self.dropped += 1;
        self.bytes -= eldest.size();
    }
}

fn place_of(number: u64, dropped: u64) -> Option<usize> {
    usize::try_from(number.checked_sub(dropped)?).ok()
}
