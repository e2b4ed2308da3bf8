//! Room for what nodes of any length hold, without a header for each.

use hashbrown::HashMap;

/// Runs of items in one vector, each at a place of its own. `GRAIN` items are a unit: places are
/// counted in units, and a run takes whole ones.
///
/// A run that went leaves room for the next one of about its length. Memory is given back when
/// all are gone.
#[derive(Debug)]
pub(super) struct Heap<T, const GRAIN: usize> {
    items: Vec<T>,
    /// Places that are free, by units.
    vacant: HashMap<usize, Vec<u32>>,
}

/// Runs of up to so many units get what they need, longer ones up to an eighth more.
const EXACT: usize = 16;

impl<T: Copy + Default, const GRAIN: usize> Heap<T, GRAIN> {
    pub(super) fn new() -> Self {
        Self {
            items: Vec::new(),
            vacant: HashMap::new(),
        }
    }

    /// Bytes that a run of this length takes.
    pub(super) fn bytes(len: usize) -> usize {
        units::<GRAIN>(len) * GRAIN * size_of::<T>()
    }

    /// Store a run, which is two parts one after the other. None if there is no place left.
    pub(super) fn put(&mut self, head: &[T], tail: &[T]) -> Option<u32> {
        let len = head.len() + tail.len();
        let units = units::<GRAIN>(len);
        let known = self.vacant.get_mut(&units).and_then(Vec::pop);
        let place = if let Some(place) = known {
            place
        } else {
            let end = self.items.len();
            make_room(&mut self.items, units * GRAIN);
            self.items.resize(end + units * GRAIN, T::default());
            u32::try_from(end / GRAIN).ok()?
        };
        let start = place as usize * GRAIN;
        let middle = start + head.len();
        self.items.get_mut(start..middle)?.copy_from_slice(head);
        self.items
            .get_mut(middle..start + len)?
            .copy_from_slice(tail);
        Some(place)
    }

    /// A run, by its place and length.
    #[inline]
    pub(super) fn get(&self, place: u32, len: usize) -> &[T] {
        let start = place as usize * GRAIN;
        self.items.get(start..start + len).unwrap_or_default()
    }

    /// The first items of a run and whatever comes after it, if there are as many.
    #[inline]
    pub(super) fn chunk<const N: usize>(&self, place: u32) -> Option<&[T; N]> {
        self.items.get(place as usize * GRAIN..)?.first_chunk()
    }

    /// Let a run go.
    pub(super) fn free(&mut self, place: u32, len: usize) {
        self.vacant
            .entry(units::<GRAIN>(len))
            .or_default()
            .push(place);
    }
}

/// Make room for more items. Where a vector by itself would double, this adds an eighth: what a
/// pool does not use would weigh more than the copying.
pub(super) fn make_room<T>(items: &mut Vec<T>, added: usize) {
    if items.capacity() - items.len() < added {
        items.reserve_exact(added.max(items.len() / 8).max(16));
    }
}

fn units<const GRAIN: usize>(len: usize) -> usize {
    let units = len.div_ceil(GRAIN);
    if units <= EXACT {
        return units;
    }
    units.next_multiple_of(1 << (units.ilog2() - 3))
}
