//! The fold against a naive model, and what it promises when the caller's comparisons fail.
#![allow(missing_docs)]

mod model;
mod rows;

use meshaccel_core::group::{Collection, Layout, Order, RowKind};
use proptest::prelude::*;

use model::{naive, sorted};
use rows::{Case, Given, Manners, Outcome, Value, cases, feed, level_rows, manners};

const PLAIN: Manners = Manners {
    hashes: u64::MAX,
    quick: false,
    poison: None,
};

fn joined(rows: &[Vec<Value>]) -> Vec<Given> {
    let given = |values: &Vec<Value>| Given {
        kind: RowKind::Joined,
        values: values.clone(),
        is_welcome: true,
    };
    rows.iter().map(given).collect()
}

proptest! {
    #[test]
    fn folds_as_the_naive_model(case in cases(), manners in manners()) {
        let rows = joined(&case.rows);
        let result = feed(&case.layout, Order::Any, &rows, manners);
        prop_assert_eq!(result, naive(&case.layout, &rows, Order::Any));
    }

    #[test]
    fn rows_of_levels_fold_as_the_naive_model(
        rows in cases().prop_flat_map(level_rows), manners in manners(),
    ) {
        let (Case { layout, .. }, rows) = rows;
        let result = feed(&layout, Order::Any, &rows, manners);
        prop_assert_eq!(result, naive(&layout, &rows, Order::Any));
    }

    #[test]
    fn grouped_rows_are_finished_record_by_record(
        case in cases(), manners in manners(), is_sorted in any::<bool>(),
    ) {
        let mut rows = joined(&case.rows);
        if is_sorted {
            sorted(&case.layout, &mut rows);
        }
        let result = feed(&case.layout, Order::Grouped, &rows, manners);
        if is_sorted {
            prop_assert!(result.outcomes.iter().all(|outcome| *outcome != Outcome::Reopened));
            // Sorting is stable, so nothing but the order of the rows tells the two folds apart.
            let any = feed(&case.layout, Order::Any, &rows, manners);
            prop_assert_eq!(&any.tree, &result.tree);
        }
        prop_assert_eq!(result, naive(&case.layout, &rows, Order::Grouped));
    }

    #[test]
    fn rows_that_the_caller_refuses_leave_no_trace(
        case in cases(), manners in manners(), welcome in prop::collection::vec(any::<bool>(), 120),
        order in prop_oneof![Just(Order::Any), Just(Order::Grouped)],
    ) {
        let mut rows = joined(&case.rows);
        for (row, is_welcome) in rows.iter_mut().zip(welcome) {
            row.is_welcome = is_welcome;
        }
        let result = feed(&case.layout, order, &rows, manners);
        prop_assert_eq!(result, naive(&case.layout, &rows, order));
    }

    #[test]
    fn rows_whose_values_fail_leave_no_trace(
        case in cases(), manners in manners(), poison in 0..60_u8,
    ) {
        let rows = joined(&case.rows);
        let result = feed(&case.layout, Order::Any, &rows, Manners { poison: Some(poison), ..manners });
        let mut without = rows.clone();
        for (row, outcome) in without.iter_mut().zip(&result.outcomes) {
            if *outcome == Outcome::Failed {
                prop_assert!(row.values.contains(&Some(poison)));
                row.is_welcome = false;
            }
        }
        prop_assert_eq!(result.tree, naive(&case.layout, &without, Order::Any).tree);
    }
}

fn single(key: Vec<usize>) -> Layout {
    let mut layout = Layout::default();
    layout.add(&Collection {
        parent: None,
        width: 1,
        presence: vec![0],
        key,
    });
    layout
}

/// `a` with one child of two columns, keyed by the first.
fn family() -> Layout {
    let mut layout = single(vec![0]);
    layout.add(&Collection {
        parent: Some(0),
        width: 2,
        key: vec![0],
        presence: vec![0],
    });
    layout
}

#[test]
fn an_error_in_a_large_family_is_reported() {
    let mut rows: Vec<Vec<Value>> = (0..100).map(|n| vec![Some(n)]).collect();
    rows.push(vec![Some(50)]);
    let manners = Manners {
        poison: Some(50),
        ..PLAIN
    };
    let result = feed(&single(vec![0]), Order::Any, &joined(&rows), manners);
    assert_eq!(result.outcomes.last(), Some(&Outcome::Failed));
}

#[test]
fn records_keep_first_seen_order_across_the_change_of_search() {
    let rows: Vec<Vec<Value>> = (0..40).chain(0..40).map(|n| vec![Some(n)]).collect();
    let result = feed(&single(vec![0]), Order::Any, &joined(&rows), PLAIN);
    let rows: Vec<usize> = result.tree.iter().map(|record| record.row).collect();
    assert_eq!(rows, (0..40).collect::<Vec<_>>());
}

#[test]
fn a_collection_of_an_unknown_parent_stays_empty() {
    let mut layout = single(vec![0]);
    layout.add(&Collection {
        parent: Some(9),
        width: 1,
        key: vec![0],
        presence: vec![0],
    });
    let rows = joined(&[vec![Some(1), Some(2)]]);
    let result = feed(&layout, Order::Any, &rows, PLAIN);
    assert_eq!(result.outcomes, [Outcome::Placed]);
    assert!(result.tree.iter().all(|record| record.children.is_empty()));
}

#[test]
fn an_empty_layout_has_no_place_for_any_row() {
    let rows = joined(&[vec![Some(1)]]);
    let result = feed(&Layout::default(), Order::Any, &rows, PLAIN);
    assert_eq!(result.outcomes, [Outcome::Nowhere]);
    assert!(!Layout::default().has_level(0));
}

#[test]
fn an_orphan_is_reported_and_does_not_make_its_parent() {
    let row = |kind, values: &[u8]| Given {
        kind,
        values: values.iter().map(|value| Some(*value)).collect(),
        is_welcome: true,
    };
    let rows = [
        row(RowKind::Level(1), &[1, 5, 6]),
        row(RowKind::Level(0), &[1]),
        row(RowKind::Level(1), &[1, 5, 6]),
        row(RowKind::Level(1), &[2, 5, 6]),
        row(RowKind::Level(2), &[2]),
    ];
    let result = feed(&family(), Order::Any, &rows, PLAIN);
    assert_eq!(
        result.outcomes,
        [
            Outcome::Orphan(0),
            Outcome::Placed,
            Outcome::Placed,
            Outcome::Orphan(0),
            Outcome::Nowhere,
        ]
    );
    assert_eq!(result.tree.len(), 1);
}

#[test]
fn a_layout_tells_where_the_columns_of_a_row_are() {
    let mut layout = family();
    let leaf = Collection {
        parent: Some(1),
        width: 3,
        key: vec![2],
        presence: vec![],
    };
    assert_eq!(layout.add(&leaf), 2);
    let keyless = Collection {
        key: vec![],
        ..leaf.clone()
    };
    assert_eq!(layout.add(&keyless), 3);
    let below = Collection {
        parent: Some(3),
        ..leaf
    };
    assert_eq!(layout.add(&below), 4);

    assert_eq!(layout.width(RowKind::Joined), 12);
    assert_eq!(layout.width(RowKind::Level(2)), 5);
    assert_eq!(layout.start(RowKind::Joined, 2), 3);
    assert_eq!(layout.start(RowKind::Level(2), 2), 2);
    assert_eq!(layout.key(RowKind::Joined, 2), [5]);
    assert_eq!(layout.key(RowKind::Level(2), 2), [4]);
    assert_eq!(layout.key(RowKind::Level(2), 1), [1]);
    assert_eq!(layout.key(RowKind::Level(2), 0), [0]);
    assert!(layout.has_level(3));
    assert!(!layout.has_level(4), "a keyless record cannot be looked up");
}
