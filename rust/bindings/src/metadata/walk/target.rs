//! What a walk writes to.

use std::sync::Arc;

use bumpalo::Bump;
use meshaccel_core::digest::{Hasher, Writer};
use meshaccel_core::intern::Order;
use meshaccel_core::tape::{Sink, Tape};

use crate::metadata::shared::{Handle, Shared};

/// A sink that also takes views.
pub trait Target<'a>: Sink<'a> {
    /// Whether the entries of dicts have to come sorted by key.
    const SORTED: bool;
    /// Whether what was written can be referred to.
    const REPEATS: bool;
    /// How many tokens were written; 0 if they cannot be referred to.
    fn written(&self) -> usize;
    /// Write the list or dict whose end is at some token once more.
    fn again(&mut self, close: usize);
    /// A value of some pool.
    fn handle(&mut self, handle: &'a Handle);
    /// Bytes that live as long as those of the value that is walked.
    fn keep(&mut self, bytes: &[u8]) -> &'a [u8];
}

/// Most values have more tokens.
const TOKENS: usize = 128;

/// Writes a tape to be used with one pool.
pub struct Recorder<'a> {
    pub tape: Tape<'a>,
    pub store: &'a Bump,
    /// The pool. Its own views stay references.
    pub home: Option<&'a Arc<Shared>>,
}

impl<'a> Recorder<'a> {
    pub fn new(store: &'a Bump, home: Option<&'a Arc<Shared>>) -> Self {
        Self {
            tape: Tape::with_capacity(TOKENS),
            store,
            home,
        }
    }
}

/// The events go to the tape.
macro_rules! forward {
    ($($name:ident($($value:ident: $kind:ty)?)),*) => {
        $(fn $name(&mut self $(, $value: $kind)?) {
            self.tape.$name($($value)?);
        })*
    };
}

impl<'a> Sink<'a> for Recorder<'a> {
    forward!(
        null(), boolean(value: bool), int(value: i64), big(value: &'a [u8]), float(value: f64),
        text(value: &'a [u8]), key(value: &'a [u8]), open_list(), open_dict(), close()
    );
}

impl<'a> Target<'a> for Recorder<'a> {
    const SORTED: bool = false;
    const REPEATS: bool = true;

    fn written(&self) -> usize {
        self.tape.tokens().len()
    }

    fn again(&mut self, close: usize) {
        self.tape.again(close);
    }

    fn handle(&mut self, handle: &'a Handle) {
        if self.home.is_some_and(|home| handle.is_of(home)) {
            self.tape.node(handle.value);
            return;
        }
        let mut copier = Copier {
            tape: &mut self.tape,
            store: self.store,
        };
        let pool = handle.shared.lock();
        pool.walk(handle.value, Order::Given, &mut copier);
    }

    fn keep(&mut self, bytes: &[u8]) -> &'a [u8] {
        self.store.alloc_slice_copy(bytes)
    }
}

/// Writes a tape that does not depend on the pool which is read.
struct Copier<'t, 'a> {
    tape: &'t mut Tape<'a>,
    store: &'a Bump,
}

impl Sink<'_> for Copier<'_, '_> {
    forward!(null(), boolean(value: bool), int(value: i64), float(value: f64));
    forward!(open_list(), open_dict(), close());

    fn big(&mut self, value: &[u8]) {
        self.tape.big(self.store.alloc_slice_copy(value));
    }

    fn text(&mut self, value: &[u8]) {
        self.tape.text(self.store.alloc_slice_copy(value));
    }

    fn key(&mut self, value: &[u8]) {
        self.tape.key(self.store.alloc_slice_copy(value));
    }
}

/// Writes the canonical form on the way.
pub struct Hashing<'a, H> {
    pub writer: Writer<H>,
    pub store: &'a Bump,
}

macro_rules! forward_canonical {
    ($($name:ident($($value:ident: $kind:ty)?)),*) => {
        $(fn $name(&mut self $(, $value: $kind)?) {
            self.writer.$name($($value)?);
        })*
    };
}

impl<'a, H: Hasher> Sink<'a> for Hashing<'a, H> {
    forward_canonical!(
        null(), boolean(value: bool), int(value: i64), big(value: &'a [u8]), float(value: f64),
        text(value: &'a [u8]), key(value: &'a [u8]), open_list(), open_dict(), close()
    );
}

impl<'a, H: Hasher> Target<'a> for Hashing<'a, H> {
    const SORTED: bool = true;
    const REPEATS: bool = false;

    fn written(&self) -> usize {
        0
    }

    fn again(&mut self, _: usize) {}

    fn handle(&mut self, handle: &'a Handle) {
        let pool = handle.shared.lock();
        pool.walk(handle.value, Order::Sorted, &mut self.writer);
    }

    fn keep(&mut self, bytes: &[u8]) -> &'a [u8] {
        self.store.alloc_slice_copy(bytes)
    }
}
