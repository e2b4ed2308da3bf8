//! What must be true of a cache between any two calls. For tests: takes time in proportion to
//! everything there is.

use super::{TagCache, fold, list::NIL};

impl<K, V> TagCache<K, V> {
    /// Check every structure against every other.
    ///
    /// # Errors
    /// What does not fit, in words for whoever changes this crate.
    pub fn validate(&self, hash: impl Fn(&K) -> u64) -> Result<(), String> {
        let ensure = |holds: bool, what: &str| holds.then_some(()).ok_or_else(|| what.to_owned());
        let len = self.slab.len() as usize;
        ensure(self.slab.iter().count() == len, "slab miscounts")?;
        ensure(self.table.len() == len, "table and slab differ")?;
        for &slot in &self.table {
            let entry = &self.slab[slot];
            let (key, _) = entry.kept.as_ref().ok_or("the table names a free slot")?;
            ensure(entry.hash == fold(hash(key)), "an entry has another's hash")?;
            ensure(
                entry.is_idle_timed() == self.idle.contains_key(&slot),
                "idle lifetimes leak",
            )?;
        }
        let idle = self.idle.len();
        ensure(idle <= len, "idle lifetimes outlive entries")?;

        let (queued, ghosts_in_bounds) = self.queues.check();
        ensure(queued == len as u64, "queues and slab differ")?;
        ensure(
            self.queues.slots(&self.slab).count() == len,
            "queues miscount",
        )?;
        ensure(ghosts_in_bounds, "too many ghosts")?;
        ensure(len <= self.limits.entries as usize, "too many entries")?;
        let weight: u64 = self
            .slab
            .iter()
            .map(|(slot, ..)| self.weight_of(slot))
            .sum();
        ensure(weight == self.queues.weight(), "weights differ")?;
        ensure(
            self.limits.weight.is_none_or(|limit| weight <= limit),
            "too heavy",
        )?;

        let timed = self
            .slab
            .iter()
            .filter(|&(slot, ..)| self.slab[slot].is_timed());
        let in_wheel = self.wheel.count(&self.slab).ok_or("the wheel is broken")?;
        ensure(in_wheel == timed.count(), "wheel and deadlines differ")?;

        let firsts = self
            .slab
            .iter()
            .map(|(slot, ..)| (slot, self.slab[slot].edges));
        self.tags.check(firsts.filter(|&(_, first)| first != NIL))?;
        let dying = self
            .slab
            .iter()
            .filter(|&(slot, ..)| self.tags.is_dying(self.slab[slot].edges));
        ensure(
            dying.count() == self.dying as usize,
            "the dying are miscounted",
        )?;
        let flights = self.flights.open();
        ensure(
            flights > 0 || self.flights.noted() == 0,
            "notes outlive flights",
        )
    }
}
