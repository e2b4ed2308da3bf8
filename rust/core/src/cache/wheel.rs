//! When entries expire: a hierarchical timing wheel (Varghese and Lauck, 1987) that turns only
//! when asked, as many steps as asked.
//!
//! Level 0 has a bucket per tick, each next level one per 64 buckets of the level before. An
//! entry moves down at most once per level. The wheel only finds what is due; a read looks at
//! the deadline itself, to the microsecond.

use super::list::List;
use super::slab::{Entry, NO_BUCKET, Slab, Timed};

/// Microseconds per tick, as a power of two: 16 ms.
const TICK: u32 = 14;
const LEVELS: u32 = 6;
const BITS: u32 = 6;
const SLOTS: usize = 64;

#[derive(Debug)]
pub(super) struct Wheel {
    buckets: Box<[[List; SLOTS]]>,
    /// By level: the buckets that are not empty.
    occupied: [u64; LEVELS as usize],
    /// The tick up to which everything due was found.
    elapsed: u64,
    /// Before this tick there is nothing to do.
    rest_until: u64,
}

/// What a turn of the wheel came to.
pub(super) enum Turn {
    /// This entry's deadline has passed. It has left the wheel.
    Due(u32),
    /// An entry moved to another bucket.
    Moved,
    /// Nothing is due.
    Rest,
}

impl Wheel {
    pub fn new() -> Self {
        Self {
            buckets: vec![[List::EMPTY; SLOTS]; LEVELS as usize].into_boxed_slice(),
            occupied: [0; LEVELS as usize],
            elapsed: 0,
            rest_until: u64::MAX,
        }
    }

    /// Take note of the deadline of an entry, if it has one. The entry is in no bucket.
    pub fn insert<K, V>(&mut self, slab: &mut Slab<K, V>, slot: u32) {
        let entry = &mut slab[slot];
        if !entry.is_timed() {
            return;
        }
        let tick = due_tick(entry).max(self.elapsed);
        let highest = (tick ^ self.elapsed).checked_ilog2().unwrap_or(0);
        let level = (highest / BITS).min(LEVELS - 1);
        let index = index(tick, level);
        self.rest_until = self.rest_until.min(start(tick, level));
        entry.set_bucket(u16::try_from(level as usize * SLOTS + index).unwrap_or(NO_BUCKET));
        self.occupied[level as usize] |= 1 << index;
        self.buckets[level as usize][index].push_back(&mut Timed(slab), slot);
    }

    /// Take out an entry, if it is in a bucket.
    pub fn remove<K, V>(&mut self, slab: &mut Slab<K, V>, slot: u32) {
        let bucket = usize::from(slab[slot].bucket());
        if bucket == usize::from(NO_BUCKET) {
            return;
        }
        slab[slot].set_bucket(NO_BUCKET);
        let (level, index) = (bucket / SLOTS, bucket % SLOTS);
        let list = &mut self.buckets[level][index];
        list.remove(&mut Timed(slab), slot);
        if list.is_empty() {
            self.occupied[level] &= !(1 << index);
        }
    }

    /// Do one step towards `now`, in microseconds.
    pub fn turn<K, V>(&mut self, slab: &mut Slab<K, V>, now: u64) -> Turn {
        let target = now >> TICK;
        if target < self.rest_until {
            return Turn::Rest;
        }
        loop {
            if let Some(slot) = self.current() {
                self.remove(slab, slot);
                if slab[slot].deadline() <= now {
                    return Turn::Due(slot);
                }
                // Its turn is later: on a lower level, or put off by a hit.
                self.insert(slab, slot);
                return Turn::Moved;
            }
            let next = self.next_tick().unwrap_or(u64::MAX);
            if next > target {
                self.elapsed = self.elapsed.max(target);
                self.rest_until = next;
                return Turn::Rest;
            }
            self.elapsed = next;
        }
    }

    /// An entry in a bucket whose time has come, from the top down.
    fn current(&self) -> Option<u32> {
        (0..LEVELS).rev().find_map(|level| {
            let index = index(self.elapsed, level);
            self.buckets[level as usize][index].first()
        })
    }

    /// The start of the next bucket that is not empty. None wraps around: a bucket's ticks
    /// differ from `elapsed` in this level's digit and agree in all higher ones.
    fn next_tick(&self) -> Option<u64> {
        (0..LEVELS).find_map(|level| {
            let shift = level * BITS;
            let later = u64::MAX
                .checked_shl(u32::try_from(index(self.elapsed, level)).unwrap_or(0) + 1)
                .unwrap_or(0);
            let found = self.occupied[level as usize] & later;
            let block = self.elapsed >> (shift + BITS) << (shift + BITS);
            (found != 0).then(|| block | u64::from(found.trailing_zeros()) << shift)
        })
    }

    /// The number of entries in buckets, each of which must say so.
    pub fn count<K, V>(&self, slab: &Slab<K, V>) -> Option<usize> {
        let mut count = 0;
        for (number, list) in self.buckets.iter().flatten().enumerate() {
            let (level, index) = (number / SLOTS, number % SLOTS);
            if list.is_empty() == (self.occupied[level] >> index & 1 == 1) {
                return None;
            }
            let mut next = list.first();
            while let Some(slot) = next {
                if usize::from(slab[slot].bucket()) != number {
                    return None;
                }
                count += 1;
                let following = slab.places(slot).timer.next;
                next = (following != super::list::NIL).then_some(following);
            }
        }
        Some(count)
    }
}

/// The first tick at which the entry has certainly expired.
fn due_tick<K, V>(entry: &Entry<K, V>) -> u64 {
    (entry.deadline() >> TICK) + 1
}

/// The first tick of the bucket that a tick is in.
fn start(tick: u64, level: u32) -> u64 {
    tick >> (level * BITS) << (level * BITS)
}

fn index(tick: u64, level: u32) -> usize {
    usize::try_from(tick >> (level * BITS) & (SLOTS as u64 - 1)).unwrap_or(0)
}
