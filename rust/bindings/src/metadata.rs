//! `MetadataPool` and its views: Python values in and out of the interned ones of the core.
//!
//! The pool is behind a lock. While it is held, and while the parts of a Python value are
//! borrowed, no Python code can run: nothing is called, the garbage collector is off where
//! objects are made ([`quiet`]), and what is dropped are strings at most.

mod build;
mod list;
mod pool;
mod quiet;
mod read;
mod shared;
mod stats;
mod view;
mod walk;

pub use list::MetadataList;
pub use pool::MetadataPool;
pub use stats::MetadataStats;
pub use view::{MetadataView, restore_metadata};
