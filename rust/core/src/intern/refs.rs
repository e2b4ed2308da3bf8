//! A value in four bytes.

use std::fmt;

/// A value of a pool: the number of a node, or the value itself if it is None, a bool or an
/// integer of 30 bits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Ref(u32);

const IMMEDIATE: u32 = 1 << 31;
const INT: u32 = IMMEDIATE | 1 << 30;
const INT_BITS: u32 = 30;
const INT_MASK: u32 = (1 << INT_BITS) - 1;

/// What a [`Ref`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Node(usize),
    Null,
    Bool(bool),
    Int(i64),
}

impl Ref {
    /// How many nodes can be numbered.
    pub(super) const NODES: usize = IMMEDIATE as usize;
    /// None.
    pub const NULL: Self = Self(IMMEDIATE);

    pub(super) fn boolean(value: bool) -> Self {
        Self(IMMEDIATE | 1 | u32::from(value) << 1)
    }

    /// None if the integer needs a node.
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "compared afterwards"
    )]
    pub(super) fn int(value: i64) -> Option<Self> {
        let candidate = Self(INT | value as u32 & INT_MASK);
        (candidate.kind() == Kind::Int(value)).then_some(candidate)
    }

    /// None beyond [`Self::NODES`].
    pub(super) fn node(number: usize) -> Option<Self> {
        let number = u32::try_from(number).ok()?;
        (number < IMMEDIATE).then_some(Self(number))
    }

    pub(super) fn kind(self) -> Kind {
        if self.0 & IMMEDIATE == 0 {
            return Kind::Node(self.0 as usize);
        }
        if self.0 & INT == INT {
            // Shifted up and down again, the sign is extended.
            let shift = u32::BITS - INT_BITS;
            return Kind::Int(i64::from((self.0 << shift).cast_signed() >> shift));
        }
        match self.0 & !IMMEDIATE {
            0 => Kind::Null,
            bits => Kind::Bool(bits & 2 != 0),
        }
    }

    /// The number of its node, if it has one.
    pub(super) fn number(self) -> Option<usize> {
        (self.0 & IMMEDIATE == 0).then_some(self.0 as usize)
    }

    /// What has these bits: a value, or whatever is kept among values.
    pub(super) fn of_bits(bits: u32) -> Self {
        Self(bits)
    }

    /// Its bits: different for different values of one pool at one time.
    #[must_use]
    pub fn bits(self) -> u32 {
        self.0
    }
}

impl fmt::Debug for Ref {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.kind().fmt(f)
    }
}
