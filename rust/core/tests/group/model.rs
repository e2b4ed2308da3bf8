//! What a fold promises, written down without regard to speed.

use meshaccel_core::group::{CollectionId, Layout, Order, RowKind};

use crate::rows::{Fed, Given, Outcome, Record, Value};

/// A record by the way to it: each collection from the outermost one, with its key or, without
/// a key, the number of the row.
type Path = Vec<(CollectionId, Result<Vec<Value>, usize>)>;

/// Every record ever opened is searched from the start for every row.
pub fn naive(layout: &Layout, rows: &[Given], order: Order) -> Fed {
    let mut known: Vec<(Path, usize)> = Vec::new();
    let mut outcomes = Vec::new();
    for (number, given) in rows.iter().enumerate() {
        let (outcome, paths) = match given.kind {
            RowKind::Joined => joined(layout, given, number),
            RowKind::Level(level) => at_level(layout, given, number, level, &known),
        };
        let last = known.iter().rfind(|(path, _)| path.len() == 1);
        let outermost = paths.first();
        let is_reopened = order == Order::Grouped
            && outermost.is_some_and(|path| known.iter().any(|(other, _)| other == path))
            && outermost != last.map(|(path, _)| path);
        outcomes.push(match outcome {
            Outcome::Placed if is_reopened => Outcome::Reopened,
            Outcome::Placed if !given.is_welcome => Outcome::Declined,
            Outcome::Placed => {
                for path in paths {
                    if known.iter().all(|(other, _)| *other != path) {
                        known.push((path, number));
                    }
                }
                Outcome::Placed
            }
            refused => refused,
        });
    }
    let tree = records(layout, &known, &[], 0);
    Fed { outcomes, tree }
}

/// Bring rows of one outermost record together, leaving their order alone otherwise.
pub fn sorted(layout: &Layout, rows: &mut [Given]) {
    let columns = layout.key(RowKind::Joined, 0);
    rows.sort_by_key(|row| values(row, columns));
}

fn values(row: &Given, columns: &[usize]) -> Vec<Value> {
    columns.iter().map(|&column| row.values[column]).collect()
}

fn key(layout: &Layout, row: &Given, number: usize, id: CollectionId) -> Result<Vec<Value>, usize> {
    match layout.key(row.kind, id) {
        [] => Err(number),
        columns => Ok(values(row, columns)),
    }
}

/// The collections of these tests are absent if their key, or else the first column, is NULL.
fn is_absent(layout: &Layout, row: &Given, id: CollectionId) -> bool {
    let key = values(row, layout.key(row.kind, id));
    match key[..] {
        [] => row.values[layout.start(row.kind, id)].is_none(),
        _ => key.iter().all(Option::is_none),
    }
}

fn joined(layout: &Layout, row: &Given, number: usize) -> (Outcome, Vec<Path>) {
    let mut paths: Vec<Option<Path>> = Vec::new();
    for id in 0..layout.len() {
        let above = match layout.parent(id) {
            None => Some(Vec::new()),
            Some(parent) => paths[parent].clone(),
        };
        paths.push(match above {
            Some(mut path) if !is_absent(layout, row, id) => {
                path.push((id, key(layout, row, number, id)));
                Some(path)
            }
            _ => None,
        });
    }
    match paths[0] {
        None => (Outcome::Nowhere, Vec::new()),
        Some(_) => (Outcome::Placed, paths.into_iter().flatten().collect()),
    }
}

fn at_level(
    layout: &Layout,
    row: &Given,
    number: usize,
    level: CollectionId,
    known: &[(Path, usize)],
) -> (Outcome, Vec<Path>) {
    let mut above = Vec::new();
    let mut next = layout.parent(level);
    while let Some(id) = next {
        above.insert(0, id);
        next = layout.parent(id);
    }
    let mut path = Path::new();
    for id in above {
        path.push((id, key(layout, row, number, id)));
        if known.iter().all(|(other, _)| *other != path) {
            let outcome = if is_absent(layout, row, id) {
                Outcome::Nowhere
            } else {
                Outcome::Orphan(id)
            };
            return (outcome, Vec::new());
        }
    }
    if is_absent(layout, row, level) {
        return (Outcome::Nowhere, Vec::new());
    }
    path.push((level, key(layout, row, number, level)));
    (Outcome::Placed, vec![path])
}

fn records(
    layout: &Layout,
    known: &[(Path, usize)],
    above: &[(CollectionId, Result<Vec<Value>, usize>)],
    id: CollectionId,
) -> Vec<Record> {
    let is_member = |path: &Path| {
        path.len() == above.len() + 1
            && path.starts_with(above)
            && path.last().is_some_and(|(last, _)| *last == id)
    };
    let members = known.iter().filter(|(path, _)| is_member(path));
    members
        .map(|(path, row)| Record {
            row: *row,
            children: (0..layout.len())
                .filter(|child| layout.parent(*child) == Some(id))
                .map(|child| (child, records(layout, known, path, child)))
                .filter(|(_, members)| !members.is_empty())
                .collect(),
        })
        .collect()
}
