//! A bounded cache whose entries name, as tags, what they were derived from.
//!
//! No clock is read here: times are passed in, in microseconds from a start of the caller's
//! choice. No value is dropped here either, since that may run foreign code, which may come back
//! to the cache: values that leave go to a [`Removed`] of the caller's. Keys and names of tags
//! are dropped, and are to be of a kind that runs no such code.

mod entering;
mod flights;
mod ghost;
mod inspection;
mod leaving;
mod lifetime;
mod list;
mod queues;
mod slab;
mod tags;
mod validate;
mod wheel;

use hashbrown::{HashMap, HashTable};
use smallvec::SmallVec;

pub use entering::Offer;
use flights::Flights;
pub use inspection::Counters;
pub use lifetime::Lifetime;
use lifetime::{Idle, Jitter};
use list::NIL;
use queues::Queues;
use slab::Slab;
use tags::Tags;
use wheel::{Turn, Wheel};

/// Values that have left a cache, to be dropped where foreign code may run.
pub type Removed<V> = SmallVec<[V; 4]>;

/// Entries looked at for having expired or been invalidated, per write.
const STEPS_PER_WRITE: usize = 32;

/// Entries that an invalidation takes out at once; writes and misses after it do the rest.
pub const STEPS_PER_INVALIDATION: usize = 512;

/// Names that [`TagCache::get_many`] takes without asking for memory.
pub const MANY: usize = 64;

/// Tells the hash of a key from that of a tag of the same name.
const KEY: u64 = 0x5851_F42D_4C95_7F2D;

/// The name of an entry or a tag, as its caller holds it.
pub trait Name<K> {
    /// Its hash, equal for equal names.
    fn hash(&self) -> u64;
    /// Whether it equals a name that was kept.
    fn is(&self, kept: &K) -> bool;
    /// What to keep of it.
    fn keep(&self) -> K;
}

/// What a cache holds at most.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Number of entries.
    pub entries: u32,
    /// Sum of the weights of the entries.
    pub weight: Option<u64>,
}

/// Something is to be taken out first.
#[derive(Debug, Clone, Copy)]
pub struct Untidy;

/// Where the entry of a key is.
enum Located {
    At(u32),
    Nowhere,
    /// Here, but its time is up or it was invalidated.
    Gone(u32),
}

/// Values by key, dropped by tag, evicted by S3-FIFO when the cache is full.
#[derive(Debug)]
pub struct TagCache<K, V> {
    limits: Limits,
    table: HashTable<u32>,
    slab: Slab<K, V>,
    queues: Queues,
    tags: Tags<K>,
    wheel: Wheel,
    flights: Flights,
    /// By slot; empty if weights are not limited.
    weights: Vec<u64>,
    /// Of the entries whose deadline hits put off.
    idle: HashMap<u32, Idle>,
    jitter: Jitter,
    /// Entries that were invalidated and are still to be taken out.
    dying: u32,
    now: u64,
    counters: Counters,
}

impl<K, V> TagCache<K, V> {
    /// An empty cache. Lifetimes are shortened at random, by up to the share `jitter` of them.
    #[must_use]
    pub fn new(limits: Limits, jitter: f64, seed: u64) -> Self {
        let entries = limits.entries.min(NIL - 1);
        Self {
            limits: Limits { entries, ..limits },
            table: HashTable::new(),
            slab: Slab::new(),
            queues: Queues::new(entries, limits.weight),
            tags: Tags::new(),
            wheel: Wheel::new(),
            flights: Flights::default(),
            weights: Vec::new(),
            idle: HashMap::new(),
            jitter: Jitter::new(jitter, seed),
            dying: 0,
            now: 0,
            counters: Counters::default(),
        }
    }

    /// The value of a key, and note of its use. Reads the time only if the entry has a deadline.
    pub fn get(
        &mut self,
        name: &impl Name<K>,
        now: impl FnOnce() -> u64,
        removed: &mut Removed<V>,
    ) -> Option<&V> {
        let slot = self.find(name);
        self.get_at(slot, now, removed)
    }

    /// As [`TagCache::get`] of each name. First it finds out where their entries may be: of many
    /// looks that do not depend on each other the memory is waited for but once.
    pub fn get_many<N: Name<K>>(
        &mut self,
        names: &[N],
        now: u64,
        removed: &mut Removed<V>,
        mut found: impl FnMut(Option<&V>),
    ) {
        let likely = |name: &N| {
            let hash = fold(name.hash());
            let is_likely = |&slot: &u32| self.slab[slot].hash == hash;
            self.table.find(spread(hash), is_likely).copied()
        };
        let likely: SmallVec<[_; MANY]> = names.iter().map(likely).collect();
        for (name, slot) in names.iter().zip(likely) {
            // Looks take entries out, but bring none.
            let slot = slot.and_then(|slot| {
                let is_it = self.slab[slot].is_of(name);
                if is_it { Some(slot) } else { self.find(name) }
            });
            found(self.get_at(slot, || now, removed));
        }
    }

    /// As [`TagCache::get`], for a caller that is in a hurry: takes nothing out and drops nothing.
    /// `Err` if something is to be taken out; then nothing was noted, and `get` is to be called.
    #[inline]
    #[expect(clippy::missing_errors_doc, reason = "it is no error")]
    pub fn get_quickly(
        &mut self,
        name: &impl Name<K>,
        now: impl FnOnce() -> u64,
    ) -> Result<Option<&V>, Untidy> {
        let slot = self.find(name);
        match self.locate(slot, now) {
            Located::At(slot) => Ok(self.hit(slot)),
            Located::Nowhere if !self.tags.any_dying() => {
                self.counters.misses += 1;
                Ok(None)
            }
            _ => Err(Untidy),
        }
    }

    /// When the entry of a key expires, `None` inside for never. Not a use of it.
    pub fn deadline(&self, name: &impl Name<K>, now: impl FnOnce() -> u64) -> Option<Option<u64>> {
        let slot = self.find(name)?;
        let entry = &self.slab[slot];
        let deadline = entry.is_timed().then(|| entry.deadline());
        let has_expired = deadline.is_some_and(|deadline| deadline <= now());
        (!has_expired && !self.tags.is_dying(entry.edges)).then_some(deadline)
    }

    /// Drop the entry of a key; whether there was one. What is under way for it is outlived.
    pub fn remove(&mut self, name: &impl Name<K>, now: u64, removed: &mut Removed<V>) -> bool {
        self.note_key(name);
        self.now = self.now.max(now);
        let found = self.find_alive(name, removed);
        removed.extend(found.and_then(|slot| self.remove_slot(slot)));
        found.is_some()
    }

    /// Drop every entry that carries one of `tags`. Returns how many those were, those included
    /// whose time was up but which nobody had noticed yet.
    ///
    /// Takes time in proportion to the number of tags: of large ones the entries are taken out
    /// by and by, and are not to be found meanwhile. Only as long as some are still to be taken
    /// out, a further tag costs a look at each of its entries.
    pub fn invalidate<N: Name<K>>(&mut self, tags: &[N], removed: &mut Removed<V>) -> usize {
        self.flights.advance();
        let mut total = 0;
        let mut steps = STEPS_PER_INVALIDATION;
        for tag in tags {
            self.flights.note(tag.hash());
            let slab = &self.slab;
            let gone = self.tags.doom(tag, |slot| slab[slot].edges);
            self.dying += gone;
            total += gone as usize;
            steps -= self.reclaim(steps, removed);
        }
        self.counters.invalidated += total as u64;
        total
    }

    /// Take out entries whose time is up, and what invalidations left, in at most so many steps.
    /// Returns the number of steps: with fewer than allowed, nothing is left to take out.
    pub fn sweep(&mut self, now: u64, steps: usize, removed: &mut Removed<V>) -> usize {
        self.now = self.now.max(now);
        let reclaimed = self.reclaim(steps, removed);
        reclaimed + self.expire(steps - reclaimed, removed)
    }

    /// Drop everything, at once. What is under way is outlived. Counters go on.
    ///
    /// Returns the values, to be dropped where foreign code may run.
    pub fn clear(&mut self) -> impl Iterator<Item = V> + use<K, V> {
        self.flights.advance();
        self.flights.note_everything();
        self.table = HashTable::new();
        self.queues = Queues::new(self.limits.entries, self.limits.weight);
        self.tags = Tags::new();
        self.wheel = Wheel::new();
        self.weights = Vec::new();
        self.idle = HashMap::new();
        self.dying = 0;
        std::mem::replace(&mut self.slab, Slab::new()).into_values()
    }

    /// Begin to compute a value. Everything that is noted until [`TagCache::end_flight`] takes
    /// memory, up to a bound; beyond that, old flights are taken as outlived.
    pub fn begin_flight(&mut self) -> u64 {
        self.flights.begin()
    }

    /// End the flight that `begin_flight` returned, once.
    pub fn end_flight(&mut self, began: u64) {
        self.flights.end(began);
    }

    /// Whether the key or one of the tags has changed since a flight began.
    pub fn has_outlived<N: Name<K>>(&self, began: u64, name: Option<&N>, tags: &[N]) -> bool {
        let key = name.map(|name| name.hash() ^ KEY);
        let tags = tags.iter().map(Name::hash);
        self.flights.outlived(began, key.into_iter().chain(tags))
    }

    #[inline]
    fn get_at(
        &mut self,
        slot: Option<u32>,
        now: impl FnOnce() -> u64,
        removed: &mut Removed<V>,
    ) -> Option<&V> {
        match self.locate(slot, now) {
            Located::At(slot) => self.hit(slot),
            Located::Nowhere => {
                self.counters.misses += 1;
                self.reclaim(STEPS_PER_WRITE, removed);
                None
            }
            Located::Gone(slot) => {
                self.counters.misses += 1;
                self.bury(slot, removed);
                None
            }
        }
    }

    /// What there is of the entry that was found at a slot.
    #[inline(always)]
    #[expect(clippy::inline_always, reason = "as `find`")]
    fn locate(&mut self, slot: Option<u32>, now: impl FnOnce() -> u64) -> Located {
        let Some(slot) = slot else {
            return Located::Nowhere;
        };
        let entry = &self.slab[slot];
        if self.tags.is_dying(entry.edges) {
            return Located::Gone(slot);
        }
        if entry.is_timed() {
            let now = now();
            if entry.deadline() <= now {
                return Located::Gone(slot);
            }
            if entry.is_idle_timed() {
                self.put_off(slot, now);
            }
        }
        Located::At(slot)
    }

    #[inline]
    fn hit(&mut self, slot: u32) -> Option<&V> {
        self.counters.hits += 1;
        let entry = &mut self.slab[slot];
        entry.hit();
        entry.kept.as_ref().map(|(_, value)| value)
    }

    #[inline(always)]
    #[expect(clippy::inline_always, reason = "measured: a look takes a tenth less")]
    fn find(&self, name: &impl Name<K>) -> Option<u32> {
        let hash = fold(name.hash());
        let is_it = |&slot: &u32| {
            let entry = &self.slab[slot];
            entry.hash == hash && entry.is_of(name)
        };
        self.table.find(spread(hash), is_it).copied()
    }

    fn note_key(&mut self, name: &impl Name<K>) {
        self.flights.advance();
        self.flights.note(name.hash() ^ KEY);
    }
}

/// What is kept of a hash.
fn fold(hash: u64) -> u32 {
    let folded = (hash ^ (hash >> 32)) & u64::from(u32::MAX);
    u32::try_from(folded).unwrap_or(0)
}

/// Spread a folded hash over all bits: the table looks at the lowest and the highest.
fn spread(hash: u32) -> u64 {
    u64::from(hash).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}
