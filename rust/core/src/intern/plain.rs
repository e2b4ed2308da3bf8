//! What a value would take as plain Python objects of its own.

use hashbrown::HashSet;

use super::Ref;
use super::cons::Graph;
use super::read::Value;

impl Graph {
    /// Bytes of the objects that `json.loads` makes for a value, in Python 3.11 of 64 bits. It
    /// makes each key once, and nothing for None, bools and small integers.
    pub(super) fn plain_bytes(&self, value: Ref) -> u64 {
        let mut bytes = 0;
        let mut keys_seen: HashSet<u32> = HashSet::new();
        let mut pending = vec![value];
        while let Some(value) = pending.pop() {
            bytes += match self.value(value) {
                Value::Null | Value::Bool(_) | Value::Int(-5..=256) => 0,
                Value::Int(_) => 32,
                Value::Float(_) => 24,
                Value::Big(bytes) => 32 + bytes.len() as u64,
                Value::Text(text) => string_bytes(text),
                Value::List(refs) => {
                    pending.extend(refs);
                    56 + 8 * refs.len() as u64
                }
                Value::Dict(keys, refs) => {
                    pending.extend(refs);
                    pending.extend(keys.iter().filter(|key| keys_seen.insert(key.bits())));
                    dict_bytes(refs.len() as u64)
                }
            };
        }
        bytes
    }
}

/// Objects are rounded up to this.
const ALIGN: u64 = 16;

fn string_bytes(text: &[u8]) -> u64 {
    // Lone surrogates count as what replaces them, which is as wide.
    let text = String::from_utf8_lossy(text);
    let length = text.chars().count() as u64;
    let object = match text.chars().max() {
        None | Some('\0'..='\x7f') => 49 + length,
        Some('\u{80}'..='\u{ff}') => 73 + length,
        Some('\u{100}'..='\u{ffff}') => 74 + 2 * length,
        Some(_) => 76 + 4 * length,
    };
    object.next_multiple_of(ALIGN)
}

fn dict_bytes(entries: u64) -> u64 {
    if entries == 0 {
        return 64;
    }
    // A power of two of slots, two thirds of which are used; an index of 1, 2 or 4 bytes for
    // each; 16 bytes for each entry.
    let slots = (entries * 3).div_ceil(2).next_power_of_two().max(8);
    let index = match slots {
        0..=0x80 => 1,
        0x81..=0x8000 => 2,
        _ => 4,
    };
    (96 + slots * index + slots * 2 / 3 * 16).next_multiple_of(ALIGN)
}
