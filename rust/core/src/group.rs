//! Fold the rows of a joined query into groups: which row opens which record of which collection.
//!
//! The values stay with the caller, behind [`Row`]. Its comparisons may fail and may run foreign
//! code; a failure leaves through [`Fold::push`] and the fold is then to be dropped. All state
//! is in the fold, so foreign code that groups other rows meanwhile meets a fold of its own.

use hashbrown::HashTable;

/// Index of a collection in its [`Layout`]; 0 is the outermost one.
pub type CollectionId = usize;

/// Index of a record among those of its collection, in first-seen order.
pub type RecordId = usize;

/// One collection of a [`Layout`]. Columns are positions in the row.
#[derive(Debug, Clone)]
pub struct Collection {
    /// Where its records are nested; `None` for the outermost collection only.
    pub parent: Option<CollectionId>,
    /// What tells two records under one parent apart. Empty: every row is a record.
    pub key: Vec<usize>,
    /// A row whose values here are all NULL has no record in this collection.
    pub presence: Vec<usize>,
}

/// The collections of a joined row, each after its parent.
#[derive(Debug, Clone, Default)]
pub struct Layout {
    collections: Vec<Collection>,
}

impl Layout {
    /// Add a collection and return its id; ids count up from 0.
    ///
    /// A parent that was not added before never gets records, and neither do its children.
    pub fn add(&mut self, collection: Collection) -> CollectionId {
        self.collections.push(collection);
        self.collections.len() - 1
    }

    /// The collections, by id.
    #[must_use]
    pub fn collections(&self) -> &[Collection] {
        &self.collections
    }
}

/// One row as its caller holds it.
pub trait Row {
    /// What is kept of a record to compare later rows with.
    type Key;
    /// What may go wrong while reading and comparing values.
    type Error;

    /// Whether all these columns are NULL.
    ///
    /// # Errors
    /// Whatever reading a value may raise.
    fn all_null(&self, columns: &[usize]) -> Result<bool, Self::Error>;

    /// The row's key of a collection.
    ///
    /// # Errors
    /// Whatever reading a value may raise.
    fn key(&self, columns: &[usize]) -> Result<Self::Key, Self::Error>;

    /// Whether two keys are equal for certain, as far as can be told at little cost.
    ///
    /// Asked about the record of the previous row before anything is hashed: `false` only
    /// means that it takes [`Row::hash`] and [`Row::same`] to find out.
    fn surely_same(&self, stored: &Self::Key, key: &Self::Key) -> bool;

    /// A hash of the value in a key column, equal for equal values; it may be a weak one.
    ///
    /// # Errors
    /// Whatever hashing a value may raise.
    fn hash(&self, column: usize) -> Result<u64, Self::Error>;

    /// Whether two keys of equal hash are equal.
    ///
    /// # Errors
    /// Whatever comparing values may raise.
    fn same(&self, stored: &Self::Key, key: &Self::Key) -> Result<bool, Self::Error>;

    /// Make the next record of a collection from this row, under a record of its parent.
    ///
    /// # Errors
    /// Whatever making a record may raise.
    fn open(&mut self, collection: CollectionId, parent: RecordId) -> Result<(), Self::Error>;
}

/// Rows folded so far.
#[derive(Debug)]
pub struct Fold<'l, K> {
    layout: &'l Layout,
    groups: Vec<Groups<K>>,
    /// By collection: the record of the current row.
    current: Vec<Option<RecordId>>,
}

impl<'l, K> Fold<'l, K> {
    /// A fold of no rows.
    #[must_use]
    pub fn new(layout: &'l Layout) -> Self {
        let len = layout.collections.len();
        Self {
            layout,
            groups: (0..len).map(|_| Groups::default()).collect(),
            current: vec![None; len],
        }
    }

    /// Add a row. Returns false if it has no outermost record, and so belongs nowhere.
    ///
    /// # Errors
    /// The first error of the row; the fold must not be used after it.
    pub fn push<R: Row<Key = K>>(&mut self, row: &mut R) -> Result<bool, R::Error> {
        for (id, collection) in self.layout.collections.iter().enumerate() {
            let parent = match collection.parent {
                None => Some(0),
                Some(parent) if parent < id => self.current.get(parent).copied().flatten(),
                Some(_) => None,
            };
            let record = match (parent, self.groups.get_mut(id)) {
                (Some(parent), Some(groups)) if !row.all_null(&collection.presence)? => {
                    let found = groups.locate(row, parent, &collection.key)?;
                    if found.is_new {
                        row.open(id, parent)?;
                    }
                    Some(found.record)
                }
                _ => None,
            };
            if id == 0 && record.is_none() {
                return Ok(false);
            }
            if let Some(current) = self.current.get_mut(id) {
                *current = record;
            }
        }
        Ok(!self.current.is_empty())
    }
}

struct Located {
    record: RecordId,
    is_new: bool,
}

/// The records of one collection, under all parents.
#[derive(Debug)]
struct Groups<K> {
    records: Vec<Record<K>>,
    /// By parent.
    families: Vec<Family>,
    /// The members of families too large to search one by one.
    index: HashTable<Slot>,
    /// The record of the last row. Joined rows mostly arrive record by record.
    last: Option<RecordId>,
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

impl<K> Default for Groups<K> {
    fn default() -> Self {
        Self {
            records: Vec::new(),
            families: Vec::new(),
            index: HashTable::new(),
            last: None,
            unkeyed: 0,
        }
    }
}

impl<K> Groups<K> {
    fn locate<R: Row<Key = K>>(
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
        if let Some(record) = self.last
            && let Some(stored) = self.records.get(record)
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
            for (id, record) in self.members(family) {
                if is_match(record)? {
                    return Ok(Some(id));
                }
            }
            return Ok(None);
        }
        // The table wants a plain bool: an error ends the search as if found.
        let mut error = None;
        let slot = self.index.find(hash, |slot| {
            let found = self.records.get(slot.record).map_or(Ok(false), is_match);
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

    fn members(&self, family: Family) -> impl Iterator<Item = (RecordId, &Record<K>)> {
        let get = |id: Option<RecordId>| id.and_then(|id| Some((id, self.records.get(id)?)));
        std::iter::successors(get(family.youngest), move |(_, record)| get(record.elder))
    }

    fn insert(&mut self, parent: RecordId, hash: u64, key: K) -> RecordId {
        let id = self.records.len();
        if self.families.len() <= parent {
            self.families.resize(parent + 1, Family::default());
        }
        let mut family = Family::default();
        if let Some(known) = self.families.get_mut(parent) {
            let elder = known.youngest.replace(id);
            known.size += 1;
            family = *known;
            self.records.push(Record {
                key,
                hash,
                parent,
                elder,
            });
        }
        if !family.is_small() {
            // The first record too many brings its whole family along.
            let newcomers = if family.size == Family::SMALL + 1 {
                family.size
            } else {
                1
            };
            let slots: Vec<Slot> = self
                .members(family)
                .take(newcomers)
                .map(|(record, member)| Slot {
                    hash: member.hash,
                    record,
                })
                .collect();
            for slot in slots {
                self.index.insert_unique(slot.hash, slot, |slot| slot.hash);
            }
        }
        id
    }
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
