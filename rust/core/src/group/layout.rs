//! Where the values of each collection are in a row.

/// Index of a collection in its [`Layout`]; 0 is the outermost one.
pub type CollectionId = usize;

/// Which columns a row has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum RowKind {
    /// Those of all collections, in their order.
    #[default]
    Joined,
    /// Those of one collection, behind the keys of the records above it, outermost first.
    Level(CollectionId),
}

/// One collection of a [`Layout`]. Key and presence are positions among its own columns.
#[derive(Debug, Clone)]
pub struct Collection {
    /// Where its records are nested; `None` for the outermost collection only.
    pub parent: Option<CollectionId>,
    /// Number of its columns.
    pub width: usize,
    /// What tells two records under one parent apart. Empty: every row is a record.
    pub key: Vec<usize>,
    /// A row whose values here are all NULL has no record in this collection. Empty: all have.
    pub presence: Vec<usize>,
}

/// Where to look in a row for the record of a collection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place<'l> {
    pub parent: Option<CollectionId>,
    pub key: &'l [usize],
    pub presence: &'l [usize],
    /// Whether many a row will have the record of the one before.
    pub repeats: bool,
}

/// The collections of a shape, each after its parent and before its parent's next one.
#[derive(Debug, Clone, Default)]
pub struct Layout {
    collections: Vec<Entry>,
}

#[derive(Debug, Clone)]
struct Entry {
    parent: Option<CollectionId>,
    width: usize,
    joined: Columns,
    level: Columns,
    /// The collections above, outermost first, and their keys in a row of this level.
    ancestors: Vec<(CollectionId, Vec<usize>)>,
    /// Whether many a joined row will have the record of the row before.
    repeats: bool,
}

#[derive(Debug, Clone)]
struct Columns {
    start: usize,
    key: Vec<usize>,
    presence: Vec<usize>,
}

impl Columns {
    fn new(collection: &Collection, start: usize) -> Self {
        let shift = |columns: &[usize]| columns.iter().map(|column| start + column).collect();
        Self {
            start,
            key: shift(&collection.key),
            presence: shift(&collection.presence),
        }
    }
}

impl Layout {
    /// Add a collection and return its id; ids count up from 0.
    ///
    /// A parent that was not added before never gets records, and neither do its children.
    pub fn add(&mut self, collection: &Collection) -> CollectionId {
        let id = self.collections.len();
        let mut ancestors = Vec::new();
        let mut start = 0;
        if let Some((parent, entry)) = collection
            .parent
            .and_then(|parent| Some((parent, self.collections.get(parent)?)))
        {
            ancestors.clone_from(&entry.ancestors);
            start = entry.level.start;
            let key = start..start + entry.joined.key.len();
            start = key.end;
            ancestors.push((parent, key.collect()));
        }
        self.collections.push(Entry {
            parent: collection.parent,
            width: collection.width,
            joined: Columns::new(collection, self.width(RowKind::Joined)),
            level: Columns::new(collection, start),
            ancestors,
            repeats: true,
        });
        self.tell_repeats();
        id
    }

    /// Number of collections.
    #[must_use]
    pub fn len(&self) -> usize {
        self.collections.len()
    }

    /// Whether there is no collection.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.collections.is_empty()
    }

    /// The collection that the records of this one are nested in.
    #[must_use]
    pub fn parent(&self, collection: CollectionId) -> Option<CollectionId> {
        self.collections.get(collection)?.parent
    }

    /// Number of columns of a row.
    #[must_use]
    pub fn width(&self, kind: RowKind) -> usize {
        match kind {
            RowKind::Joined => self.collections.iter().map(|entry| entry.width).sum(),
            RowKind::Level(id) => self
                .collections
                .get(id)
                .map_or(0, |entry| entry.level.start + entry.width),
        }
    }

    /// Position in a row of the first column of a collection.
    #[must_use]
    pub fn start(&self, kind: RowKind, collection: CollectionId) -> usize {
        self.collections.get(collection).map_or(0, |entry| {
            let columns = match kind {
                RowKind::Joined => &entry.joined,
                RowKind::Level(_) => &entry.level,
            };
            columns.start
        })
    }

    /// Key columns of a collection in a row.
    #[must_use]
    pub fn key(&self, kind: RowKind, collection: CollectionId) -> &[usize] {
        let Some(entry) = self.collections.get(collection) else {
            return &[];
        };
        match kind {
            RowKind::Joined => &entry.joined.key,
            RowKind::Level(level) if level == collection => &entry.level.key,
            RowKind::Level(level) => self
                .keys_above(level)
                .find_map(|(id, key)| (id == collection).then_some(key))
                .unwrap_or_default(),
        }
    }

    /// Whether the rows of this level tell which records they belong to.
    #[must_use]
    pub fn has_level(&self, level: CollectionId) -> bool {
        level < self.len() && self.keys_above(level).all(|(_, key)| !key.is_empty())
    }

    /// The collections above one, outermost first.
    pub fn ancestors(&self, collection: CollectionId) -> impl Iterator<Item = CollectionId> {
        self.keys_above(collection).map(|(id, _)| id)
    }

    /// The collections above a level, outermost first, and their keys in its rows.
    pub(super) fn keys_above(
        &self,
        level: CollectionId,
    ) -> impl Iterator<Item = (CollectionId, &[usize])> {
        let ancestors = self
            .collections
            .get(level)
            .map_or(&[][..], |entry| &entry.ancestors);
        ancestors.iter().map(|(id, key)| (*id, key.as_slice()))
    }

    pub(super) fn joined(&self) -> impl Iterator<Item = Place<'_>> {
        self.collections.iter().map(|entry| Place {
            parent: entry.parent,
            key: &entry.joined.key,
            presence: &entry.joined.presence,
            repeats: entry.repeats,
        })
    }

    pub(super) fn level(&self, level: CollectionId) -> Option<Place<'_>> {
        self.collections.get(level).map(|entry| Place {
            parent: entry.parent,
            key: &entry.level.key,
            presence: &entry.level.presence,
            repeats: false,
        })
    }

    /// In a chain nothing but plain repetition makes a row repeat the innermost record.
    fn tell_repeats(&mut self) {
        let mut is_chain = true;
        let innermost = self.collections.len().saturating_sub(1);
        for (id, entry) in self.collections.iter_mut().enumerate() {
            is_chain &= entry.parent == id.checked_sub(1);
            entry.repeats = !is_chain || id != innermost;
        }
    }
}
