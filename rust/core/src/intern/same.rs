//! Whether a tape and an interned value are equal: what a hash cannot tell.

use hashbrown::HashMap;

use super::cons::Graph;
use super::node::Content;
use super::refs::{Kind, Ref};
use super::shapes::ShapeId;
use crate::digest::float_bits;
use crate::tape::{Tape, Token};

/// A list or dict whose items are being compared.
struct Open<'a> {
    /// The list or dict itself.
    itself: Ref,
    refs: &'a [Ref],
    /// If it is a dict.
    shape: Option<ShapeId>,
    /// How many items were compared.
    seen: usize,
    /// The value of the last key.
    value: Option<Ref>,
}

impl Graph {
    /// Compare; stops at the first difference.
    pub(super) fn is_same(&self, tape: &Tape<'_>, value: Ref) -> bool {
        let mut open: Vec<Open<'_>> = Vec::new();
        let mut root = Some(value);
        let mut known: HashMap<usize, Ref> = HashMap::new();
        for (place, token) in tape.tokens().iter().enumerate() {
            match *token {
                Token::Close => match open.pop() {
                    Some(closed) if closed.seen == closed.refs.len() => {
                        if tape.comes_again(place) {
                            known.insert(place, closed.itself);
                        }
                        continue;
                    }
                    _ => return false,
                },
                Token::Key(key) => {
                    let Some(dict) = open.last_mut() else {
                        return false;
                    };
                    dict.value = self.value_of(dict, key);
                    if dict.value.is_none() {
                        return false;
                    }
                    continue;
                }
                _ => {}
            }
            let expected = match open.last_mut() {
                None => root.take(),
                Some(list) if list.shape.is_none() => list.refs.get(list.seen).copied(),
                Some(dict) => dict.value.take(),
            };
            let Some(expected) = expected else {
                return false;
            };
            if let Some(parent) = open.last_mut() {
                parent.seen += 1;
            }
            if let Token::Again(close) = token {
                // Equal values are one.
                if known.get(close) != Some(&expected) {
                    return false;
                }
                continue;
            }
            match self.opened(token, expected) {
                Compared::Equal => {}
                Compared::Opened(list) => open.push(list),
                Compared::Different => return false,
            }
        }
        root.is_none() && open.is_empty()
    }

    fn opened(&self, token: &Token<'_>, expected: Ref) -> Compared<'_> {
        let number = match expected.kind() {
            Kind::Node(number) => number,
            Kind::Null => return (*token == Token::Null).into(),
            Kind::Bool(value) => return (*token == Token::Bool(value)).into(),
            Kind::Int(value) => return (*token == Token::Int(value)).into(),
        };
        match (token, self.arena.content(number)) {
            (Token::Text(text), Some(Content::Text(known))) => (*text == known).into(),
            (Token::Int(value), Some(Content::Int(known))) => (*value == known).into(),
            (Token::Float(value), Some(Content::Float(known))) => {
                (float_bits(*value) == known).into()
            }
            (Token::Big(bytes), Some(Content::Big(known))) => (*bytes == known).into(),
            (Token::Node(value), _) => (*value == expected).into(),
            (Token::List { .. }, Some(Content::List(refs))) => Compared::Opened(Open {
                itself: expected,
                refs,
                shape: None,
                seen: 0,
                value: None,
            }),
            (Token::Dict { .. }, Some(Content::Dict(shape, refs))) => Compared::Opened(Open {
                itself: expected,
                refs,
                shape: Some(shape),
                seen: 0,
                value: None,
            }),
            _ => Compared::Different,
        }
    }

    /// The value of a key, which mostly comes where it came the first time.
    fn value_of(&self, dict: &Open<'_>, key: &[u8]) -> Option<Ref> {
        let shape = dict.shape?;
        let expected = self.shapes.keys(shape).get(dict.seen);
        let place = match expected {
            Some(expected) if self.text(*expected) == Some(key) => dict.seen,
            _ => self.place(shape, key)?,
        };
        dict.refs.get(place).copied()
    }
}

enum Compared<'a> {
    Equal,
    Different,
    Opened(Open<'a>),
}

impl From<bool> for Compared<'_> {
    fn from(equal: bool) -> Self {
        if equal { Self::Equal } else { Self::Different }
    }
}
