//! How large a pool may grow.

use std::error::Error;
use std::fmt;

/// What a pool refuses to exceed.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Bytes, as [`super::Stats::bytes`] counts them.
    pub bytes: usize,
    /// Distinct nodes.
    pub nodes: usize,
    /// Bytes of UTF-8 in one string, or of one integer.
    pub string: usize,
    /// Lists and dicts within each other. Whoever writes a tape has to see to it.
    pub depth: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            bytes: usize::MAX,
            nodes: super::Ref::NODES,
            string: usize::MAX,
            depth: usize::MAX,
        }
    }
}

/// A value that would exceed a limit; the pool is what it was before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Full {
    /// [`Limits::bytes`], and the limit.
    Bytes(usize),
    /// [`Limits::nodes`], and the limit.
    Nodes(usize),
    /// [`Limits::string`], and the limit.
    String(usize),
}

impl Full {
    /// The name of the limit, and how much it allows.
    #[must_use]
    pub fn limit(self) -> (&'static str, usize) {
        match self {
            Self::Bytes(limit) => ("max_bytes", limit),
            Self::Nodes(limit) => ("max_nodes", limit),
            Self::String(limit) => ("max_string", limit),
        }
    }
}

impl fmt::Display for Full {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, limit) = self.limit();
        write!(f, "the pool is full: {name} is {limit}")
    }
}

impl Error for Full {}
