//! The keys that were evicted lately, as hashes: who comes back soon was evicted too soon.

use std::collections::VecDeque;

use hashbrown::HashTable;
use hashbrown::hash_table::{Entry, OccupiedEntry};

use super::spread;

/// A bounded queue of hashes. Two keys of one hash are taken for one, which costs a little
/// precision and nothing else.
#[derive(Debug, Default)]
pub(super) struct Ghost {
    /// The hashes that are here.
    added: HashTable<Addition>,
    /// In order of addition, including some that have left since.
    order: VecDeque<Addition>,
    clock: u32,
}

/// A hash, and when it was last added.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Addition {
    hash: u32,
    when: u32,
}

impl Ghost {
    pub fn add(&mut self, hash: u32, limit: usize) {
        self.clock = self.clock.wrapping_add(1);
        let addition = Addition {
            hash,
            when: self.clock,
        };
        let is_it = |other: &Addition| other.hash == hash;
        match self
            .added
            .entry(spread(hash), is_it, |other| spread(other.hash))
        {
            Entry::Occupied(mut found) => *found.get_mut() = addition,
            Entry::Vacant(place) => drop(place.insert(addition)),
        }
        self.order.push_back(addition);
        while self.added.len() > limit {
            self.forget_oldest();
        }
        // Those that left are skipped above, unless there is always room.
        if self.order.len() > 2 * limit + 64 {
            let added = &self.added;
            self.order.retain(|addition| {
                let is_it = |other: &Addition| other == addition;
                added.find(spread(addition.hash), is_it).is_some()
            });
        }
    }

    /// Take out `hash`; whether it was there.
    pub fn remove(&mut self, hash: u32) -> bool {
        !self.added.is_empty() && self.take(hash, |other| other.hash == hash)
    }

    pub fn len(&self) -> usize {
        self.added.len()
    }

    /// Positions held for hashes that are here or have left.
    pub fn order_len(&self) -> usize {
        self.order.len()
    }

    fn forget_oldest(&mut self) {
        if let Some(oldest) = self.order.pop_front() {
            self.take(oldest.hash, |other| *other == oldest);
        }
    }

    fn take(&mut self, hash: u32, is_it: impl FnMut(&Addition) -> bool) -> bool {
        let found = self.added.find_entry(spread(hash), is_it);
        found.map(OccupiedEntry::remove).is_ok()
    }
}
