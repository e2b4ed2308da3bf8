//! The ways entries come and change.

use super::list::NIL;
use super::{Lifetime, Name, Removed, STEPS_PER_WRITE, TagCache, fold, spread};

/// What to store.
#[derive(Debug, Clone, Copy)]
pub struct Offer<V> {
    /// The value.
    pub value: V,
    /// How long to keep it.
    pub lifetime: Lifetime,
    /// What it counts towards [`Limits::weight`].
    pub weight: u64,
    /// The flight in which it was computed, as [`TagCache::begin_flight`] returned it.
    pub since: Option<u64>,
}

impl<K, V> TagCache<K, V> {
    /// Store a value, in place of the one the key has. Returns whether it was stored: not if it
    /// was outlived by a change of the key or a tag since its flight began, and not if it alone
    /// is too heavy; then the key has no value.
    ///
    /// Takes time in proportion to the number of tags, old and new, and constant time per
    /// entry that has to leave.
    pub fn set<N: Name<K>>(
        &mut self,
        name: &N,
        tags: &[N],
        offer: Offer<V>,
        now: u64,
        removed: &mut Removed<V>,
    ) -> bool {
        match offer.since {
            Some(began) => {
                if self.has_outlived(began, Some(name), tags) {
                    self.counters.outlived += 1;
                    removed.push(offer.value);
                    return false;
                }
            }
            None => self.note_key(name),
        }
        self.now = self.now.max(now);
        self.expire(STEPS_PER_WRITE, removed);
        self.reclaim(STEPS_PER_WRITE, removed);
        let known = self.find_alive(name, removed);
        // Nobody asks for weights that are not limited.
        let weight = self.limits.weight.map_or(0, |_| offer.weight);
        let is_too_heavy = self.limits.weight.is_some_and(|limit| weight > limit);
        if is_too_heavy || self.limits.entries == 0 {
            removed.push(offer.value);
            removed.extend(known.and_then(|slot| self.remove_slot(slot)));
            return false;
        }
        let slot = match known {
            Some(slot) => self.overwrite(slot, offer.value, weight, removed),
            None => self.insert(name, offer.value, weight, removed),
        };
        let mut edges = NIL;
        for tag in tags {
            edges = self.tags.link(tag, slot, edges);
        }
        self.slab[slot].edges = edges;
        self.schedule(slot, offer.lifetime);
        self.counters.stored += 1;
        true
    }

    /// Give an entry a new lifetime; whether there is one. Not a use of it.
    pub fn touch(
        &mut self,
        name: &impl Name<K>,
        lifetime: Lifetime,
        now: u64,
        removed: &mut Removed<V>,
    ) -> bool {
        self.now = self.now.max(now);
        let Some(slot) = self.find_alive(name, removed) else {
            return false;
        };
        self.schedule(slot, lifetime);
        true
    }

    fn insert(
        &mut self,
        name: &impl Name<K>,
        value: V,
        weight: u64,
        removed: &mut Removed<V>,
    ) -> u32 {
        let hash = fold(name.hash());
        let was_ghost = self.queues.revive(hash);
        self.make_room(1, weight, removed);
        let slot = self.slab.insert(name.keep(), value, hash);
        let slab = &self.slab;
        self.table
            .insert_unique(spread(hash), slot, |&slot| spread(slab[slot].hash));
        self.weigh(slot, weight);
        self.queues.push(&mut self.slab, slot, weight, was_ghost);
        slot
    }

    /// Give an entry another value, no tags, and note of its use.
    fn overwrite(&mut self, slot: u32, value: V, weight: u64, removed: &mut Removed<V>) -> u32 {
        let entry = &mut self.slab[slot];
        entry.hit();
        let in_main = entry.in_main();
        self.tags
            .unlink_all(std::mem::replace(&mut entry.edges, NIL));
        if let Some((_, old)) = &mut entry.kept {
            removed.push(std::mem::replace(old, value));
        }
        let old = self.weight_of(slot);
        if self.limits.weight.is_some() && weight != old {
            // Out of its queue, it is not the one that has to leave for its own new weight.
            self.queues.remove(&mut self.slab, slot, old);
            self.make_room(0, weight, removed);
            self.weigh(slot, weight);
            self.queues.push(&mut self.slab, slot, weight, in_main);
        }
        slot
    }

    pub(super) fn weight_of(&self, slot: u32) -> u64 {
        self.weights.get(slot as usize).copied().unwrap_or(0)
    }

    fn weigh(&mut self, slot: u32, weight: u64) {
        if self.limits.weight.is_some() {
            let slot = slot as usize;
            if slot >= self.weights.len() {
                self.weights.resize(slot + 1, 0);
            }
            self.weights[slot] = weight;
        }
    }
}
