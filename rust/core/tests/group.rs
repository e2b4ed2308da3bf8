//! The fold against a naive model, and what it promises when the caller's comparisons fail.
#![allow(missing_docs)]

use meshaccel_core::group::{Collection, CollectionId, Fold, Layout, RecordId, Row};
use proptest::prelude::*;

type Value = Option<u8>;

/// A record as it was opened: where, under which parent, by which row.
type Opened = (CollectionId, RecordId, usize);

#[derive(Debug, PartialEq)]
struct Refused;

struct TestRow<'a> {
    number: usize,
    values: &'a [Value],
    /// Hashes are taken modulo this: 1 makes all of them collide.
    hashes: u64,
    /// Whether repeated keys are recognised without hashing.
    quick: bool,
    /// A value that refuses to be compared.
    poison: Option<u8>,
    opened: &'a mut Vec<Opened>,
}

impl Row for TestRow<'_> {
    type Key = Vec<Value>;
    type Error = Refused;

    fn all_null(&self, columns: &[usize]) -> Result<bool, Refused> {
        Ok(columns.iter().all(|&column| self.values[column].is_none()))
    }

    fn key(&self, columns: &[usize]) -> Result<Vec<Value>, Refused> {
        Ok(columns.iter().map(|&column| self.values[column]).collect())
    }

    fn surely_same(&self, stored: &Vec<Value>, key: &Vec<Value>) -> bool {
        self.quick && stored == key
    }

    fn hash(&self, column: usize) -> Result<u64, Refused> {
        Ok(self.values[column].map_or(7, u64::from) % self.hashes)
    }

    fn same(&self, stored: &Vec<Value>, key: &Vec<Value>) -> Result<bool, Refused> {
        if self.poison.is_some() && key.contains(&self.poison) {
            return Err(Refused);
        }
        Ok(stored == key)
    }

    fn open(&mut self, collection: CollectionId, parent: RecordId) -> Result<(), Refused> {
        self.opened.push((collection, parent, self.number));
        Ok(())
    }
}

/// Every record ever opened, searched from the start for every row.
fn naive(layout: &Layout, rows: &[Vec<Value>]) -> (Vec<Opened>, Vec<usize>) {
    let collections = layout.collections();
    let mut records = vec![Vec::new(); collections.len()];
    let (mut opened, mut homeless) = (Vec::new(), Vec::new());
    for (number, row) in rows.iter().enumerate() {
        let mut current: Vec<Option<RecordId>> = Vec::new();
        for (id, collection) in collections.iter().enumerate() {
            let parent = collection.parent.map_or(Some(0), |parent| current[parent]);
            let present = collection
                .presence
                .iter()
                .any(|&column| row[column].is_some());
            current.push(parent.filter(|_| present).map(|parent| {
                let key: Vec<Value> = collection.key.iter().map(|&column| row[column]).collect();
                let record = (parent, key);
                let known = records[id].iter().position(|known| *known == record);
                known
                    .filter(|_| !collection.key.is_empty())
                    .unwrap_or_else(|| {
                        opened.push((id, parent, number));
                        records[id].push(record);
                        records[id].len() - 1
                    })
            }));
        }
        if current[0].is_none() {
            homeless.push(number);
        }
    }
    (opened, homeless)
}

#[derive(Debug, Clone, Copy)]
struct Manners {
    hashes: u64,
    quick: bool,
}

fn folded(
    layout: &Layout,
    rows: &[Vec<Value>],
    manners: Manners,
    poison: Option<u8>,
) -> Result<(Vec<Opened>, Vec<usize>), Refused> {
    let mut fold = Fold::new(layout);
    let (mut opened, mut homeless) = (Vec::new(), Vec::new());
    for (number, values) in rows.iter().enumerate() {
        let Manners { hashes, quick } = manners;
        let mut row = TestRow {
            number,
            values,
            hashes,
            quick,
            poison,
            opened: &mut opened,
        };
        if !fold.push(&mut row)? {
            homeless.push(number);
        }
    }
    Ok((opened, homeless))
}

/// Collections of two columns: keyed by one, both or (but for the outermost) none of them.
fn layouts() -> impl Strategy<Value = Layout> {
    prop::collection::vec((any::<prop::sample::Index>(), 0..3_usize), 1..5).prop_map(|drawn| {
        let mut layout = Layout::default();
        for (id, (parent, keys)) in drawn.into_iter().enumerate() {
            let keys = if id == 0 { keys.max(1) } else { keys };
            let columns = [id * 2, id * 2 + 1];
            layout.add(Collection {
                parent: (id > 0).then(|| parent.index(id)),
                key: columns[..keys].to_vec(),
                presence: columns[..keys.max(1)].to_vec(),
            });
        }
        layout
    })
}

/// Few distinct values make records repeat; many make families outgrow the linear search.
fn rows(columns: usize) -> impl Strategy<Value = Vec<Vec<Value>>> {
    prop_oneof![Just(3_u8), Just(60_u8)].prop_flat_map(move |values| {
        let value = prop_oneof![1 => Just(None), 6 => (0..values).prop_map(Some)];
        prop::collection::vec(prop::collection::vec(value, columns), 0..120)
    })
}

fn cases() -> impl Strategy<Value = (Layout, Vec<Vec<Value>>)> {
    layouts().prop_flat_map(|layout| {
        let columns = layout.collections().len() * 2;
        (Just(layout), rows(columns))
    })
}

fn manners() -> impl Strategy<Value = Manners> {
    let hashes = prop_oneof![Just(1_u64), Just(4), Just(u64::MAX)];
    (hashes, any::<bool>()).prop_map(|(hashes, quick)| Manners { hashes, quick })
}

proptest! {
    #[test]
    fn folds_as_the_naive_model((layout, rows) in cases(), manners in manners()) {
        prop_assert_eq!(folded(&layout, &rows, manners, None), Ok(naive(&layout, &rows)));
    }

    #[test]
    fn a_failing_comparison_is_reported_or_was_not_needed(
        (layout, rows) in cases(), manners in manners(), poison in 0..60_u8,
    ) {
        match folded(&layout, &rows, manners, Some(poison)) {
            Err(Refused) => prop_assert!(rows.iter().flatten().any(|value| *value == Some(poison))),
            Ok(result) => prop_assert_eq!(result, naive(&layout, &rows)),
        }
    }
}

fn single(key: Vec<usize>) -> Layout {
    let mut layout = Layout::default();
    layout.add(Collection {
        parent: None,
        presence: vec![0],
        key,
    });
    layout
}

const PLAIN: Manners = Manners {
    hashes: u64::MAX,
    quick: false,
};

#[test]
fn an_error_in_a_large_family_is_reported() {
    let mut rows: Vec<Vec<Value>> = (0..100).map(|n| vec![Some(n)]).collect();
    rows.push(vec![Some(50)]);
    assert_eq!(
        folded(&single(vec![0]), &rows, PLAIN, Some(50)),
        Err(Refused)
    );
}

#[test]
fn records_keep_first_seen_order_across_the_change_of_search() {
    let rows: Vec<Vec<Value>> = (0..40).chain(0..40).map(|n| vec![Some(n)]).collect();
    let opened = (0..40).map(|n| (0, 0, n)).collect();
    assert_eq!(
        folded(&single(vec![0]), &rows, PLAIN, None),
        Ok((opened, vec![]))
    );
}

#[test]
fn a_collection_of_an_unknown_parent_stays_empty() {
    let mut layout = single(vec![0]);
    layout.add(Collection {
        parent: Some(9),
        key: vec![1],
        presence: vec![1],
    });
    let rows = [vec![Some(1), Some(2)]];
    assert_eq!(
        folded(&layout, &rows, PLAIN, None),
        Ok((vec![(0, 0, 0)], vec![]))
    );
}

#[test]
fn an_empty_layout_has_no_place_for_any_row() {
    let rows = [vec![Some(1)]];
    assert_eq!(
        folded(&Layout::default(), &rows, PLAIN, None),
        Ok((vec![], vec![0]))
    );
}
