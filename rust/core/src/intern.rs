//! Values in which every distinct subtree exists once: equal values are one [`Ref`].
//!
//! A node is a string, a number beyond 30 bits, a list of refs, or a dict: a [`shapes`] id, which
//! stands for its keys, and the refs of its values. Since children are interned before their
//! parents, two nodes are equal if their bytes or refs are: one shallow comparison, which is made
//! on every hit. Hashes only find what to compare with, so no collision can ever mix up values.
//!
//! Nodes count the refs to them, from other nodes and from outside. The last [`Pool::release`]
//! takes a node away, and what only it referred to, without recursion.

mod arena;
mod cons;
mod hash;
mod heap;
mod json;
mod limits;
mod memo;
mod node;
mod plain;
mod pool;
mod read;
mod refs;
mod roots;
mod same;
mod shapes;

pub use json::NoJson;
pub use limits::{Full, Limits};
pub use pool::{JsonRefused, Pool, ReinternError, Settings, Stats, UnknownKey};
pub use read::{Order, Value};
pub use refs::Ref;
pub use roots::Key;
