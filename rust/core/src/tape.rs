//! A JSON-like value as a flat run of tokens: what a source (Python, JSON text, a pool) writes and
//! what is then interned, compared or encoded, without recursion.
//!
//! Text is UTF-8 in which lone surrogates are encoded like any other code point, so that every
//! Python `str` has a form. Integers beyond 64 bits are two's complement, little endian and of
//! minimal length.

use hashbrown::HashSet;

use crate::intern::Ref;

pub mod big;
mod duplicates;
mod json;
pub mod text;

pub use json::from_json;

/// Receives a value, one event per scalar, key and bracket. Events are balanced, and a key comes
/// before each value of a dict: the source sees to that.
pub trait Sink<'a> {
    /// None.
    fn null(&mut self);
    /// True or false.
    fn boolean(&mut self, value: bool);
    /// An integer of at most 64 bits.
    fn int(&mut self, value: i64);
    /// An integer of more than 64 bits.
    fn big(&mut self, value: &'a [u8]);
    /// A float; all NaN are one.
    fn float(&mut self, value: f64);
    /// A string.
    fn text(&mut self, value: &'a [u8]);
    /// The key of the next value.
    fn key(&mut self, value: &'a [u8]);
    /// The beginning of a list.
    fn open_list(&mut self);
    /// The beginning of a dict.
    fn open_dict(&mut self);
    /// The end of the innermost list or dict.
    fn close(&mut self);
}

/// One event of a [`Tape`].
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Token<'a> {
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
    /// The key of the next value.
    Key(&'a [u8]),
    /// The beginning of a list.
    List {
        /// Where the matching [`Token::Close`] is.
        close: usize,
    },
    /// The beginning of a dict.
    Dict {
        /// Where the matching [`Token::Close`] is.
        close: usize,
    },
    /// The end of the innermost list or dict.
    Close,
    /// A value that is in the pool already.
    Node(Ref),
    /// The list or dict that ends at this place, once more.
    Again(usize),
}

impl<'a> Token<'a> {
    /// Write what it says to a sink. Returns false if it refers to a value elsewhere.
    #[inline]
    pub fn write<S: Sink<'a>>(self, sink: &mut S) -> bool {
        match self {
            Self::Null => sink.null(),
            Self::Bool(value) => sink.boolean(value),
            Self::Int(value) => sink.int(value),
            Self::Big(value) => sink.big(value),
            Self::Float(value) => sink.float(value),
            Self::Text(value) => sink.text(value),
            Self::Key(value) => sink.key(value),
            Self::List { .. } => sink.open_list(),
            Self::Dict { .. } => sink.open_dict(),
            Self::Close => sink.close(),
            Self::Node(_) | Self::Again(_) => return false,
        }
        true
    }
}

/// Where the value after the one at `at` begins.
pub(crate) fn skip(tokens: &[Token<'_>], at: usize) -> usize {
    match tokens.get(at) {
        Some(Token::List { close } | Token::Dict { close }) => close + 1,
        _ => at + 1,
    }
}

/// A value, in tokens.
#[derive(Debug, Default)]
pub struct Tape<'a> {
    tokens: Vec<Token<'a>>,
    /// The lists and dicts that are open.
    open: Vec<usize>,
    depth: usize,
    /// Where those end that come again.
    repeated: HashSet<usize>,
}

impl<'a> Tape<'a> {
    /// A tape that is all one value of a pool.
    #[must_use]
    pub fn of_node(node: Ref) -> Self {
        Self {
            tokens: vec![Token::Node(node)],
            ..Self::default()
        }
    }

    /// An empty tape with room for some tokens.
    #[must_use]
    pub fn with_capacity(tokens: usize) -> Self {
        Self {
            tokens: Vec::with_capacity(tokens),
            ..Self::default()
        }
    }

    /// The tokens of the value.
    #[must_use]
    pub fn tokens(&self) -> &[Token<'a>] {
        &self.tokens
    }

    /// How many lists and dicts there are within each other; 0 for a scalar.
    #[must_use]
    pub fn depth(&self) -> usize {
        self.depth
    }

    /// Add a value that is in the pool which the tape will be interned in.
    pub fn node(&mut self, node: Ref) {
        self.push(Token::Node(node));
    }

    /// Close a dict whose keys may repeat: as `json.loads` does, keep the last value of a key, in
    /// the place of its first.
    pub fn close_repetitive(&mut self) {
        if let Some(&start) = self.open.last() {
            duplicates::remove(&mut self.tokens, start);
        }
        self.close();
    }

    /// Add the list or dict that ended at some place once more.
    pub fn again(&mut self, close: usize) {
        self.repeated.insert(close);
        self.push(Token::Again(close));
    }

    /// Whether the list or dict that ends at some place comes again.
    pub(crate) fn comes_again(&self, close: usize) -> bool {
        !self.repeated.is_empty() && self.repeated.contains(&close)
    }

    fn push(&mut self, token: Token<'a>) {
        self.tokens.push(token);
    }

    fn open(&mut self, token: Token<'a>) {
        self.open.push(self.tokens.len());
        self.depth = self.depth.max(self.open.len());
        self.push(token);
    }
}

impl<'a> Sink<'a> for Tape<'a> {
    fn null(&mut self) {
        self.push(Token::Null);
    }

    fn boolean(&mut self, value: bool) {
        self.push(Token::Bool(value));
    }

    fn int(&mut self, value: i64) {
        self.push(Token::Int(value));
    }

    fn big(&mut self, value: &'a [u8]) {
        self.push(Token::Big(value));
    }

    fn float(&mut self, value: f64) {
        self.push(Token::Float(value));
    }

    fn text(&mut self, value: &'a [u8]) {
        self.push(Token::Text(value));
    }

    fn key(&mut self, value: &'a [u8]) {
        self.push(Token::Key(value));
    }

    fn open_list(&mut self) {
        self.open(Token::List { close: 0 });
    }

    fn open_dict(&mut self) {
        self.open(Token::Dict { close: 0 });
    }

    fn close(&mut self) {
        let end = self.tokens.len();
        let opening = self.open.pop().and_then(|at| self.tokens.get_mut(at));
        if let Some(Token::List { close } | Token::Dict { close }) = opening {
            *close = end;
        }
        self.push(Token::Close);
    }
}
