//! The records of one collection: find a row's record by its key, or add one.

use hashbrown::HashTable;

use super::{RecordId, Row};

/// A row's record.
#[derive(Debug, Clone, Copy)]
pub(super) enum Found {
    Known(RecordId),
    /// Not there, and the hash to insert it with.
    New(u64),
}

/// The records of one collection, under all parents.
#[derive(Debug)]
pub(super) struct Records<K> {
    known: Vec<Record<K>>,
    /// By parent.
    families: Vec<Family>,
    /// The members of families too large to search one by one.
    index: HashTable<Slot>,
    /// The record found last. Joined rows mostly arrive record by record.
    last: Option<RecordId>,
}

#[derive(Debug)]
struct Record<K> {
    /// None: one that no other row can have.
    key: Option<K>,
    hash: u64,
    parent: RecordId,
    /// The next record of the same parent; of the youngest, any.
    younger: RecordId,
}

/// The records under one parent: a list from the eldest to the youngest.
#[derive(Debug, Clone, Copy, Default)]
struct Family {
    size: usize,
    /// If there is any.
    eldest: RecordId,
    youngest: RecordId,
}

impl Family {
    /// Small families lie close together in memory and are searched faster than a table of all
    /// records, and most children are in small families.
    const SMALL: usize = 16;

    fn is_small(self) -> bool {
        self.size <= Self::SMALL
    }
}

#[derive(Debug)]
struct Slot {
    hash: u64,
    record: RecordId,
}

impl<K> Records<K> {
    pub(super) fn new() -> Self {
        Self {
            known: Vec::new(),
            families: Vec::new(),
            index: HashTable::new(),
            last: None,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    pub(super) fn count(&self, parent: RecordId) -> usize {
        self.family(parent).size
    }

    /// Those of one parent, the eldest first.
    pub(super) fn members(
        records: Option<&Self>,
        parent: RecordId,
    ) -> impl Iterator<Item = RecordId> {
        let (known, family) = records.map_or((&[][..], Family::default()), |records| {
            (&records.known, records.family(parent))
        });
        members(known, family).map(|(record, _)| record)
    }

    pub(super) fn keys(&self) -> impl Iterator<Item = &K> {
        self.known.iter().filter_map(|record| record.key.as_ref())
    }

    /// Forget every record, but keep the memory for the next ones.
    pub(super) fn clear(&mut self) {
        self.known.clear();
        self.families.clear();
        self.index.clear();
        self.last = None;
    }

    /// Find the record of a row under a parent.
    ///
    /// `repeats`: whether it is likely the one found last.
    #[inline]
    pub(super) fn find<R: Row<Key = K>>(
        &mut self,
        row: &R,
        parent: RecordId,
        columns: &[usize],
        repeats: bool,
    ) -> Result<Found, R::Error> {
        if repeats
            && let Some(record) = self.last
            && let Some(stored) = self.known.get(record)
            && stored.parent == parent
            && let Some(key) = &stored.key
            && row.surely_has(columns, key)
        {
            return Ok(Found::Known(record));
        }
        let hash = Self::hash(row, parent, columns)?;
        match self.search(row, parent, columns, hash)? {
            Some(record) => {
                self.last = Some(record);
                Ok(Found::Known(record))
            }
            None => Ok(Found::New(hash)),
        }
    }

    fn search<R: Row<Key = K>>(
        &self,
        row: &R,
        parent: RecordId,
        columns: &[usize],
        hash: u64,
    ) -> Result<Option<RecordId>, R::Error> {
        let is_match = |record: &Record<K>| match &record.key {
            Some(key) if record.hash == hash && record.parent == parent => row.has(columns, key),
            _ => Ok(false),
        };
        let family = self.family(parent);
        if columns.is_empty() {
            return Ok(None);
        }
        if family.is_small() {
            for (id, record) in members(&self.known, family) {
                if is_match(record)? {
                    return Ok(Some(id));
                }
            }
            return Ok(None);
        }
        // The table wants a plain bool: an error ends the search as if found.
        let mut error = None;
        let slot = self.index.find(hash, |slot| {
            let found = self.known.get(slot.record).map_or(Ok(false), is_match);
            found.unwrap_or_else(|raised| {
                error = Some(raised);
                true
            })
        });
        match error {
            Some(raised) => Err(raised),
            None => Ok(slot.map(|slot| slot.record)),
        }
    }

    /// Add a record that was not found.
    pub(super) fn insert(&mut self, parent: RecordId, hash: u64, key: Option<K>) -> RecordId {
        let id = self.known.len();
        if self.families.len() <= parent {
            self.families.resize(parent + 1, Family::default());
        }
        let mut family = Family::default();
        if let Some(stored) = self.families.get_mut(parent) {
            match self.known.get_mut(stored.youngest) {
                Some(elder) if stored.size > 0 => elder.younger = id,
                _ => stored.eldest = id,
            }
            stored.youngest = id;
            stored.size += 1;
            family = *stored;
        }
        let is_keyed = key.is_some();
        self.known.push(Record {
            key,
            hash,
            parent,
            younger: id,
        });
        self.last = Some(id);
        if is_keyed && !family.is_small() {
            let mut index = |record, hash| {
                let slot = Slot { hash, record };
                self.index.insert_unique(hash, slot, |slot| slot.hash);
            };
            if family.size == Family::SMALL + 1 {
                // The first record too many brings its whole family along.
                for (record, member) in members(&self.known, family) {
                    index(record, member.hash);
                }
            } else {
                index(id, hash);
            }
        }
        id
    }

    /// Mix the hashes of the parts: Python's hash of a small int is the int, so sums would
    /// collide.
    #[inline]
    pub(super) fn hash<R: Row<Key = K>>(
        row: &R,
        parent: RecordId,
        columns: &[usize],
    ) -> Result<u64, R::Error> {
        const ODD: u64 = 0x9e37_79b9_7f4a_7c15; // 2^64 divided by the golden ratio
        let mut mixed = (parent as u64).wrapping_mul(ODD);
        for &column in columns {
            mixed = (mixed.rotate_left(29) ^ row.hash(column)?).wrapping_mul(ODD);
        }
        // A product's low bits know nothing of its factor's high ones, and the table looks at
        // both.
        mixed = (mixed ^ (mixed >> 32)).wrapping_mul(ODD);
        Ok(mixed ^ (mixed >> 32))
    }

    fn family(&self, parent: RecordId) -> Family {
        self.families.get(parent).copied().unwrap_or_default()
    }
}

fn members<K>(known: &[Record<K>], family: Family) -> impl Iterator<Item = (RecordId, &Record<K>)> {
    let mut next = family.eldest;
    (0..family.size).map_while(move |_| {
        let id = next;
        let record = known.get(id)?;
        next = record.younger;
        Some((id, record))
    })
}
