//! The records of one collection: find a row's record by its key, or add one.

use std::iter::successors;

use hashbrown::HashTable;

use super::{RecordId, Row};

/// Where a row's record is.
pub(super) struct Located {
    pub record: RecordId,
    pub is_new: bool,
}

/// The records of one collection, under all parents.
#[derive(Debug)]
pub(super) struct Records<K> {
    known: Vec<Record<K>>,
    /// By parent.
    families: Vec<Family>,
    /// The members of families too large to search one by one.
    index: HashTable<Slot>,
    /// The record of the last row. Joined rows mostly arrive record by record.
    last: Option<RecordId>,
    expects_repeats: bool,
    unkeyed: usize,
}

#[derive(Debug)]
struct Record<K> {
    key: K,
    hash: u64,
    parent: RecordId,
    /// The previous record of the same parent.
    elder: Option<RecordId>,
}

/// The records under one parent: a list from the youngest to the eldest.
#[derive(Debug, Clone, Copy, Default)]
struct Family {
    youngest: Option<RecordId>,
    size: usize,
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
    /// `expects_repeats`: whether many a row will have the record of the row before.
    pub(super) fn new(expects_repeats: bool) -> Self {
        Self {
            known: Vec::new(),
            families: Vec::new(),
            index: HashTable::new(),
            last: None,
            expects_repeats,
            unkeyed: 0,
        }
    }

    /// Find the record of a row under a parent, or count a new one.
    pub(super) fn locate<R: Row<Key = K>>(
        &mut self,
        row: &R,
        parent: RecordId,
        columns: &[usize],
    ) -> Result<Located, R::Error> {
        if columns.is_empty() {
            let record = self.unkeyed;
            self.unkeyed += 1;
            return Ok(Located {
                record,
                is_new: true,
            });
        }
        let key = row.key(columns)?;
        if self.expects_repeats
            && let Some(record) = self.last
            && let Some(stored) = self.known.get(record)
            && stored.parent == parent
            && row.surely_same(&stored.key, &key)
        {
            return Ok(Located {
                record,
                is_new: false,
            });
        }
        let hash = hash_key(row, parent, columns)?;
        let located = match self.find(row, parent, hash, &key)? {
            Some(record) => Located {
                record,
                is_new: false,
            },
            None => Located {
                record: self.insert(parent, hash, key),
                is_new: true,
            },
        };
        self.last = Some(located.record);
        Ok(located)
    }

    fn find<R: Row<Key = K>>(
        &self,
        row: &R,
        parent: RecordId,
        hash: u64,
        key: &K,
    ) -> Result<Option<RecordId>, R::Error> {
        let family = self.families.get(parent).copied().unwrap_or_default();
        let is_match = |record: &Record<K>| {
            if record.hash == hash && record.parent == parent {
                row.same(&record.key, key)
            } else {
                Ok(false)
            }
        };
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

    fn insert(&mut self, parent: RecordId, hash: u64, key: K) -> RecordId {
        let id = self.known.len();
        if self.families.len() <= parent {
            self.families.resize(parent + 1, Family::default());
        }
        let mut family = self.families.get(parent).copied().unwrap_or_default();
        let elder = family.youngest.replace(id);
        family.size += 1;
        if let Some(stored) = self.families.get_mut(parent) {
            *stored = family;
        }
        self.known.push(Record {
            key,
            hash,
            parent,
            elder,
        });
        if !family.is_small() {
            // The first record too many brings its whole family along.
            let is_first = family.size == Family::SMALL + 1;
            let newcomers = if is_first { family.size } else { 1 };
            for (record, member) in members(&self.known, family).take(newcomers) {
                let slot = Slot {
                    hash: member.hash,
                    record,
                };
                self.index.insert_unique(slot.hash, slot, |slot| slot.hash);
            }
        }
        id
    }
}

fn members<K>(known: &[Record<K>], family: Family) -> impl Iterator<Item = (RecordId, &Record<K>)> {
    let get = |id: Option<RecordId>| id.and_then(|id| Some((id, known.get(id)?)));
    successors(get(family.youngest), move |(_, record)| get(record.elder))
}

/// Mix the hashes of the parts: Python's hash of a small int is the int, so sums would collide.
fn hash_key<R: Row>(row: &R, parent: RecordId, columns: &[usize]) -> Result<u64, R::Error> {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15; // 2^64 divided by the golden ratio
    let mut mixed = (parent as u64).wrapping_mul(ODD);
    for &column in columns {
        mixed = (mixed.rotate_left(29) ^ row.hash(column)?).wrapping_mul(ODD);
    }
    // A product's low bits know nothing of its factor's high ones, and the table looks at both.
    mixed = (mixed ^ (mixed >> 32)).wrapping_mul(ODD);
    Ok(mixed ^ (mixed >> 32))
}
