//! What a value would take as plain Python objects of its own.

use super::cons::Graph;
use super::read::Value;
use super::refs::Ref;

/// Bytes, in units of what objects are rounded up to; 64 GB is the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Plain(pub u32);

const UNIT: u64 = 16;

impl Plain {
    fn of_bytes(bytes: u64) -> Self {
        Self(u32::try_from(bytes.div_ceil(UNIT)).unwrap_or(u32::MAX))
    }

    pub(super) fn bytes(self) -> u64 {
        u64::from(self.0) * UNIT
    }

    /// Of integers, small ones are made once.
    pub(super) fn int(value: i64) -> Self {
        match value {
            -5..=256 => Self(0),
            _ => Self(2),
        }
    }

    pub(super) fn big(bytes: &[u8]) -> Self {
        Self::of_bytes(32 + bytes.len() as u64)
    }

    pub(super) fn float() -> Self {
        Self::of_bytes(24)
    }

    pub(super) fn text(text: &[u8]) -> Self {
        if text.is_ascii() {
            return Self::of_bytes(49 + text.len() as u64);
        }
        // Lone surrogates count as what replaces them, which is as wide.
        let text = String::from_utf8_lossy(text);
        let length = text.chars().count() as u64;
        Self::of_bytes(match text.chars().max() {
            None | Some('\0'..='\u{ff}') => 73 + length,
            Some('\u{100}'..='\u{ffff}') => 74 + 2 * length,
            Some(_) => 76 + 4 * length,
        })
    }

    /// A list without its items.
    pub(super) fn list(items: usize) -> Self {
        Self::of_bytes(56 + 8 * items as u64)
    }

    /// A dict without its keys and values.
    pub(super) fn dict(entries: usize) -> Self {
        if entries == 0 {
            return Self::of_bytes(64);
        }
        // A power of two of slots, two thirds of which are used; an index of 1, 2 or 4 bytes for
        // each; 16 bytes for each entry.
        let slots = (entries as u64 * 3).div_ceil(2).next_power_of_two().max(8);
        let index = match slots {
            0..=0x80 => 1,
            0x81..=0x8000 => 2,
            _ => 4,
        };
        Self::of_bytes(96 + slots * index + slots * 2 / 3 * 16)
    }

    /// Together with the parts.
    pub(super) fn with(self, parts: impl Iterator<Item = Self>) -> Self {
        Self(parts.fold(self.0, |sum, Self(part)| sum.saturating_add(part)))
    }
}

impl Graph {
    /// What `json.loads` makes for a value, in Python 3.11 of 64 bits, but for the keys, which it
    /// makes once for all dicts.
    pub(super) fn plain(&self, value: Ref) -> Plain {
        match self.value(value) {
            Value::Null | Value::Bool(_) => Plain::default(),
            Value::Int(value) => Plain::int(value),
            Value::Float(_) => Plain::float(),
            Value::Big(bytes) => Plain::big(bytes),
            Value::Text(text) => Plain::text(text),
            Value::List(_) | Value::Dict(..) => self.arena.plain(value),
        }
    }
}
