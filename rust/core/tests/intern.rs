//! Random values in and out of a pool, compared with a model: a map from canonical forms to counts.
#![allow(missing_docs)]

use std::collections::HashMap;

use meshaccel_core::digest::{Kept, Writer, decode};
use meshaccel_core::intern::{Full, Key, Limits, Order, Pool, Settings};
use meshaccel_core::output::Output;
use meshaccel_core::tape::{Sink, Tape, Token, big};
use proptest::collection::vec;
use proptest::prelude::*;

#[derive(Debug, Clone)]
enum Value {
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(String),
    List(Vec<Value>),
    Dict(Vec<(String, Value)>),
}

impl Value {
    fn write<'a>(&'a self, sink: &mut impl Sink<'a>) {
        match self {
            Self::Null => sink.null(),
            Self::Bool(value) => sink.boolean(*value),
            Self::Int(value) => sink.int(*value),
            Self::Float(value) => sink.float(*value),
            Self::Text(text) => sink.text(text.as_bytes()),
            Self::List(items) => {
                sink.open_list();
                for item in items {
                    item.write(sink);
                }
                sink.close();
            }
            Self::Dict(entries) => {
                sink.open_dict();
                for (key, item) in entries {
                    sink.key(key.as_bytes());
                    item.write(sink);
                }
                sink.close();
            }
        }
    }

    fn tape(&self) -> Tape<'_> {
        let mut tape = Tape::default();
        self.write(&mut tape);
        tape
    }

    fn sorted(&self) -> Self {
        match self {
            Self::List(items) => Self::List(items.iter().map(Self::sorted).collect()),
            Self::Dict(entries) => {
                let mut sorted: Vec<_> = entries
                    .iter()
                    .map(|(key, item)| (key.clone(), item.sorted()))
                    .collect();
                sorted.sort_by(|one, other| one.0.cmp(&other.0));
                Self::Dict(sorted)
            }
            scalar => scalar.clone(),
        }
    }

    fn canonical(&self) -> Vec<u8> {
        let mut writer = Writer::<Kept>::new();
        self.sorted().write(&mut writer);
        writer.finish()
    }
}

fn values() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        prop_oneof![any::<i64>(), -3..3_i64].prop_map(Value::Int),
        prop_oneof![any::<f64>(), Just(0.0), Just(-0.0), Just(1.0)].prop_map(Value::Float),
        "[a-c]{0,2}|[a-z\"é]{20,40}".prop_map(Value::Text),
    ];
    scalar.prop_recursive(4, 24, 6, |inner| {
        let entries = vec(("[a-d]{0,2}", inner.clone()), 0..6).prop_map(|mut entries| {
            entries.sort_by(|one, other| one.0.cmp(&other.0));
            entries.dedup_by(|one, other| one.0 == other.0);
            entries.reverse();
            Value::Dict(entries)
        });
        prop_oneof![vec(inner, 0..6).prop_map(Value::List), entries]
    })
}

/// What may look like a value in canonical form.
fn pieces() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![Just(0), Just(0x7f), Just(0x80), Just(0xff)];
    let run = |letter: u8, bytes: Vec<u8>| {
        let len = u8::try_from(bytes.len()).unwrap_or_default();
        [&[letter, len], bytes.as_slice()].concat()
    };
    prop_oneof![
        values().prop_map(|value| value.canonical()),
        vec(byte, 0..12).prop_map(move |bytes| run(b'I', bytes)),
        vec(any::<u8>(), 0..4).prop_map(move |bytes| run(b's', bytes)),
        vec(any::<u8>(), 0..12),
    ]
}

fn pool(hash_bits: u32, limits: Limits) -> Pool {
    Pool::new(Settings {
        seed: 7,
        hash_bits,
        limits,
        memo_bytes: 1000,
    })
}

fn read(pool: &Pool, key: Key) -> Option<Vec<u8>> {
    let mut writer = Writer::<Kept>::new();
    pool.walk(pool.get(key)?, Order::Sorted, &mut writer);
    Some(writer.finish())
}

#[derive(Debug, Clone)]
enum Step {
    Intern(Value),
    Reintern(usize, Value),
    Release(usize),
}

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => values().prop_map(Step::Intern),
        1 => (any::<usize>(), values()).prop_map(|(at, value)| Step::Reintern(at, value)),
        2 => any::<usize>().prop_map(Step::Release),
    ]
}

proptest! {
    #[test]
    fn a_pool_is_a_map_with_counts(
        steps in vec(steps(), 1..40),
        bits in prop_oneof![Just(32_u32), Just(4), Just(0)],
        nodes in prop_oneof![Just(usize::MAX >> 40), Just(20_usize)],
    ) {
        let mut pool = pool(bits, Limits { nodes, ..Limits::default() });
        let mut model: HashMap<Vec<u8>, (Key, u64)> = HashMap::new();
        let mut held: Vec<(Key, Vec<u8>)> = Vec::new();
        for step in steps {
            let before = pool.stats();
            let added = match step {
                Step::Intern(value) => {
                    let interned = pool.intern(&value.tape());
                    interned.map(|key| (key, value.canonical())).ok()
                }
                Step::Reintern(at, value) if !held.is_empty() => {
                    let at = at % held.len();
                    let interned = pool.reintern(held[at].0, &value.tape());
                    if interned.is_ok() {
                        forget(&mut model, &held.swap_remove(at).1);
                    }
                    interned.map(|key| (key, value.canonical())).ok()
                }
                Step::Release(at) if !held.is_empty() => {
                    let (key, form) = held.swap_remove(at % held.len());
                    prop_assert!(pool.release(key).is_ok());
                    forget(&mut model, &form);
                    continue;
                }
                _ => continue,
            };
            if let Some((key, form)) = added {
                let known = model.entry(form.clone()).or_insert((key, 0));
                prop_assert_eq!(known.0, key);
                known.1 += 1;
                held.push((key, form));
            } else {
                let after = pool.stats();
                prop_assert_eq!((after.nodes, after.bytes), (before.nodes, before.bytes));
            }
            prop_assert_eq!(pool.stats().values, model.len());
            prop_assert_eq!(pool.stats().references, held.len() as u64);
            for (key, form) in &held {
                let found = read(&pool, *key);
                prop_assert_eq!(found.as_ref(), Some(form));
            }
        }
        for (key, _) in held {
            prop_assert!(pool.release(key).is_ok());
        }
        let stats = pool.stats();
        prop_assert_eq!((stats.values, stats.nodes, stats.bytes, stats.plain_bytes), (0, 0, 0, 0));
    }

    #[test]
    fn what_was_written_is_read_back(value in values()) {
        let form = value.canonical();
        let tape = decode(&form);
        prop_assert!(tape.is_some());
        let mut writer = Writer::<Kept>::new();
        if let Some(tape) = tape {
            tape.replay(&mut writer, |_, _| {});
        }
        prop_assert_eq!(writer.finish(), form);
    }

    #[test]
    fn what_is_read_has_one_form(items in vec(pieces(), 0..8)) {
        let bytes = [b"l".as_slice(), &items.concat(), b"e"].concat();
        if let Some(tape) = decode(&bytes) {
            for token in tape.tokens() {
                if let Token::Big(bytes) = *token {
                    prop_assert!(bytes.len() > 8);
                    prop_assert_eq!(big::from_hex(&big::to_hex(bytes)), Some(bytes.to_vec()));
                }
            }
            let mut pool = pool(32, Limits::default());
            let key = pool.intern(&tape).ok();
            let form = key.and_then(|key| read(&pool, key)).unwrap_or_default();
            prop_assert!(form.len() <= bytes.len());
            let again = decode(&form).and_then(|tape| pool.intern(&tape).ok());
            prop_assert_eq!(again, key);
        }
    }
}

fn forget(model: &mut HashMap<Vec<u8>, (Key, u64)>, form: &[u8]) {
    if let Some(known) = model.get_mut(form) {
        known.1 -= 1;
        if known.1 == 0 {
            model.remove(form);
        }
    }
}

#[test]
fn the_last_of_equal_names_counts_in_the_place_of_the_first() {
    let mut pool = pool(32, Limits::default());
    let repeated = br#"{"a": [1], "b": 2, "a": {"c": [3, []]}, "b": {}}"#;
    let once = br#"{"a": {"c": [3, []]}, "b": {}}"#;
    let key = pool.intern_json(repeated);
    assert_eq!(key, pool.intern_json(once));
    let many: Vec<String> = (0..50).map(|n| format!("\"{}\": {n}", n % 20)).collect();
    let many = format!("{{{}}}", many.join(","));
    let mut out = Output::default();
    let value = pool
        .intern_json(many.as_bytes())
        .ok()
        .and_then(|key| pool.get(key));
    assert!(value.is_some_and(|value| pool.write_json(value, &mut out).is_ok()));
    let out = out.as_bytes();
    assert!(
        out.starts_with(br#"{"0":40,"1":41,"#),
        "{}",
        out.escape_ascii()
    );
}

#[test]
fn a_full_pool_names_its_limit() {
    let limits = Limits {
        bytes: 300,
        ..Limits::default()
    };
    let mut pool = pool(32, limits);
    let value = Value::Text("x".repeat(1000));
    assert_eq!(pool.intern(&value.tape()), Err(Full::Bytes(300)));
    assert_eq!(pool.stats().bytes, 0);
}
