//! The nodes, each found by its content.

use hashbrown::HashTable;

use super::hash::Hashes;
use super::heap::{Heap, make_room};
use super::limits::{Full, Limits};
use super::node::{Content, Kind, Node, Summary, is_plain};
use super::plain::Plain;
use super::refs::Ref;
use super::shapes::ShapeId;
use crate::output::Output;

#[derive(Debug)]
pub(super) struct Arena {
    nodes: Vec<Node>,
    texts: Texts,
    refs: Refs,
    /// The place that is filled next.
    vacant: Option<u32>,
    live: usize,
    /// What the contents of live nodes take.
    held: usize,
    index: HashTable<u32>,
    pub hashes: Hashes,
    limits: Limits,
}

type Texts = Heap<u8, 4>;
type Refs = Heap<Ref, 1>;

/// What lists have before their items: a [`Plain`].
const LIST: usize = 1;

/// What dicts have before their values: the same, and the id of their shape.
const DICT: usize = 2;

/// The end of the list of vacant places.
const NONE: u32 = u32::MAX;

/// Most strings are no longer.
const SHORT: usize = 32;

/// Bytes of the index for each node, with the room that it keeps.
const INDEXED: usize = 8;

impl Arena {
    pub(super) fn new(hashes: Hashes, limits: Limits) -> Self {
        Self {
            nodes: Vec::new(),
            texts: Heap::new(),
            refs: Heap::new(),
            vacant: None,
            live: 0,
            held: 0,
            index: HashTable::new(),
            hashes,
            limits,
        }
    }

    pub(super) fn live(&self) -> usize {
        self.live
    }

    pub(super) fn bytes(&self) -> usize {
        self.live * (size_of::<Node>() + INDEXED) + self.held
    }

    #[inline]
    pub(super) fn content(&self, number: usize) -> Option<Content<'_>> {
        self.content_of(self.nodes.get(number)?)
    }

    #[inline]
    fn content_of(&self, node: &Node) -> Option<Content<'_>> {
        let (place, len) = (node.place, node.len());
        Some(match node.kind() {
            Kind::Vacant => return None,
            Kind::Text | Kind::Plain => Content::Text(self.texts.get(place, len)),
            Kind::List => Content::List(self.refs.get(place, len + LIST).get(LIST..)?),
            Kind::Dict => {
                let ([_, shape], values) = self.refs.get(place, len + DICT).split_first_chunk()?;
                Content::Dict(shape.bits(), values)
            }
            Kind::Big => Content::Big(self.texts.get(place, len)),
            Kind::Int => Content::Int(i64::from_le_bytes(self.word(place)?)),
            Kind::Float => Content::Float(u64::from_le_bytes(self.word(place)?)),
        })
    }

    fn word(&self, place: u32) -> Option<[u8; 8]> {
        self.texts.get(place, 8).try_into().ok()
    }

    /// The bytes of a string.
    #[inline]
    pub(super) fn text(&self, number: usize) -> Option<&[u8]> {
        let node = self.nodes.get(number)?;
        let is_text = matches!(node.kind(), Kind::Text | Kind::Plain);
        is_text.then(|| self.texts.get(node.place, node.len()))
    }

    /// Append a string that stands in JSON as it is, between other bytes. Returns false if it is
    /// anything else.
    #[inline]
    pub(super) fn write_plain<const BEFORE: usize, const AFTER: usize>(
        &self,
        before: [u8; BEFORE],
        number: usize,
        after: [u8; AFTER],
        out: &mut Output,
    ) -> bool {
        let Some(node) = self
            .nodes
            .get(number)
            .filter(|node| node.kind() == Kind::Plain)
        else {
            return false;
        };
        let len = node.len();
        let room = out.room(BEFORE + len.max(SHORT) + AFTER);
        if let Some((first, rest)) = room.split_first_chunk_mut() {
            *first = before;
            match (self.texts.chunk(node.place), rest.first_chunk_mut()) {
                // As many bytes as fit a register or two are copied faster than so many as needed.
                (Some(chunk), Some(rest)) if len <= SHORT => {
                    let chunk: &[u8; SHORT] = chunk;
                    *rest = *chunk;
                }
                _ => {
                    let text = self.texts.get(node.place, len).iter();
                    rest.iter_mut().zip(text).for_each(|(to, from)| *to = *from);
                }
            }
            if let Some(rest) = rest.get_mut(len..).and_then(<[u8]>::first_chunk_mut) {
                *rest = after;
            }
        }
        out.advance(BEFORE + len + AFTER);
        true
    }

    pub(super) fn refs(&self, number: usize) -> u32 {
        self.nodes.get(number).map_or(0, |node| node.refs)
    }

    /// What a list or dict would take as plain objects.
    pub(super) fn plain(&self, value: Ref) -> Plain {
        let node = value.number().and_then(|number| self.nodes.get(number));
        let node = node.filter(|node| matches!(node.kind(), Kind::List | Kind::Dict));
        let first = node.and_then(|node| self.refs.get(node.place, 1).first());
        Plain(first.map_or(0, |first| first.bits()))
    }

    /// The hash of a value.
    pub(super) fn hash(&self, value: Ref) -> u32 {
        match value.number().and_then(|number| self.nodes.get(number)) {
            Some(node) => node.hash,
            None => self.hashes.immediate(value.kind()),
        }
    }

    /// The first node of this hash that is the wanted one.
    pub(super) fn find(&self, hash: u32, is_it: impl Fn(Ref) -> bool) -> Option<Ref> {
        let found = self.index.find(spread(hash), |&number| {
            self.nodes
                .get(number as usize)
                .is_some_and(|node| node.hash == hash && is_it(Ref::of_bits(number)))
        });
        found.map(|&number| Ref::of_bits(number))
    }

    /// The node of a string.
    pub(super) fn find_text(&self, text: &[u8]) -> Option<Ref> {
        self.find(self.hashes.text(text), |value| {
            value.number().and_then(|number| self.text(number)) == Some(text)
        })
    }

    /// Count one more ref to a value.
    pub(super) fn retain(&mut self, value: Ref) {
        if let Some(node) = value.number().and_then(|number| self.nodes.get_mut(number)) {
            node.refs = node.refs.saturating_add(1);
        }
    }

    /// The node of some content, with one more ref, and whether it is new. So many bytes are
    /// used beside the nodes.
    pub(super) fn intern(
        &mut self,
        content: Content<'_>,
        summary: Summary,
        beside: usize,
    ) -> Result<(Ref, bool), Full> {
        let known = self.find(summary.hash, |value| {
            value.number().and_then(|number| self.content(number)) == Some(content)
        });
        if let Some(known) = known {
            self.retain(known);
            return Ok((known, false));
        }
        let added = self.add(content, summary, beside);
        added.map(|added| (added, true))
    }

    fn add(
        &mut self,
        content: Content<'_>,
        Summary { hash, plain }: Summary,
        beside: usize,
    ) -> Result<Ref, Full> {
        let limits = self.limits;
        if self.live >= limits.nodes {
            return Err(Full::Nodes(limits.nodes));
        }
        let (kind, len) = measure(content);
        if len > Node::LONGEST {
            return Err(Full::String(Node::LONGEST));
        }
        let held = held(kind, len);
        let added = size_of::<Node>() + INDEXED + held + beside;
        if self.bytes().saturating_add(added) > limits.bytes {
            return Err(Full::Bytes(limits.bytes));
        }
        let number = self
            .vacant
            .map_or(self.nodes.len(), |number| number as usize);
        let value = Ref::node(number).ok_or(Full::Nodes(Ref::NODES))?;
        // More than 16 GB cannot be addressed.
        let place = self.put(content, plain).ok_or(Full::Bytes(self.bytes()))?;
        let node = Node::new(kind, len, place, hash);
        match self.nodes.get_mut(number) {
            None => {
                make_room(&mut self.nodes, 1);
                self.nodes.push(node);
            }
            Some(known) => {
                self.vacant = (known.place != NONE).then_some(known.place);
                *known = node;
            }
        }
        let nodes = &self.nodes;
        self.index
            .insert_unique(spread(hash), value.bits(), |&other| {
                nodes
                    .get(other as usize)
                    .map_or(0, |node| spread(node.hash))
            });
        self.live += 1;
        self.held += held;
        Ok(value)
    }

    fn put(&mut self, content: Content<'_>, plain: Plain) -> Option<u32> {
        let plain = Ref::of_bits(plain.0);
        match content {
            Content::Int(value) => self.texts.put(&value.to_le_bytes(), &[]),
            Content::Float(bits) => self.texts.put(&bits.to_le_bytes(), &[]),
            Content::Big(bytes) | Content::Text(bytes) => self.texts.put(bytes, &[]),
            Content::List(refs) => self.refs.put(&[plain], refs),
            Content::Dict(shape, refs) => self.refs.put(&[plain, Ref::of_bits(shape)], refs),
        }
    }

    /// Take back one ref. If that was the last one the node goes: the refs that it held are now
    /// the caller's, and so is its use of a shape.
    pub(super) fn release(&mut self, value: Ref, held_refs: &mut Vec<Ref>) -> Option<ShapeId> {
        let number = value.number()?;
        let node = self.nodes.get_mut(number)?;
        if node.refs == u32::MAX {
            return None;
        }
        node.refs = node.refs.saturating_sub(1);
        if node.refs > 0 {
            return None;
        }
        let (kind, len, place, hash) = (node.kind(), node.len(), node.place, node.hash);
        *node = Node::new(Kind::Vacant, 0, self.vacant.unwrap_or(NONE), 0);
        self.vacant = Some(value.bits());
        let mut shape = None;
        match kind {
            Kind::Vacant => {}
            Kind::Int | Kind::Float => self.texts.free(place, 8),
            Kind::Big | Kind::Text | Kind::Plain => self.texts.free(place, len),
            Kind::List => {
                held_refs.extend(self.refs.get(place, len + LIST).iter().skip(LIST));
                self.refs.free(place, len + LIST);
            }
            Kind::Dict => {
                let run = self.refs.get(place, len + DICT);
                if let Some(([_, first], values)) = run.split_first_chunk() {
                    shape = Some(first.bits());
                    held_refs.extend(values);
                }
                self.refs.free(place, len + DICT);
            }
        }
        let entry = self
            .index
            .find_entry(spread(hash), |&other| other == value.bits());
        if let Ok(entry) = entry {
            entry.remove();
        }
        self.live -= 1;
        self.held -= held(kind, len);
        if self.live == 0 {
            *self = Self::new(self.hashes, self.limits);
        }
        shape
    }
}

/// The kind of node for some content, and its length.
fn measure(content: Content<'_>) -> (Kind, usize) {
    match content {
        Content::Int(_) => (Kind::Int, 0),
        Content::Float(_) => (Kind::Float, 0),
        Content::Big(bytes) => (Kind::Big, bytes.len()),
        Content::Text(text) if is_plain(text) => (Kind::Plain, text.len()),
        Content::Text(text) => (Kind::Text, text.len()),
        Content::List(refs) => (Kind::List, refs.len()),
        Content::Dict(_, refs) => (Kind::Dict, refs.len()),
    }
}

/// Bytes that a content takes beside its node.
fn held(kind: Kind, len: usize) -> usize {
    match kind {
        Kind::Vacant => 0,
        Kind::Int | Kind::Float => Texts::bytes(8),
        Kind::Big | Kind::Text | Kind::Plain => Texts::bytes(len),
        Kind::List => Refs::bytes(len + LIST),
        Kind::Dict => Refs::bytes(len + DICT),
    }
}

/// The table takes its position from the low and its tag from the high bits.
fn spread(hash: u32) -> u64 {
    u64::from(hash).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}
