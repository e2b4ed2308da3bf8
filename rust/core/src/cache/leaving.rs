//! The ways entries leave. All of them go through `remove_slot`.

use super::{Name, Removed, TagCache, Turn, spread};

impl<K, V> TagCache<K, V> {
    /// The entry of a key. If its time is up or it was invalidated, it leaves now.
    pub(super) fn find_alive(
        &mut self,
        name: &impl Name<K>,
        removed: &mut Removed<V>,
    ) -> Option<u32> {
        let slot = self.find(name)?;
        let entry = &self.slab[slot];
        if entry.deadline() > self.now && !self.tags.is_dying(entry.edges) {
            return Some(slot);
        }
        self.bury(slot, removed);
        None
    }

    /// Take out entries whose time is up, in so many steps of the wheel; returns the steps made.
    pub(super) fn expire(&mut self, steps: usize, removed: &mut Removed<V>) -> usize {
        for step in 0..steps {
            match self.wheel.turn(&mut self.slab, self.now) {
                Turn::Due(slot) => self.bury(slot, removed),
                Turn::Moved => {}
                Turn::Rest => return step,
            }
        }
        steps
    }

    /// Take out so many of the entries that were invalidated; returns how many were left.
    pub(super) fn reclaim(&mut self, steps: usize, removed: &mut Removed<V>) -> usize {
        if !self.tags.any_dying() {
            return 0;
        }
        for step in 0..steps {
            let Some(slot) = self.tags.next_dying() else {
                return step;
            };
            removed.extend(self.remove_slot(slot));
        }
        steps
    }

    /// Let entries leave until so many new ones of this weight fit in: first those that are gone
    /// anyway.
    pub(super) fn make_room(&mut self, entries: u32, weight: u64, removed: &mut Removed<V>) {
        let limits = self.limits;
        while self.slab.len() + entries > limits.entries
            || limits
                .weight
                .is_some_and(|limit| self.queues.weight().saturating_add(weight) > limit)
        {
            if let Some(slot) = self.tags.next_dying() {
                removed.extend(self.remove_slot(slot));
                continue;
            }
            match self.wheel.turn(&mut self.slab, self.now) {
                Turn::Due(slot) => {
                    self.bury(slot, removed);
                    continue;
                }
                Turn::Moved => continue,
                Turn::Rest => {}
            }
            let weights = &self.weights;
            let weigh = |slot: u32| weights.get(slot as usize).copied().unwrap_or(0);
            let Some(slot) = self.queues.victim(&mut self.slab, weigh) else {
                return;
            };
            self.queues.note_eviction(&self.slab, slot);
            self.counters.evicted += 1;
            removed.extend(self.remove_slot(slot));
        }
    }

    /// Take out an entry that has expired or was invalidated.
    pub(super) fn bury(&mut self, slot: u32, removed: &mut Removed<V>) {
        let was_invalidated = self.tags.is_dying(self.slab[slot].edges);
        self.counters.expired += u64::from(!was_invalidated);
        removed.extend(self.remove_slot(slot));
    }

    /// Take an entry out of everything it is in.
    pub(super) fn remove_slot(&mut self, slot: u32) -> Option<V> {
        let entry = &self.slab[slot];
        let (hash, edges) = (spread(entry.hash), entry.edges);
        self.dying -= u32::from(self.tags.is_dying(edges));
        if let Ok(found) = self.table.find_entry(hash, |&other| other == slot) {
            found.remove();
        }
        self.tags.unlink_all(edges);
        self.unschedule(slot);
        let weight = self.weight_of(slot);
        self.queues.remove(&mut self.slab, slot, weight);
        self.slab.remove(slot).map(|(_, value)| value)
    }
}
