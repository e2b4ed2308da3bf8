//! Rows of small numbers, and what a fold makes of them.

use meshaccel_core::group::{
    Collection, CollectionId, Fold, Layout, Located, Order, RecordId, Row, RowKind,
};
use proptest::prelude::*;
use std::sync::Arc;

pub type Value = Option<u8>;

#[derive(Debug, PartialEq)]
pub struct Refused;

/// How a row's values hash and compare.
#[derive(Debug, Clone, Copy)]
pub struct Manners {
    /// Hashes are taken modulo this: 1 makes all of them collide.
    pub hashes: u64,
    /// Whether repeated keys are recognised without hashing.
    pub quick: bool,
    /// A value that refuses to be compared.
    pub poison: Option<u8>,
}

/// A row, and whether its caller takes it once its place is found.
#[derive(Debug, Clone)]
pub struct Given {
    pub kind: RowKind,
    pub values: Vec<Value>,
    pub is_welcome: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Outcome {
    Placed,
    Declined,
    Nowhere,
    Orphan(CollectionId),
    Reopened,
    Failed,
}

/// A record: the number of the row that opened it, and its records by collection.
#[derive(Debug, PartialEq)]
pub struct Record {
    pub row: usize,
    pub children: Vec<(CollectionId, Vec<Record>)>,
}

#[derive(Debug, PartialEq)]
pub struct Fed {
    pub outcomes: Vec<Outcome>,
    pub tree: Vec<Record>,
}

struct TestRow<'a> {
    values: &'a [Value],
    manners: Manners,
}

impl TestRow<'_> {
    fn values(&self, columns: &[usize]) -> Vec<Value> {
        columns.iter().map(|&column| self.values[column]).collect()
    }
}

impl Row for TestRow<'_> {
    type Key = Vec<Value>;
    type Error = Refused;

    fn all_null(&self, columns: &[usize]) -> Result<bool, Refused> {
        Ok(columns.iter().all(|&column| self.values[column].is_none()))
    }

    fn key(&self, columns: &[usize]) -> Result<Vec<Value>, Refused> {
        Ok(self.values(columns))
    }

    fn surely_has(&self, columns: &[usize], key: &Vec<Value>) -> bool {
        self.manners.quick && self.values(columns) == *key
    }

    fn hash(&self, column: usize) -> Result<u64, Refused> {
        Ok(self.values[column].map_or(7, u64::from) % self.manners.hashes)
    }

    fn has(&self, columns: &[usize], key: &Vec<Value>) -> Result<bool, Refused> {
        let values = self.values(columns);
        if self.manners.poison.is_some() && values.contains(&self.manners.poison) {
            return Err(Refused);
        }
        Ok(values == *key)
    }
}

/// The rows that opened the records, by collection, as a caller keeps them.
type Openers = Vec<Vec<usize>>;

pub fn feed(layout: &Layout, order: Order, rows: &[Given], manners: Manners) -> Fed {
    let mut fold = Fold::new(Arc::new(layout.clone()), order);
    let mut openers: Openers = vec![Vec::new(); layout.len()];
    let (mut outcomes, mut tree) = (Vec::new(), Vec::new());
    for (number, given) in rows.iter().enumerate() {
        let row = TestRow {
            values: &given.values,
            manners,
        };
        outcomes.push(match fold.locate(&row, given.kind) {
            Err(Refused) => Outcome::Failed,
            Ok(Located::Nowhere) => Outcome::Nowhere,
            Ok(Located::Orphan(collection)) => Outcome::Orphan(collection),
            Ok(Located::Reopened) => Outcome::Reopened,
            Ok(Located::Placed(_)) if !given.is_welcome => Outcome::Declined,
            Ok(Located::Placed(addition)) => {
                if addition.finishes() {
                    tree.extend(records(layout, addition.before(), &openers, 0, 0..1));
                    openers.iter_mut().for_each(Vec::clear);
                }
                for (collection, _) in addition.opens() {
                    openers[collection].push(number);
                }
                addition.commit();
                Outcome::Placed
            }
        });
    }
    if let Some(outermost) = openers.first() {
        let ids = 0..outermost.len();
        tree.extend(records(layout, &fold, &openers, 0, ids));
    }
    Fed { outcomes, tree }
}

fn records(
    layout: &Layout,
    fold: &Fold<Vec<Value>>,
    openers: &Openers,
    collection: CollectionId,
    ids: impl Iterator<Item = RecordId>,
) -> Vec<Record> {
    ids.map(|id| Record {
        row: openers[collection][id],
        children: (0..layout.len())
            .filter(|child| layout.parent(*child) == Some(collection))
            .filter(|child| fold.count(*child, id) > 0)
            .map(|child| {
                let ids: Vec<RecordId> = fold.children(child, id).collect();
                assert_eq!(ids.len(), fold.count(child, id));
                let members = records(layout, fold, openers, child, ids.into_iter());
                (child, members)
            })
            .collect(),
    })
    .collect()
}

/// A layout and joined rows for it.
#[derive(Debug, Clone)]
pub struct Case {
    pub layout: Layout,
    pub rows: Vec<Vec<Value>>,
}

/// Collections of two columns: keyed by one, both or (but for the outermost) none of them.
fn layouts() -> impl Strategy<Value = Layout> {
    prop::collection::vec((any::<prop::sample::Index>(), 0..3_usize), 1..5).prop_map(|drawn| {
        let mut layout = Layout::default();
        for (id, (parent, keys)) in drawn.into_iter().enumerate() {
            let keys = if id == 0 { keys.max(1) } else { keys };
            layout.add(&Collection {
                parent: (id > 0).then(|| parent.index(id)),
                width: 2,
                key: (0..keys).collect(),
                presence: (0..keys.max(1)).collect(),
            });
        }
        layout
    })
}

fn value(values: u8) -> impl Strategy<Value = Value> + Clone {
    prop_oneof![1 => Just(None), 6 => (0..values).prop_map(Some)]
}

/// Few distinct values make records repeat; many make families outgrow the linear search.
fn rows(columns: usize) -> impl Strategy<Value = Vec<Vec<Value>>> {
    prop_oneof![Just(3_u8), Just(60_u8)].prop_flat_map(move |values| {
        prop::collection::vec(prop::collection::vec(value(values), columns), 0..120)
    })
}

pub fn cases() -> impl Strategy<Value = Case> {
    layouts().prop_flat_map(|layout| {
        rows(layout.width(RowKind::Joined)).prop_map(move |rows| Case {
            layout: layout.clone(),
            rows,
        })
    })
}

/// Rows of every level in any order, so some children come before their parents.
pub fn level_rows(case: Case) -> impl Strategy<Value = (Case, Vec<Given>)> {
    let layout = case.layout.clone();
    let levels: Vec<CollectionId> = (0..layout.len())
        .filter(|level| layout.has_level(*level))
        .collect();
    let row = prop::sample::select(levels).prop_flat_map(move |level| {
        let kind = RowKind::Level(level);
        prop::collection::vec(value(2), layout.width(kind)).prop_map(move |values| Given {
            kind,
            values,
            is_welcome: true,
        })
    });
    prop::collection::vec(row, 0..120).prop_map(move |rows| (case.clone(), rows))
}

pub fn manners() -> impl Strategy<Value = Manners> {
    let hashes = prop_oneof![Just(1_u64), Just(4), Just(u64::MAX)];
    (hashes, any::<bool>()).prop_map(|(hashes, quick)| Manners {
        hashes,
        quick,
        poison: None,
    })
}
