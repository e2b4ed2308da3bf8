//! Fold rows into groups: which row opens which record of which collection.
//!
//! The values stay with the caller, behind [`Row`]. Its comparisons may fail and may run foreign
//! code. [`Fold::locate`] only looks; what is new is kept by [`Addition::commit`], which cannot
//! fail. So a row that is refused, here or by the caller, leaves no trace.

mod layout;
mod records;
mod row;
mod state;

pub use layout::{Collection, CollectionId, Layout, RowKind};
pub use row::Row;

use std::sync::Arc;

use records::Records;
use state::{State, Verdict};

/// Index of a record among those of its collection, in first-seen order.
pub type RecordId = usize;

/// How the rows of a fold arrive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// In any order: every record stays open.
    Any,
    /// Joined rows, all of one outermost record before those of the next. Nothing is kept of a
    /// finished record but its key, which tells when it comes again.
    Grouped,
}

/// What a row is to a fold.
#[derive(Debug)]
#[must_use]
pub enum Located<'f, K> {
    /// It has a place, and perhaps new records.
    Placed(Addition<'f, K>),
    /// The record it would be for is NULL, or that it would be in.
    Nowhere,
    /// There is no record of this collection with the key in the row.
    Orphan(CollectionId),
    /// Its outermost record is finished.
    Reopened,
}

/// Rows folded so far.
#[derive(Debug)]
pub struct Fold<K> {
    layout: Arc<Layout>,
    state: State<K>,
}

impl<K> Fold<K> {
    /// A fold of no rows.
    #[must_use]
    pub fn new(layout: Arc<Layout>, order: Order) -> Self {
        Self {
            state: State::new(layout.len(), order),
            layout,
        }
    }

    /// Records under one parent, the first seen first; in a grouped fold, of the open record.
    pub fn children(
        &self,
        collection: CollectionId,
        parent: RecordId,
    ) -> impl Iterator<Item = RecordId> {
        Records::members(self.state.records.get(collection), parent)
    }

    /// How many records one parent has in a collection.
    #[must_use]
    pub fn count(&self, collection: CollectionId, parent: RecordId) -> usize {
        self.state
            .records
            .get(collection)
            .map_or(0, |records| records.count(parent))
    }

    /// Every key kept, for a caller who must account for what it owns.
    pub fn keys(&self) -> impl Iterator<Item = &K> {
        self.state.records.iter().flat_map(Records::keys)
    }

    /// Find the place of a row. Nothing changes before [`Addition::commit`].
    ///
    /// # Errors
    /// The first error of the row.
    pub fn locate<R: Row<Key = K>>(
        &mut self,
        row: &R,
        kind: RowKind,
    ) -> Result<Located<'_, K>, R::Error> {
        let verdict = match kind {
            RowKind::Joined => self.state.locate_joined(row, &self.layout),
            RowKind::Level(level) => self.state.locate_at(row, &self.layout, level),
        };
        match verdict {
            Ok(Verdict::Placed) => Ok(Located::Placed(Addition { fold: self })),
            refused => {
                self.state.newcomers.clear();
                refused.map(|verdict| match verdict {
                    Verdict::Orphan(collection) => Located::Orphan(collection),
                    Verdict::Reopened => Located::Reopened,
                    Verdict::Placed | Verdict::Nowhere => Located::Nowhere,
                })
            }
        }
    }
}

/// What a row adds to a fold, if it is committed. Dropping it forgets the row.
#[derive(Debug)]
#[must_use]
pub struct Addition<'f, K> {
    fold: &'f mut Fold<K>,
}

impl<K> Addition<'_, K> {
    /// The collections in which the row opens a record, and the parent it gets there; each after
    /// that of its parent.
    pub fn opens(&self) -> impl Iterator<Item = (CollectionId, RecordId)> {
        self.fold
            .state
            .newcomers
            .iter()
            .map(|newcomer| (newcomer.collection, newcomer.parent))
    }

    /// Whether the outermost record so far is finished by this row. If so, ids of records count
    /// from 0 again with the row.
    #[must_use]
    pub fn finishes(&self) -> bool {
        self.fold.state.open.is_some() && self.opens().next() == Some((0, 0))
    }

    /// The fold as it was before the row.
    #[must_use]
    pub fn before(&self) -> &Fold<K> {
        self.fold
    }

    /// Keep the row's new records.
    pub fn commit(self) {
        let is_next = self.finishes();
        let state = &mut self.fold.state;
        if is_next {
            state.records.iter_mut().skip(1).for_each(Records::clear);
        }
        while let Some(newcomer) = state.newcomers.pop() {
            if let Some(records) = state.records.get_mut(newcomer.collection) {
                let record = records.insert(newcomer.parent, newcomer.hash, newcomer.key);
                if state.order == Order::Grouped && newcomer.collection == 0 {
                    state.open = Some(record);
                }
            }
        }
    }
}

impl<K> Drop for Addition<'_, K> {
    fn drop(&mut self) {
        self.fold.state.newcomers.clear();
    }
}
