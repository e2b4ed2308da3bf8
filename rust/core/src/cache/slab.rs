//! The entries, by slot. Slots are small, stay valid while their entry lives, and are used again.

use std::ops::{Index, IndexMut};

use super::Name;
use super::list::{Links, NIL, Nodes};

/// What a look at an entry needs: half a cache line, if key and value are pointers. What few
/// entries need is kept elsewhere. Not aligned to that: to grow would then copy, and leave holes
/// in memory, for no time that could be measured.
#[derive(Debug)]
#[repr(C)]
pub(super) struct Entry<K, V> {
    /// Empty while the slot is free.
    pub kept: Option<(K, V)>,
    /// The deadline in microseconds, and in the low bits what the queues and the wheel note.
    timing: u64,
    pub hash: u32,
    /// The first of its tags, see `tags`.
    pub edges: u32,
}

/// The neighbours of an entry.
#[derive(Debug)]
pub(super) struct Places {
    /// In its queue; in a free slot `next` is the next free one.
    pub queue: Links,
    /// In its bucket of the wheel.
    pub timer: Links,
}

/// The longest deadline; whatever would be later never comes. Almost nine years.
pub(super) const NEVER: u64 = (1 << 48) - 1;

/// An entry that is in no bucket of the wheel.
pub(super) const NO_BUCKET: u16 = 511;

const NOTES: u32 = 16;
const HITS: u64 = 0b11;
const IN_MAIN: u64 = 0b100;
const IDLE: u64 = 0b1000;
const BUCKET_SHIFT: u32 = 4;
const BUCKET: u64 = (NO_BUCKET as u64) << BUCKET_SHIFT;

impl<K, V> Entry<K, V> {
    fn new(key: K, value: V, hash: u32) -> Self {
        Self {
            kept: Some((key, value)),
            timing: NEVER << NOTES | BUCKET,
            hash,
            edges: NIL,
        }
    }

    /// Whether the slot is not free, and its entry is the one of this name.
    #[inline]
    pub fn is_of(&self, name: &impl Name<K>) -> bool {
        self.kept.as_ref().is_some_and(|(key, _)| name.is(key))
    }

    pub fn is_timed(&self) -> bool {
        self.deadline() != NEVER
    }

    pub fn deadline(&self) -> u64 {
        self.timing >> NOTES
    }

    pub fn set_deadline(&mut self, at: u64) {
        let notes = self.timing & ((1 << NOTES) - 1);
        self.timing = at.min(NEVER) << NOTES | notes;
    }

    /// Hits since the entry was last considered for eviction, at most 3.
    pub fn hits(&self) -> u64 {
        self.timing & HITS
    }

    pub fn hit(&mut self) {
        // Mostly there is nothing to write, which spares writing back the line.
        if self.timing & HITS != HITS {
            self.timing += 1;
        }
    }

    pub fn forget_hit(&mut self) {
        self.timing -= u64::from(self.timing & HITS != 0);
    }

    pub fn forget_hits(&mut self) {
        self.timing &= !HITS;
    }

    pub fn in_main(&self) -> bool {
        self.timing & IN_MAIN != 0
    }

    pub fn set_in_main(&mut self, yes: bool) {
        self.set_note(IN_MAIN, yes);
    }

    /// Whether hits put its deadline off.
    pub fn is_idle_timed(&self) -> bool {
        self.timing & IDLE != 0
    }

    pub fn set_idle_timed(&mut self, yes: bool) {
        self.set_note(IDLE, yes);
    }

    pub fn bucket(&self) -> u16 {
        u16::try_from((self.timing & BUCKET) >> BUCKET_SHIFT).unwrap_or(NO_BUCKET)
    }

    pub fn set_bucket(&mut self, bucket: u16) {
        self.timing = self.timing & !BUCKET | u64::from(bucket) << BUCKET_SHIFT & BUCKET;
    }

    fn set_note(&mut self, note: u64, yes: bool) {
        self.timing = self.timing & !note | if yes { note } else { 0 };
    }
}

/// Entries by slot. A slot that [`Slab::insert`] returned indexes until [`Slab::remove`].
#[derive(Debug)]
pub(super) struct Slab<K, V> {
    entries: Vec<Entry<K, V>>,
    /// Of the same slots.
    places: Vec<Places>,
    free: u32,
    len: u32,
}

impl<K, V> Slab<K, V> {
    pub const fn new() -> Self {
        Self {
            entries: Vec::new(),
            places: Vec::new(),
            free: NIL,
            len: 0,
        }
    }

    pub fn len(&self) -> u32 {
        self.len
    }

    pub fn places(&self, slot: u32) -> &Places {
        &self.places[slot as usize]
    }

    /// The caller keeps fewer than `u32::MAX` entries.
    pub fn insert(&mut self, key: K, value: V, hash: u32) -> u32 {
        self.len += 1;
        let entry = Entry::new(key, value, hash);
        if self.free == NIL {
            let slot = u32::try_from(self.entries.len()).unwrap_or(NIL);
            self.entries.push(entry);
            self.places.push(Places {
                queue: Links::ALONE,
                timer: Links::ALONE,
            });
            return slot;
        }
        let slot = self.free;
        self.free = self.places(slot).queue.next;
        self[slot] = entry;
        slot
    }

    /// The entry is in no list any more.
    pub fn remove(&mut self, slot: u32) -> Option<(K, V)> {
        self.places[slot as usize].queue.next = self.free;
        self.free = slot;
        self.len -= 1;
        self[slot].kept.take()
    }

    pub fn into_values(self) -> impl Iterator<Item = V> {
        let kept = self.entries.into_iter().filter_map(|entry| entry.kept);
        kept.map(|(_, value)| value)
    }

    /// The entries and their slots, in no order.
    pub fn iter(&self) -> impl Iterator<Item = (u32, &K, &V)> {
        (0u32..).zip(&self.entries).filter_map(|(slot, entry)| {
            let (key, value) = entry.kept.as_ref()?;
            Some((slot, key, value))
        })
    }
}

impl<K, V> Index<u32> for Slab<K, V> {
    type Output = Entry<K, V>;

    fn index(&self, slot: u32) -> &Entry<K, V> {
        &self.entries[slot as usize]
    }
}

impl<K, V> IndexMut<u32> for Slab<K, V> {
    fn index_mut(&mut self, slot: u32) -> &mut Entry<K, V> {
        &mut self.entries[slot as usize]
    }
}

/// The entries as members of the queues.
pub(super) struct Queued<'a, K, V>(pub &'a mut Slab<K, V>);

impl<K, V> Nodes for Queued<'_, K, V> {
    fn links(&mut self, slot: u32) -> &mut Links {
        &mut self.0.places[slot as usize].queue
    }
}

/// The entries as members of the wheel's buckets.
pub(super) struct Timed<'a, K, V>(pub &'a mut Slab<K, V>);

impl<K, V> Nodes for Timed<'_, K, V> {
    fn links(&mut self, slot: u32) -> &mut Links {
        &mut self.0.places[slot as usize].timer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entry_of_two_pointers_is_small() {
        assert_eq!(size_of::<Entry<Box<()>, Box<()>>>(), 32);
        assert_eq!(size_of::<Places>(), 16);
    }

    #[test]
    fn notes_do_not_touch_each_other() {
        let mut entry = Entry::new((), (), 7);
        assert!(!entry.is_timed() && entry.bucket() == NO_BUCKET);
        entry.set_deadline(12_345);
        entry.set_bucket(300);
        entry.set_in_main(true);
        entry.set_idle_timed(true);
        for hits in [1, 2, 3, 3] {
            entry.hit();
            assert_eq!(entry.hits(), hits);
        }
        entry.set_idle_timed(false);
        entry.forget_hit();
        assert_eq!((entry.deadline(), entry.bucket()), (12_345, 300));
        assert_eq!(
            (entry.hits(), entry.in_main(), entry.is_idle_timed()),
            (2, true, false)
        );
        entry.set_deadline(u64::MAX);
        assert!(!entry.is_timed());
    }
}
