//! Reading interned values.

use super::cons::Graph;
use super::node::Content;
use super::refs::{Kind, Ref};
use super::shapes::ShapeId;
use crate::tape::Sink;

/// A value, its parts as refs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// None.
    Null,
    /// True or false.
    Bool(bool),
    /// An integer of at most 64 bits.
    Int(i64),
    /// An integer of more than 64 bits.
    Big(&'a [u8]),
    /// A float.
    Float(f64),
    /// A string.
    Text(&'a [u8]),
    /// A list.
    List(&'a [Ref]),
    /// A dict; its keys are strings.
    Dict(&'a [Ref], &'a [Ref]),
}

/// Dicts of so few keys are searched by comparing, larger ones by hash.
const FEW: usize = 8;

impl Graph {
    #[inline]
    pub(super) fn value(&self, value: Ref) -> Value<'_> {
        let number = match value.kind() {
            Kind::Null => return Value::Null,
            Kind::Bool(value) => return Value::Bool(value),
            Kind::Int(value) => return Value::Int(value),
            Kind::Node(number) => number,
        };
        match self.arena.content(number) {
            None => Value::Null,
            Some(Content::Int(value)) => Value::Int(value),
            Some(Content::Float(bits)) => Value::Float(f64::from_bits(bits)),
            Some(Content::Big(bytes)) => Value::Big(bytes),
            Some(Content::Text(text)) => Value::Text(text),
            Some(Content::List(refs)) => Value::List(refs),
            Some(Content::Dict(shape, refs)) => Value::Dict(self.shapes.keys(shape), refs),
        }
    }

    /// The bytes of a string.
    pub(super) fn text(&self, value: Ref) -> Option<&[u8]> {
        self.arena.text(value.number()?)
    }

    /// The value of a key of a dict.
    pub(super) fn field(&self, dict: Ref, key: &[u8]) -> Option<Ref> {
        let Content::Dict(shape, refs) = self.arena.content(dict.number()?)? else {
            return None;
        };
        refs.get(self.place(shape, key)?).copied()
    }

    /// Where the value of a key is in dicts of this shape.
    pub(super) fn place(&self, shape: ShapeId, key: &[u8]) -> Option<usize> {
        let keys = self.shapes.keys(shape);
        if keys.len() <= FEW {
            return keys.iter().position(|other| self.text(*other) == Some(key));
        }
        self.shapes.place(shape, self.arena.find_text(key)?)
    }

    /// Write a value to a sink.
    pub(super) fn walk<'a, S: Sink<'a>>(&'a self, value: Ref, order: Order, sink: &mut S) {
        // What is still to be written, the next one last.
        let mut pending: Vec<Step<'a>> = vec![Step::Value(value)];
        while let Some(step) = pending.pop() {
            let value = match step {
                Step::Close => {
                    sink.close();
                    continue;
                }
                Step::Value(value) => value,
                Step::Entry(key, value) => {
                    sink.key(key);
                    value
                }
            };
            match self.value(value) {
                Value::Null => sink.null(),
                Value::Bool(value) => sink.boolean(value),
                Value::Int(value) => sink.int(value),
                Value::Big(bytes) => sink.big(bytes),
                Value::Float(value) => sink.float(value),
                Value::Text(text) => sink.text(text),
                Value::List(refs) => {
                    sink.open_list();
                    pending.push(Step::Close);
                    pending.extend(refs.iter().rev().map(|item| Step::Value(*item)));
                }
                Value::Dict(keys, refs) => {
                    sink.open_dict();
                    pending.push(Step::Close);
                    let first = pending.len();
                    pending.extend(keys.iter().zip(refs).rev().map(|(key, value)| {
                        Step::Entry(self.text(*key).unwrap_or_default(), *value)
                    }));
                    if order == Order::Sorted {
                        let entries = pending.get_mut(first..).unwrap_or_default();
                        entries.sort_unstable_by(|one, other| other.key().cmp(one.key()));
                    }
                }
            }
        }
    }
}

/// In which order the entries of dicts are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Sorted by key.
    Sorted,
    /// As they are given back.
    Given,
}

enum Step<'a> {
    Value(Ref),
    Entry(&'a [u8], Ref),
    Close,
}

impl<'a> Step<'a> {
    fn key(&self) -> &'a [u8] {
        match self {
            Self::Entry(key, _) => key,
            Self::Value(_) | Self::Close => &[],
        }
    }
}
