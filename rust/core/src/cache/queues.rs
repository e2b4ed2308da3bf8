//! S3-FIFO, which entry to evict: Yang et al., "FIFO queues are all you need for cache eviction"
//! (SOSP 2023), with a threshold of one hit.
//!
//! New entries queue in `small`, a tenth of the cache. At its end those that were hit go on to
//! `main`, the others leave and are remembered as ghosts. In `main` a hit buys another round. A
//! hit moves nothing: it counts to three.

use super::ghost::Ghost;
use super::list::List;
use super::slab::{Queued, Slab};

/// A queue and what it holds.
#[derive(Debug)]
struct Queue {
    list: List,
    len: u64,
    weight: u64,
}

impl Queue {
    const EMPTY: Self = Self {
        list: List::EMPTY,
        len: 0,
        weight: 0,
    };
}

#[derive(Debug)]
pub(super) struct Queues {
    small: Queue,
    main: Queue,
    ghost: Ghost,
    small_entries: u64,
    small_weight: u64,
    ghosts: usize,
}

impl Queues {
    /// For a cache of so many entries and so much weight.
    pub fn new(max_entries: u32, max_weight: Option<u64>) -> Self {
        let small_entries = u64::from(max_entries / 10).max(1);
        let main_entries = u64::from(max_entries).saturating_sub(small_entries);
        Self {
            small: Queue::EMPTY,
            main: Queue::EMPTY,
            ghost: Ghost::default(),
            small_entries,
            small_weight: max_weight.map_or(u64::MAX, |weight| (weight / 10).max(1)),
            ghosts: usize::try_from(main_entries).unwrap_or(usize::MAX),
        }
    }

    pub fn weight(&self) -> u64 {
        self.small.weight + self.main.weight
    }

    /// Whether a key of this hash was evicted lately; it is no ghost any more.
    pub fn revive(&mut self, hash: u32) -> bool {
        self.ghost.remove(hash)
    }

    pub fn push<K, V>(&mut self, slab: &mut Slab<K, V>, slot: u32, weight: u64, in_main: bool) {
        slab[slot].set_in_main(in_main);
        let queue = self.queue(in_main);
        queue.list.push_back(&mut Queued(slab), slot);
        queue.len += 1;
        queue.weight += weight;
    }

    pub fn remove<K, V>(&mut self, slab: &mut Slab<K, V>, slot: u32, weight: u64) {
        let queue = self.queue(slab[slot].in_main());
        queue.list.remove(&mut Queued(slab), slot);
        queue.len -= 1;
        queue.weight -= weight;
    }

    /// The entry to evict next, which stays where it is. `None`: there is no entry.
    ///
    /// Each step on the way uses up a hit, so it takes constant time per hit and eviction.
    pub fn victim<K, V>(
        &mut self,
        slab: &mut Slab<K, V>,
        weigh: impl Fn(u32) -> u64,
    ) -> Option<u32> {
        loop {
            let small_is_full =
                self.small.len >= self.small_entries || self.small.weight >= self.small_weight;
            let from_main = !self.main.list.is_empty() && !small_is_full;
            let slot = match self.queue(from_main).list.first() {
                Some(slot) => slot,
                None => self.main.list.first()?,
            };
            let entry = &mut slab[slot];
            if entry.hits() == 0 {
                return Some(slot);
            }
            if entry.in_main() {
                entry.forget_hit();
            } else {
                entry.forget_hits();
            }
            let weight = weigh(slot);
            self.remove(slab, slot, weight);
            self.push(slab, slot, weight, true);
        }
    }

    /// Remember an entry that is evicted, if it is one worth remembering.
    pub fn note_eviction<K, V>(&mut self, slab: &Slab<K, V>, slot: u32) {
        let entry = &slab[slot];
        if !entry.in_main() {
            self.ghost.add(entry.hash, self.ghosts);
        }
    }

    /// Both queues, oldest first: `small`, then `main`.
    pub fn slots<K, V>(&self, slab: &Slab<K, V>) -> impl Iterator<Item = u32> {
        [&self.small, &self.main]
            .into_iter()
            .flat_map(move |queue| {
                std::iter::successors(queue.list.first(), |&slot| {
                    let next = slab.places(slot).queue.next;
                    (next != super::list::NIL).then_some(next)
                })
            })
    }

    /// Entries in both queues, as counted; and whether the ghosts keep within their bounds.
    pub fn check(&self) -> (u64, bool) {
        let in_bounds =
            self.ghost.len() <= self.ghosts && self.ghost.order_len() <= 2 * self.ghosts + 64;
        (self.small.len + self.main.len, in_bounds)
    }

    fn queue(&mut self, main: bool) -> &mut Queue {
        if main {
            &mut self.main
        } else {
            &mut self.small
        }
    }
}
