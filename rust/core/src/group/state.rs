//! The records of a fold, and the search for those of a row.

use super::layout::{CollectionId, Layout, Place};
use super::records::{Found, Records};
use super::{Order, RecordId, Row};

/// All that changes with the rows.
#[derive(Debug)]
pub(super) struct State<K> {
    pub order: Order,
    pub records: Vec<Records<K>>,
    /// The outermost record that is not finished, if rows are grouped.
    pub open: Option<RecordId>,
    /// What the row looked at would add.
    pub newcomers: Vec<Newcomer<K>>,
    /// Of that row, by collection: its record, known or to be.
    current: Vec<Option<RecordId>>,
}

/// A record that a row would open.
#[derive(Debug)]
pub(super) struct Newcomer<K> {
    pub collection: CollectionId,
    pub parent: RecordId,
    pub hash: u64,
    pub key: Option<K>,
}

/// What became of a row.
#[derive(Debug)]
pub(super) enum Verdict {
    Placed,
    Nowhere,
    Orphan(CollectionId),
    Reopened,
}

impl<K> State<K> {
    pub(super) fn new(collections: usize, order: Order) -> Self {
        Self {
            order,
            records: (0..collections).map(|_| Records::new()).collect(),
            open: None,
            newcomers: Vec::with_capacity(collections),
            current: Vec::with_capacity(collections),
        }
    }

    pub(super) fn locate_joined<R: Row<Key = K>>(
        &mut self,
        row: &R,
        layout: &Layout,
    ) -> Result<Verdict, R::Error> {
        self.current.clear();
        let mut is_next = false;
        for (id, place) in layout.joined().enumerate() {
            let parent = match place.parent {
                None => Some(0),
                Some(parent) => self.current.get(parent).copied().flatten(),
            };
            let record = match (parent, self.records.get_mut(id)) {
                (Some(parent), Some(records)) if !is_absent(row, place)? => {
                    let found = if is_next {
                        // What is known of this collection belongs to the record before.
                        Found::New(Records::<K>::hash(row, 0, place.key)?)
                    } else {
                        records.find(row, parent, place.key, place.repeats)?
                    };
                    let record = match found {
                        Found::Known(record) => record,
                        Found::New(hash) => {
                            let record = records.len();
                            self.meet(row, id, parent, place.key, hash)?;
                            record
                        }
                    };
                    if self.order == Order::Any {
                        Some(record)
                    } else if id > 0 {
                        Some(if is_next { 0 } else { record })
                    } else {
                        match found {
                            Found::Known(_) if self.open != Some(record) => {
                                return Ok(Verdict::Reopened);
                            }
                            Found::Known(_) => {}
                            Found::New(_) => is_next = self.open.is_some(),
                        }
                        Some(0)
                    }
                }
                _ => None,
            };
            if id == 0 && record.is_none() {
                return Ok(Verdict::Nowhere);
            }
            self.current.push(record);
        }
        let is_placed = !self.current.is_empty();
        Ok(if is_placed {
            Verdict::Placed
        } else {
            Verdict::Nowhere
        })
    }

    /// A row of one level: the records above are looked up, never made.
    pub(super) fn locate_at<R: Row<Key = K>>(
        &mut self,
        row: &R,
        layout: &Layout,
        level: CollectionId,
    ) -> Result<Verdict, R::Error> {
        let Some(place) = layout.level(level) else {
            return Ok(Verdict::Nowhere);
        };
        let mut parent = 0;
        for (ancestor, key) in layout.keys_above(level) {
            let Some(records) = self.records.get_mut(ancestor) else {
                return Ok(Verdict::Orphan(ancestor));
            };
            match records.find(row, parent, key, true)? {
                Found::Known(record) => parent = record,
                // A joined row of such a parent has no parent either, and so no child.
                Found::New(_) if row.all_null(key)? => return Ok(Verdict::Nowhere),
                Found::New(_) => return Ok(Verdict::Orphan(ancestor)),
            }
        }
        if is_absent(row, place)? {
            return Ok(Verdict::Nowhere);
        }
        let Some(records) = self.records.get_mut(level) else {
            return Ok(Verdict::Nowhere);
        };
        if let Found::New(hash) = records.find(row, parent, place.key, false)? {
            self.meet(row, level, parent, place.key, hash)?;
        }
        Ok(Verdict::Placed)
    }

    #[inline]
    fn meet<R: Row<Key = K>>(
        &mut self,
        row: &R,
        collection: CollectionId,
        parent: RecordId,
        key: &[usize],
        hash: u64,
    ) -> Result<(), R::Error> {
        self.newcomers.push(Newcomer {
            collection,
            parent,
            hash,
            key: match key {
                [] => None,
                _ => Some(row.key(key)?),
            },
        });
        Ok(())
    }
}

fn is_absent<R: Row>(row: &R, place: Place<'_>) -> Result<bool, R::Error> {
    Ok(!place.presence.is_empty() && row.all_null(place.presence)?)
}
