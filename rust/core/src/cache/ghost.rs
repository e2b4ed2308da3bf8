//! The keys that were evicted lately, as hashes: who comes back soon was evicted too soon.

use std::collections::VecDeque;

use hashbrown::HashMap;

/// A bounded queue of hashes. Two keys of one hash are taken for one, which costs a little
/// precision and nothing else.
#[derive(Debug, Default)]
pub(super) struct Ghost {
    /// When each hash was last added.
    added: HashMap<u32, u32>,
    /// In order of addition, including some that have left since.
    order: VecDeque<(u32, u32)>,
    clock: u32,
}

impl Ghost {
    pub fn add(&mut self, hash: u32, limit: usize) {
        self.clock = self.clock.wrapping_add(1);
        self.added.insert(hash, self.clock);
        self.order.push_back((hash, self.clock));
        while self.added.len() > limit {
            self.forget_oldest();
        }
        // Those that left are skipped above, unless there is always room.
        if self.order.len() > 2 * limit + 64 {
            let added = &self.added;
            self.order
                .retain(|(hash, when)| added.get(hash) == Some(when));
        }
    }

    /// Take out `hash`; whether it was there.
    pub fn remove(&mut self, hash: u32) -> bool {
        !self.added.is_empty() && self.added.remove(&hash).is_some()
    }

    pub fn len(&self) -> usize {
        self.added.len()
    }

    /// Positions held for hashes that are here or have left.
    pub fn order_len(&self) -> usize {
        self.order.len()
    }

    fn forget_oldest(&mut self) {
        if let Some((hash, when)) = self.order.pop_front()
            && self.added.get(&hash) == Some(&when)
        {
            self.added.remove(&hash);
        }
    }
}
