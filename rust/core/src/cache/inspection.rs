//! What can be seen of a cache from outside.

use super::{Name, TagCache};

/// What happened to a cache since its beginning.
#[derive(Debug, Clone, Copy, Default)]
pub struct Counters {
    /// Reads that found an entry.
    pub hits: u64,
    /// Reads that found none.
    pub misses: u64,
    /// Values stored.
    pub stored: u64,
    /// Values not stored because something had changed meanwhile.
    pub outlived: u64,
    /// Entries that left because others needed the room.
    pub evicted: u64,
    /// Entries that left because their time was up.
    pub expired: u64,
    /// Entries that left because of a tag.
    pub invalidated: u64,
}

impl<K, V> TagCache<K, V> {
    /// Raised by every change of a key or a tag.
    #[must_use]
    pub fn epoch(&self) -> u64 {
        self.flights.epoch()
    }

    /// Entries, without those that were invalidated.
    #[must_use]
    pub fn len(&self) -> usize {
        (self.slab.len() - self.dying) as usize
    }

    /// Whether there are no entries.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Sum of the weights of the entries, if they are limited.
    #[must_use]
    pub fn weight(&self) -> u64 {
        self.queues.weight()
    }

    /// Tags that some entry carries.
    #[must_use]
    pub fn tags(&self) -> usize {
        self.tags.len()
    }

    /// Entries that were invalidated and are still to be taken out.
    #[must_use]
    pub fn pending(&self) -> usize {
        self.dying as usize
    }

    /// What happened so far.
    #[must_use]
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// The keys, oldest first in each queue; of two equally little used ones the first leaves
    /// first.
    pub fn keys(&self) -> impl Iterator<Item = &K> {
        let slots = self.queues.slots(&self.slab);
        slots.filter_map(|slot| self.key_alive(slot))
    }

    /// The keys of the entries that carry a tag: those an invalidation would count.
    pub fn keys_by_tag(&self, tag: &impl Name<K>) -> impl Iterator<Item = &K> {
        let slots = self.tags.slots(tag);
        slots.filter_map(|slot| self.key_alive(slot))
    }

    /// The values, in no order, those included that are still to be taken out.
    pub fn values(&self) -> impl Iterator<Item = &V> {
        self.slab.iter().map(|(_, _, value)| value)
    }

    fn key_alive(&self, slot: u32) -> Option<&K> {
        let entry = &self.slab[slot];
        let (key, _) = entry.kept.as_ref()?;
        (!self.tags.is_dying(entry.edges)).then_some(key)
    }
}
