//! Fold the rows of a joined query into groups: which row opens which record of which collection.
//!
//! The values stay with the caller, behind [`Row`]. Its comparisons may fail and may run foreign
//! code; a failure leaves through [`Fold::push`] and the fold is then to be dropped. All state
//! is in the fold, so foreign code that groups other rows meanwhile meets a fold of its own.

mod records;

use records::Records;

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

    /// Whether each collection is nested in the one before.
    ///
    /// If so, nothing but plain repetition makes a row repeat the innermost record.
    fn is_chain(&self) -> bool {
        let parents = self.collections.iter().map(|collection| collection.parent);
        parents.eq((0..self.collections.len()).map(|id| id.checked_sub(1)))
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
    records: Vec<Records<K>>,
    /// By collection: the record of the current row.
    current: Vec<Option<RecordId>>,
}

impl<'l, K> Fold<'l, K> {
    /// A fold of no rows.
    #[must_use]
    pub fn new(layout: &'l Layout) -> Self {
        let len = layout.collections.len();
        let mut records: Vec<_> = (0..len).map(|_| Records::new(true)).collect();
        if layout.is_chain()
            && let Some(innermost) = records.last_mut()
        {
            *innermost = Records::new(false);
        }
        Self {
            layout,
            records,
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
            let record = match (parent, self.records.get_mut(id)) {
                (Some(parent), Some(records)) if !row.all_null(&collection.presence)? => {
                    let found = records.locate(row, parent, &collection.key)?;
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
