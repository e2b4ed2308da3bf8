//! How long an entry is kept.

use super::TagCache;
use super::slab::{NEVER, NO_BUCKET};

/// How long to keep an entry, in microseconds. `None` is for ever.
#[derive(Debug, Clone, Copy, Default)]
pub struct Lifetime {
    /// From now on.
    pub ttl: Option<u64>,
    /// From the last use on.
    pub idle: Option<u64>,
}

/// The lifetime of an entry whose deadline hits put off.
#[derive(Debug, Clone, Copy)]
pub(super) struct Idle {
    every: u64,
    end: u64,
}

/// Shortens lifetimes at random, so that what was stored together does not expire together.
#[derive(Debug)]
pub(super) struct Jitter {
    share: f64,
    state: u64,
}

impl Jitter {
    pub const fn new(share: f64, seed: u64) -> Self {
        Self { share, state: seed }
    }

    fn shorten(&mut self, ttl: u64) -> u64 {
        if self.share <= 0.0 || ttl >= NEVER {
            return ttl;
        }
        // As the reference does it. A float holds all that is less than `NEVER`.
        #[allow(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss
        )]
        {
            let random = (self.next() >> 11) as f64 / (1u64 << 53) as f64;
            (ttl as f64 * (1.0 - self.share * random)) as u64
        }
    }

    /// `SplitMix64` (Steele, Lea and Flood, 2014).
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.state;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }
}

impl<K, V> TagCache<K, V> {
    /// Set the deadline of an entry, in place of the one it may have.
    pub(super) fn schedule(&mut self, slot: u32, lifetime: Lifetime) {
        let end = until(self.now, lifetime.ttl.map(|ttl| self.jitter.shorten(ttl)));
        let deadline = end.min(until(self.now, lifetime.idle));
        let entry = &mut self.slab[slot];
        if let Some(every) = lifetime.idle {
            self.idle.insert(slot, Idle { every, end });
            entry.set_idle_timed(true);
        } else if entry.is_idle_timed() {
            self.idle.remove(&slot);
            entry.set_idle_timed(false);
        }
        let put_off = deadline >= entry.deadline() && deadline != NEVER;
        entry.set_deadline(deadline);
        if put_off && entry.bucket() != NO_BUCKET {
            // The wheel finds out by itself.
            return;
        }
        self.wheel.remove(&mut self.slab, slot);
        self.wheel.insert(&mut self.slab, slot);
    }

    /// Take its deadline from an entry.
    pub(super) fn unschedule(&mut self, slot: u32) {
        self.wheel.remove(&mut self.slab, slot);
        let entry = &mut self.slab[slot];
        entry.set_deadline(NEVER);
        if entry.is_idle_timed() {
            entry.set_idle_timed(false);
            self.idle.remove(&slot);
        }
    }

    /// Note a use of an entry whose deadline hits put off. The wheel finds out by itself.
    pub(super) fn put_off(&mut self, slot: u32, now: u64) {
        if let Some(&Idle { every, end }) = self.idle.get(&slot) {
            self.slab[slot].set_deadline(end.min(until(now, Some(every))));
        }
    }
}

/// The end of a span that begins now. Whatever does not last for ever ends: if not later, then
/// with the time itself.
fn until(now: u64, span: Option<u64>) -> u64 {
    match span {
        Some(span) if span < NEVER => now.saturating_add(span).min(NEVER - 1),
        _ => NEVER,
    }
}
