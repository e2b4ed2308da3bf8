//! The cache against a naive model, checked in full after every operation.
#![allow(missing_docs)]

use std::collections::{BTreeSet, HashMap};

use meshaccel_core::cache::{Lifetime, Limits, Name, Offer, Removed, TagCache};
use proptest::prelude::*;

/// Hashes are taken modulo this in half of the tests: nearly all of them collide.
const FEW: u64 = 3;

#[derive(Clone, Copy)]
struct Text {
    name: u8,
    hashes: u64,
}

impl Name<u8> for Text {
    fn hash(&self) -> u64 {
        hash(self.name, self.hashes)
    }
    fn is(&self, kept: &u8) -> bool {
        self.name == *kept
    }
    fn keep(&self) -> u8 {
        self.name
    }
}

fn hash(name: u8, hashes: u64) -> u64 {
    u64::from(name).wrapping_mul(0x1234_5678_9ABC_DEF1) % hashes
}

#[derive(Debug, Clone)]
enum Op {
    Get(u8),
    Contains(u8),
    Set {
        key: u8,
        tags: Vec<u8>,
        ttl: Option<u64>,
        idle: Option<u64>,
        weight: u64,
        flight: Option<usize>,
    },
    Touch(u8, Option<u64>),
    Remove(u8),
    Invalidate(Vec<u8>),
    Sweep(usize),
    Clear,
    Begin,
    End(usize),
    Pass(u64),
}

fn op() -> impl Strategy<Value = Op> {
    let key = 0..12u8;
    let tags = prop::collection::vec(0..6u8, 0..4);
    let span = prop_oneof![1..40u64, 1_000..60_000u64, 1..5_000_000_000u64];
    let flight = prop::option::weighted(0.3, 0..4usize);
    prop_oneof![
        4 => key.clone().prop_map(Op::Get),
        1 => key.clone().prop_map(Op::Contains),
        6 => (
            key.clone(),
            tags.clone(),
            prop::option::of(span.clone()),
            prop::option::weighted(0.3, span.clone()),
            0..9u64,
            flight,
        ).prop_map(|(key, tags, ttl, idle, weight, flight)| {
            Op::Set { key, tags, ttl, idle, weight, flight }
        }),
        1 => (key.clone(), prop::option::of(span.clone())).prop_map(|(key, ttl)| Op::Touch(key, ttl)),
        1 => key.prop_map(Op::Remove),
        2 => tags.prop_map(Op::Invalidate),
        1 => (0..4usize).prop_map(Op::Sweep),
        1 => Just(Op::Begin),
        1 => (0..4usize).prop_map(Op::End),
        2 => span.prop_map(Op::Pass),
        1 => prop::bool::weighted(0.05).prop_map(|yes| if yes { Op::Clear } else { Op::Sweep(9) }),
    ]
}

struct Kept {
    value: u32,
    tags: BTreeSet<u8>,
    end: u64,
    idle: Option<u64>,
    deadline: u64,
}

/// What changed since a flight began.
#[derive(Default)]
struct Changed {
    everything: bool,
    keys: BTreeSet<u8>,
    tags: BTreeSet<u8>,
}

/// Entries by key. Says what a cache without limits would hold; one with limits holds a part.
#[derive(Default)]
struct Model {
    entries: HashMap<u8, Kept>,
    flights: Vec<(u64, Changed)>,
    now: u64,
}

impl Model {
    fn alive(&self, key: u8) -> Option<&Kept> {
        self.entries
            .get(&key)
            .filter(|kept| kept.deadline > self.now)
    }

    fn change(&mut self, mut note: impl FnMut(&mut Changed)) {
        for (_, changed) in &mut self.flights {
            note(changed);
        }
    }
}

struct Run {
    cache: TagCache<u8, u32>,
    model: Model,
    hashes: u64,
    bounded: bool,
    counter: u32,
}

impl Run {
    fn text(&self, name: u8) -> Text {
        Text {
            name,
            hashes: self.hashes,
        }
    }

    fn step(&mut self, op: Op) {
        let now = self.model.now;
        let mut removed = Removed::new();
        match op {
            Op::Get(key) => {
                let found = self
                    .cache
                    .get(&self.text(key), || now, &mut removed)
                    .copied();
                self.found(key, found);
                if let Some(kept) = self.model.entries.get_mut(&key)
                    && let (Some(idle), true) = (kept.idle, found.is_some())
                {
                    kept.deadline = kept.end.min(now + idle);
                }
            }
            Op::Contains(key) => {
                let deadline = self.cache.deadline(&self.text(key), || now);
                let expected = self.model.alive(key).map(|kept| kept.deadline);
                if !self.bounded || deadline.is_some() {
                    assert_eq!(deadline.map(|at| at.unwrap_or(u64::MAX)), expected);
                }
            }
            Op::Set {
                key,
                tags,
                ttl,
                idle,
                weight,
                flight,
            } => self.set(key, &tags, Lifetime { ttl, idle }, weight, flight),
            Op::Touch(key, ttl) => {
                let lifetime = Lifetime { ttl, idle: None };
                let name = self.text(key);
                let touched = self.cache.touch(&name, lifetime, now, &mut removed);
                assert!(touched == self.model.alive(key).is_some() || self.bounded);
                if let (true, Some(kept)) = (touched, self.model.entries.get_mut(&key)) {
                    kept.end = ttl.map_or(u64::MAX, |ttl| now + ttl);
                    kept.deadline = kept.end;
                    kept.idle = None;
                }
            }
            Op::Remove(key) => {
                let was_there = self.cache.remove(&self.text(key), now, &mut removed);
                assert!(was_there == self.model.alive(key).is_some() || self.bounded);
                self.model.entries.remove(&key);
                self.model.change(|changed| {
                    changed.keys.insert(key);
                });
            }
            Op::Invalidate(tags) => {
                let before = self.cache.len();
                let names: Vec<_> = tags.iter().map(|&tag| self.text(tag)).collect();
                let gone = self.cache.invalidate(&names, &mut removed);
                assert_eq!(before - gone, self.cache.len());
                assert_eq!(gone, removed.len());
                self.model
                    .entries
                    .retain(|_, kept| !tags.iter().any(|tag| kept.tags.contains(tag)));
                self.model.change(|changed| changed.tags.extend(&tags));
            }
            Op::Sweep(steps) => {
                assert!(self.cache.sweep(now, steps, &mut removed) <= steps);
            }
            Op::Clear => {
                drop(self.cache.clear());
                self.model.entries.clear();
                self.model.change(|changed| changed.everything = true);
                assert!(self.cache.is_empty());
            }
            Op::Begin => {
                let began = self.cache.begin_flight();
                self.model.flights.push((began, Changed::default()));
            }
            Op::End(index) => {
                if index < self.model.flights.len() {
                    let (began, _) = self.model.flights.remove(index);
                    self.cache.end_flight(began);
                }
            }
            Op::Pass(time) => self.model.now += time,
        }
        let hashes = self.hashes;
        assert_eq!(self.cache.validate(|&key| hash(key, hashes)), Ok(()));
    }

    fn set(
        &mut self,
        key: u8,
        tags: &[u8],
        lifetime: Lifetime,
        weight: u64,
        flight: Option<usize>,
    ) {
        let now = self.model.now;
        self.counter += 1;
        let flight = flight.and_then(|index| self.model.flights.get(index));
        let fresh = flight.is_none_or(|(_, changed)| {
            let tag_changed = tags.iter().any(|tag| changed.tags.contains(tag));
            !changed.everything && !tag_changed && !changed.keys.contains(&key)
        });
        let offer = Offer {
            value: self.counter,
            lifetime,
            weight,
            since: flight.map(|&(began, _)| began),
        };
        let names: Vec<_> = tags.iter().map(|&tag| self.text(tag)).collect();
        let name = self.text(key);
        let mut removed = Removed::new();
        let stored = self.cache.set(&name, &names, offer, now, &mut removed);
        let Lifetime { ttl, idle } = lifetime;
        // With hashes that collide, a change of one name is a change of others.
        assert!(stored == (fresh && (!self.bounded || weight <= 8)) || self.hashes == FEW);
        if offer.since.is_none() {
            self.model.change(|changed| {
                changed.keys.insert(key);
            });
        }
        if stored {
            let end = ttl.map_or(u64::MAX, |ttl| now + ttl);
            let kept = Kept {
                value: self.counter,
                tags: tags.iter().copied().collect(),
                end,
                idle,
                deadline: end.min(idle.map_or(u64::MAX, |idle| now + idle)),
            };
            self.model.entries.insert(key, kept);
        } else {
            assert!(removed.contains(&self.counter));
        }
    }

    fn found(&self, key: u8, found: Option<u32>) {
        let expected = self.model.alive(key).map(|kept| kept.value);
        if !self.bounded || found.is_some() {
            assert_eq!(found, expected);
        }
    }
}

fn run(ops: Vec<Op>, limits: Limits, hashes: u64, bounded: bool) {
    let mut run = Run {
        cache: TagCache::new(limits, 0.0, 1),
        model: Model::default(),
        hashes,
        bounded,
        counter: 0,
    };
    for op in ops {
        run.step(op);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn holds_what_a_map_holds(
        ops in prop::collection::vec(op(), 0..120),
        hashes in prop_oneof![Just(FEW), Just(u64::MAX)],
    ) {
        run(ops, Limits { entries: 1_000, weight: None }, hashes, false);
    }

    #[test]
    fn holds_a_part_of_it_when_bounded(
        ops in prop::collection::vec(op(), 0..120),
        hashes in prop_oneof![Just(FEW), Just(u64::MAX)],
        entries in 1..8u32,
        weight in prop::option::of(8..30u64),
    ) {
        run(ops, Limits { entries, weight }, hashes, true);
    }
}

fn name(name: u8) -> Text {
    Text {
        name,
        hashes: u64::MAX,
    }
}

struct Number(u32);

impl Name<u32> for Number {
    fn hash(&self) -> u64 {
        u64::from(self.0).wrapping_mul(0x9E37_79B9_7F4A_7C15)
    }
    fn is(&self, kept: &u32) -> bool {
        self.0 == *kept
    }
    fn keep(&self) -> u32 {
        self.0
    }
}

const fn offer<V>(value: V) -> Offer<V> {
    Offer {
        value,
        lifetime: Lifetime {
            ttl: None,
            idle: None,
        },
        weight: 0,
        since: None,
    }
}

#[test]
fn large_tags_are_taken_out_by_and_by() {
    const MEMBERS: u32 = 10_000;
    let members = MEMBERS as usize;
    let limits = Limits {
        entries: 100_000,
        weight: None,
    };
    let mut cache = TagCache::new(limits, 0.0, 1);
    let mut removed = Removed::new();
    let (all, odd, other) = (Number(1_000_001), Number(1_000_002), Number(1_000_003));
    for n in 0..MEMBERS {
        let key = Number(n);
        let tags = if n % 2 == 1 {
            vec![&all, &odd]
        } else {
            vec![&all]
        };
        let tags: Vec<_> = tags.into_iter().map(|tag| Number(tag.0)).collect();
        cache.set(&key, &tags, offer(n), 0, &mut removed);
    }
    cache.set(
        &Number(77_777),
        &[Number(odd.0), other],
        offer(0),
        0,
        &mut removed,
    );
    assert_eq!(cache.invalidate(&[Number(all.0)], &mut removed), members);
    assert_eq!((cache.len(), removed.len()), (1, 512));
    assert_eq!(cache.pending(), members - 512);
    // What is still to be taken out is not to be found, and counts for no second tag.
    assert!((0..MEMBERS).all(|n| cache.deadline(&Number(n), || 0).is_none()));
    assert_eq!(cache.invalidate(&[odd], &mut removed), 1);
    assert!(cache.is_empty() && cache.keys().next().is_none());
    // The name is free meanwhile: what carries it now is alive.
    cache.set(&Number(5), &[Number(all.0)], offer(5), 0, &mut removed);
    assert_eq!(cache.len(), 1);
    assert_eq!(cache.validate(|&key| Number(key).hash()), Ok(()));
    while cache.sweep(0, 100, &mut removed) == 100 {}
    assert_eq!((cache.pending(), removed.len()), (0, members + 1));
    assert_eq!(cache.invalidate(&[all], &mut removed), 1);
    assert_eq!(cache.validate(|&key| Number(key).hash()), Ok(()));
}

#[test]
fn notes_of_changes_are_bounded_and_forgotten_with_the_last_flight() {
    let limits = Limits {
        entries: 10,
        weight: None,
    };
    let mut cache: TagCache<u32, u32> = TagCache::new(limits, 0.0, 1);
    let mut removed = Removed::new();
    let old = cache.begin_flight();
    for n in 0..100_000 {
        cache.invalidate(&[Number(n)], &mut removed);
    }
    let young = cache.begin_flight();
    // Too much has changed to tell: whoever asks about an old flight is told so.
    assert!(cache.has_outlived(old, None, &[Number(999_999)]));
    assert!(!cache.has_outlived(young, None, &[Number(999_999)]));
    cache.end_flight(old);
    cache.end_flight(young);
    assert_eq!(cache.validate(|&key| Number(key).hash()), Ok(()));
    let next = cache.begin_flight();
    assert!(!cache.has_outlived(next, None, &[Number(5)]));
}

#[test]
fn what_expires_leaves_on_writes_without_being_read() {
    let limits = Limits {
        entries: 1_000_000,
        weight: None,
    };
    let mut cache = TagCache::new(limits, 0.5, 7);
    let mut removed = Removed::new();
    for n in 0..10_000u32 {
        let lifetime = Lifetime {
            ttl: Some(1_000_000 * u64::from(1 + n % 5_000)),
            idle: None,
        };
        let offer = Offer {
            lifetime,
            ..offer(n)
        };
        cache.set(
            &Number(n),
            &[Number(n % 10 + 1_000_000)],
            offer,
            0,
            &mut removed,
        );
    }
    let later = 5_000_000_001;
    for n in 20_000..21_500u32 {
        cache.set(&Number(n), &[], offer(n), later, &mut removed);
    }
    assert_eq!((cache.len(), cache.tags()), (1_500, 0));
    assert_eq!(cache.counters().expired, 10_000);
    assert_eq!(cache.validate(|&key| Number(key).hash()), Ok(()));
}

#[test]
fn a_value_too_heavy_is_refused_and_the_old_one_leaves() {
    let limits = Limits {
        entries: 10,
        weight: Some(5),
    };
    let mut cache = TagCache::new(limits, 0.0, 1);
    let mut removed = Removed::new();
    assert!(cache.set(&name(1), &[], offer(1), 0, &mut removed));
    let heavy = Offer {
        weight: 6,
        ..offer(2)
    };
    assert!(!cache.set(&name(1), &[], heavy, 0, &mut removed));
    assert_eq!((cache.len(), removed.to_vec()), (0, vec![2, 1]));
}
