//! One node: 16 bytes. What it holds is in a [`super::heap::Heap`].

use super::Ref;
use super::plain::Plain;
use super::shapes::ShapeId;

#[derive(Debug)]
pub(super) struct Node {
    /// Where in the heap of its kind its content is; if it is vacant, the next such node.
    pub place: u32,
    kind_and_len: u32,
    /// From nodes and from outside. A node of `u32::MAX` refs is never taken away.
    pub refs: u32,
    /// Of its content.
    pub hash: u32,
}

// What memory and cache lines are counted in.
const _: () = assert!(size_of::<Node>() == 16);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    Vacant,
    Int,
    Float,
    Big,
    Text,
    /// A string that stands in JSON as it is.
    Plain,
    List,
    Dict,
}

const KIND_BITS: u32 = 3;

impl Kind {
    const ALL: [Self; 1 << KIND_BITS] = [
        Self::Vacant,
        Self::Int,
        Self::Float,
        Self::Big,
        Self::Text,
        Self::Plain,
        Self::List,
        Self::Dict,
    ];
}

impl Node {
    /// The longest content.
    pub(super) const LONGEST: usize = (1 << (u32::BITS - KIND_BITS)) - 1;

    pub(super) fn new(kind: Kind, len: usize, place: u32, hash: u32) -> Self {
        let len = u32::try_from(len).unwrap_or_default();
        Self {
            place,
            kind_and_len: len << KIND_BITS | kind as u32,
            refs: 1,
            hash,
        }
    }

    #[inline]
    pub(super) fn kind(&self) -> Kind {
        Kind::ALL[(self.kind_and_len & ((1 << KIND_BITS) - 1)) as usize]
    }

    /// How many bytes, items or values it holds.
    #[inline]
    pub(super) fn len(&self) -> usize {
        (self.kind_and_len >> KIND_BITS) as usize
    }
}

/// What follows from the content of a value, and is kept beside it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Summary {
    /// As [`super::hash`] computes it.
    pub hash: u32,
    /// What it would take as plain Python objects.
    pub plain: Plain,
}

/// What a node is, wherever it keeps it. Equal contents are one node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content<'a> {
    /// An integer of more than 30 and at most 64 bits.
    Int(i64),
    /// The bits of a float.
    Float(u64),
    /// An integer of more than 64 bits.
    Big(&'a [u8]),
    Text(&'a [u8]),
    List(&'a [Ref]),
    /// The values are in the order of the keys of the shape.
    Dict(ShapeId, &'a [Ref]),
}

/// Refs are numbers of our own making, so nobody can choose them to collide at will.
pub(super) fn mix_refs(seed: u64, refs: &[Ref]) -> u64 {
    refs.iter()
        .fold(seed, |hash, value| mix(hash, u64::from(value.bits())))
}

pub(super) fn mix(hash: u64, value: u64) -> u64 {
    let product = u128::from(hash ^ value.wrapping_mul(0x9e37_79b9_7f4a_7c15))
        .wrapping_mul(0xd6e8_feb8_6659_fd93_ca5a_8263_95fc_9d37);
    #[expect(clippy::cast_possible_truncation, reason = "both halves are used")]
    let folded = (product >> 64) as u64 ^ product as u64;
    folded
}

/// Whether text is UTF-8, and JSON escapes nothing in it.
pub(super) fn is_plain(text: &[u8]) -> bool {
    // What UTF-8 has instead of a surrogate has a smaller second byte.
    let surrogate = |pair: &[u8]| matches!(pair, [0xed, second] if *second >= 0xa0);
    text.iter()
        .all(|&byte| byte >= b' ' && byte != b'"' && byte != b'\\')
        && (text.is_ascii() || !text.windows(2).any(surrogate))
}
