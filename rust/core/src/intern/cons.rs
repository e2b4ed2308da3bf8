//! From a tape to nodes, innermost first, so that no value is looked up before its parts are.

use super::arena::Arena;
use super::hash::{ContentHasher, Hashes};
use super::limits::{Full, Limits};
use super::node::{Content, Summary};
use super::plain::Plain;
use super::refs::Ref;
use super::shapes::{Entry, Shapes};
use crate::digest::float_bits;
use crate::tape::{Tape, Token};

/// The nodes and the shapes of their dicts, which hold each other.
#[derive(Debug)]
pub(super) struct Graph {
    pub arena: Arena,
    pub shapes: Shapes,
    /// Bytes that count against the limit and are not ours.
    pub beside: usize,
    limits: Limits,
}

impl Graph {
    pub(super) fn new(seed: u64, hash_bits: u32, limits: Limits) -> Self {
        let mask = u32::MAX
            .checked_shr(u32::BITS - hash_bits.min(u32::BITS))
            .unwrap_or(0);
        Self {
            arena: Arena::new(Hashes { seed, mask }, limits),
            shapes: Shapes::new(seed, mask),
            beside: 0,
            limits,
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.arena.bytes() + self.shapes.bytes()
    }

    /// The value of a tape, if it is there. Takes O(tokens) time: of a node among them only the
    /// hash is read.
    pub(super) fn find(&self, tape: &Tape<'_>) -> Option<Ref> {
        if let [token] = tape.tokens()
            && let Some(value) = immediate(token)
        {
            return Some(value);
        }
        let mut hasher = ContentHasher::new(self.arena.hashes);
        tape.replay(&mut hasher, |value, hasher| {
            hasher.add(self.arena.hash(value));
        });
        let is_same = |value| self.is_same(tape, value);
        self.arena.find(hasher.finish(), is_same)
    }

    /// The value of a tape, with one more ref.
    ///
    /// On an error nothing has changed.
    pub(super) fn intern(&mut self, tape: &Tape<'_>) -> Result<Ref, Full> {
        let mut building = Building::default();
        for token in tape.tokens() {
            if let Err(full) = self.step(&mut building, token) {
                self.release(building.parts.iter().map(|part| part.value));
                return Err(full);
            }
        }
        Ok(building.parts.pop().map_or(Ref::NULL, |part| part.value))
    }

    fn step(&mut self, building: &mut Building, token: &Token<'_>) -> Result<(), Full> {
        if let Some(value) = immediate(token) {
            let part = self.known(value);
            building.parts.push(part);
            return Ok(());
        }
        let hashes = self.arena.hashes;
        let part = match *token {
            Token::Null | Token::Bool(_) | Token::Node(_) => return Ok(()),
            Token::Int(value) => {
                let content = Content::Int(value);
                self.scalar(content, hashes.int(value), Plain::int(value))?
            }
            Token::Big(bytes) => {
                self.check_length(bytes)?;
                let content = Content::Big(bytes);
                self.scalar(content, hashes.big(bytes), Plain::big(bytes))?
            }
            Token::Float(value) => {
                let bits = float_bits(value);
                self.scalar(Content::Float(bits), hashes.float(bits), Plain::float())?
            }
            Token::Text(text) => {
                self.check_length(text)?;
                let content = Content::Text(text);
                self.scalar(content, hashes.text(text), Plain::text(text))?
            }
            Token::Key(text) => {
                self.check_length(text)?;
                let content = Content::Text(text);
                self.scalar(content, hashes.text(text), Plain::default())?
            }
            Token::List { .. } | Token::Dict { .. } => {
                let is_dict = matches!(token, Token::Dict { .. });
                building.open.push((building.parts.len(), is_dict));
                return Ok(());
            }
            Token::Close => match building.open.pop() {
                Some((start, true)) => self.dict(building, start)?,
                Some((start, false)) => self.list(building, start)?,
                None => return Ok(()),
            },
        };
        building.parts.push(part);
        Ok(())
    }

    /// A value that needs no node or has one.
    fn known(&mut self, value: Ref) -> Part {
        self.arena.retain(value);
        let summary = Summary {
            hash: self.arena.hash(value),
            plain: self.plain(value),
        };
        Part { value, summary }
    }

    fn check_length(&self, bytes: &[u8]) -> Result<(), Full> {
        let limit = self.limits.string;
        if bytes.len() > limit {
            return Err(Full::String(limit));
        }
        Ok(())
    }

    fn scalar(&mut self, content: Content<'_>, hash: u32, plain: Plain) -> Result<Part, Full> {
        let summary = Summary { hash, plain };
        let (value, _) = self.add(content, summary)?;
        Ok(Part { value, summary })
    }

    fn add(&mut self, content: Content<'_>, summary: Summary) -> Result<(Ref, bool), Full> {
        let beside = self.shapes.bytes() + self.beside;
        self.arena.intern(content, summary, beside)
    }

    fn list(&mut self, building: &mut Building, start: usize) -> Result<Part, Full> {
        let Building { parts, values, .. } = building;
        let items = parts.get(start..).unwrap_or_default();
        let mut hash = self.arena.hashes.list();
        values.clear();
        for item in items {
            hash.item(item.summary.hash);
            values.push(item.value);
        }
        let summary = Summary {
            hash: self.arena.hashes.whole(hash),
            plain: Plain::list(items.len()).with(items.iter().map(|item| item.summary.plain)),
        };
        let (value, is_new) = self.add(Content::List(values), summary)?;
        // A new node keeps the refs; a known one has its own.
        if !is_new {
            self.release(values.drain(..));
        }
        parts.truncate(start);
        Ok(Part { value, summary })
    }

    fn dict(&mut self, building: &mut Building, start: usize) -> Result<Part, Full> {
        let Building {
            parts,
            entries,
            values,
            ..
        } = building;
        let pairs = parts.get(start..).unwrap_or_default().as_chunks::<2>().0;
        let mut hash = self.arena.hashes.dict();
        entries.clear();
        for (place, [key, value]) in (0..).zip(pairs) {
            hash.entry(self.arena.hashes.key(key.summary.hash), value.summary.hash);
            entries.push(Entry {
                key: key.value,
                value: value.value,
                place,
            });
        }
        let summary = Summary {
            hash: self.arena.hashes.whole(hash),
            plain: Plain::dict(pairs.len())
                .with(pairs.iter().map(|[_, value]| value.summary.plain)),
        };
        entries.sort_unstable_by_key(|entry| entry.key);
        let (shape, new_shape) = self.shapes.count(entries, values);
        let interned = self.add(Content::Dict(shape, values), summary);
        // The shape keeps its keys, if it is still there, and a new node its values.
        let new_node = matches!(interned, Ok((_, true)));
        let dropped = if new_node {
            None
        } else {
            self.shapes.release(shape)
        };
        let (value, _) = interned?;
        let keeps_keys = new_shape && dropped.is_none();
        for [key, value] in pairs {
            if !keeps_keys {
                self.release_surplus(key.value);
            }
            if !new_node {
                self.release_surplus(value.value);
            }
        }
        parts.truncate(start);
        Ok(Part { value, summary })
    }

    /// Take back refs, and whatever only they kept.
    pub(super) fn release(&mut self, refs: impl IntoIterator<Item = Ref>) {
        let mut pending: Vec<Ref> = Vec::new();
        for value in refs {
            // Most are not the last ones, and need no list of what they held.
            let mut next = Some(value);
            while let Some(value) = next {
                if let Some(shape) = self.arena.release(value, &mut pending) {
                    pending.extend(self.shapes.release(shape).unwrap_or_default());
                }
                next = pending.pop();
            }
        }
    }

    /// Take back one ref to a value that has others.
    fn release_surplus(&mut self, value: Ref) {
        self.arena.release(value, &mut Vec::new());
    }
}

/// What has been interned of a value.
#[derive(Debug, Default)]
struct Building {
    /// The parts of open lists and dicts, each with a ref of ours; in dicts, keys and values in
    /// turn.
    parts: Vec<Part>,
    /// Where the parts of each begin, and whether it is a dict.
    open: Vec<(usize, bool)>,
    entries: Vec<Entry>,
    values: Vec<Ref>,
}

/// A value that has been interned, with a ref of ours.
#[derive(Debug, Clone, Copy)]
struct Part {
    value: Ref,
    summary: Summary,
}

/// The value of a token that needs no node or has one.
fn immediate(token: &Token<'_>) -> Option<Ref> {
    match *token {
        Token::Null => Some(Ref::NULL),
        Token::Bool(value) => Some(Ref::boolean(value)),
        Token::Int(value) => Ref::int(value),
        Token::Node(value) => Some(value),
        _ => None,
    }
}
