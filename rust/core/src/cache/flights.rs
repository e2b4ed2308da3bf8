//! What has changed while values were being computed.
//!
//! A flight begins before the first read that a value depends on. As long as one is under way,
//! the changes of keys and tags are noted, by hash: two names of one hash are taken for one, so
//! a value may be refused that was still good, never the other way round.

use std::collections::{BTreeMap, VecDeque};

use hashbrown::HashMap;

/// Changes noted at most. Flights from before older ones are taken as outlived.
const MAX_NOTED: usize = 1 << 16;

#[derive(Debug, Default)]
pub(super) struct Flights {
    /// Raised by every change.
    epoch: u64,
    /// By epoch of their beginning: how many are under way.
    open: BTreeMap<u64, u32>,
    /// By hash of a name, the epoch of its last change.
    changed: HashMap<u64, u64>,
    order: VecDeque<(u64, u64)>,
    /// Everything may have changed up to this epoch.
    floor: u64,
}

impl Flights {
    pub fn epoch(&self) -> u64 {
        self.epoch
    }

    pub fn begin(&mut self) -> u64 {
        *self.open.entry(self.epoch).or_default() += 1;
        self.epoch
    }

    pub fn end(&mut self, began: u64) {
        if let Some(count) = self.open.get_mut(&began) {
            *count -= 1;
            if *count == 0 {
                self.open.remove(&began);
            }
        }
        let Some((&oldest, _)) = self.open.first_key_value() else {
            self.changed = HashMap::new();
            self.order = VecDeque::new();
            return;
        };
        while self
            .order
            .front()
            .is_some_and(|&(epoch, _)| epoch <= oldest)
        {
            self.forget_first();
        }
    }

    /// Begin a change.
    pub fn advance(&mut self) {
        self.epoch += 1;
    }

    /// Note that a name belongs to the change.
    pub fn note(&mut self, hash: u64) {
        if self.open.is_empty() {
            return;
        }
        if self.changed.insert(hash, self.epoch) == Some(self.epoch) {
            return;
        }
        self.order.push_back((self.epoch, hash));
        while self.order.len() > MAX_NOTED {
            self.floor = self.forget_first().max(self.floor);
        }
    }

    /// Note that everything belongs to the change.
    pub fn note_everything(&mut self) {
        self.floor = self.epoch;
        self.changed.clear();
        self.order.clear();
    }

    /// Whether one of these names has changed since then.
    pub fn outlived(&self, began: u64, mut hashes: impl Iterator<Item = u64>) -> bool {
        began < self.floor
            || (!self.changed.is_empty()
                && hashes.any(|hash| self.changed.get(&hash).is_some_and(|&at| at > began)))
    }

    pub fn open(&self) -> usize {
        self.open.values().map(|&count| count as usize).sum()
    }

    pub fn noted(&self) -> usize {
        self.order.len()
    }

    /// Forget the oldest note; returns its epoch.
    fn forget_first(&mut self) -> u64 {
        let Some((epoch, hash)) = self.order.pop_front() else {
            return 0;
        };
        if self.changed.get(&hash) == Some(&epoch) {
            self.changed.remove(&hash);
        }
        epoch
    }
}
