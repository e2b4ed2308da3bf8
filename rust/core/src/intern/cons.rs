//! From a tape to nodes, innermost first, so that no value is looked up before its parts are.

use super::arena::Arena;
use super::limits::{Full, Limits};
use super::node::Content;
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
            arena: Arena::new(seed, mask, limits),
            shapes: Shapes::new(seed, mask),
            beside: 0,
            limits,
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.arena.bytes() + self.shapes.bytes()
    }

    /// The value of a tape, with one more ref.
    ///
    /// On an error nothing has changed.
    pub(super) fn intern(&mut self, tape: &Tape<'_>) -> Result<Ref, Full> {
        let mut building = Building::default();
        for token in tape.tokens() {
            if let Err(full) = self.step(&mut building, token) {
                self.release(building.parts);
                return Err(full);
            }
        }
        Ok(building.parts.pop().unwrap_or(Ref::NULL))
    }

    fn step(&mut self, building: &mut Building, token: &Token<'_>) -> Result<(), Full> {
        let part = match *token {
            Token::Null => Ref::NULL,
            Token::Bool(value) => Ref::boolean(value),
            Token::Int(value) => match Ref::int(value) {
                Some(immediate) => immediate,
                None => self.node(Content::Int(value))?,
            },
            Token::Big(bytes) => {
                self.check_length(bytes)?;
                self.node(Content::Big(bytes))?
            }
            Token::Float(value) => self.node(Content::Float(float_bits(value)))?,
            Token::Text(text) | Token::Key(text) => {
                self.check_length(text)?;
                self.node(Content::Text(text))?
            }
            Token::Node(value) => {
                self.arena.retain(value);
                value
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

    fn check_length(&self, bytes: &[u8]) -> Result<(), Full> {
        let limit = self.limits.string;
        if bytes.len() > limit {
            return Err(Full::String(limit));
        }
        Ok(())
    }

    fn node(&mut self, content: Content<'_>) -> Result<Ref, Full> {
        self.add(content).map(|(value, _)| value)
    }

    fn add(&mut self, content: Content<'_>) -> Result<(Ref, bool), Full> {
        let beside = self.shapes.bytes() + self.beside;
        self.arena.intern(content, beside)
    }

    fn list(&mut self, building: &mut Building, start: usize) -> Result<Ref, Full> {
        let items = building.parts.get(start..).unwrap_or_default();
        let (list, is_new) = self.add(Content::List(items))?;
        // A new node keeps the refs; a known one has its own.
        let items = building.parts.drain(start..);
        if !is_new {
            self.release(items);
        }
        Ok(list)
    }

    fn dict(&mut self, building: &mut Building, start: usize) -> Result<Ref, Full> {
        let Building {
            parts,
            entries,
            values,
            ..
        } = building;
        let pairs = parts.get(start..).unwrap_or_default().as_chunks::<2>().0;
        entries.clear();
        entries.extend(
            (0..)
                .zip(pairs)
                .map(|(place, &[key, value])| Entry { key, value, place }),
        );
        entries.sort_unstable_by_key(|entry| entry.key);
        let (shape, new_shape) = self.shapes.count(entries, values);
        let interned = self.add(Content::Dict(shape, values));
        // The shape keeps its keys, if it is still there, and a new node its values.
        let new_node = matches!(interned, Ok((_, true)));
        let dropped = if new_node {
            None
        } else {
            self.shapes.release(shape)
        };
        if interned.is_err() {
            return interned.map(|(dict, _)| dict);
        }
        let keeps_keys = new_shape && dropped.is_none();
        for pair in pairs {
            let &[key, value] = pair;
            if !keeps_keys {
                self.release_surplus(key);
            }
            if !new_node {
                self.release_surplus(value);
            }
        }
        parts.truncate(start);
        interned.map(|(dict, _)| dict)
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
    parts: Vec<Ref>,
    /// Where the parts of each begin, and whether it is a dict.
    open: Vec<(usize, bool)>,
    entries: Vec<Entry>,
    values: Vec<Ref>,
}
