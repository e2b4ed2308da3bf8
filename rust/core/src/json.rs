//! JSON as RFC 8259 has it, and nothing beyond: UTF-8 without a byte order mark, no NaN, no lone
//! surrogates, nothing after the document.
//!
//! What the RFC leaves open is decided so that a document that passes here can be held by every
//! reader: at most [`MAX_DEPTH`] levels, numbers that are no larger than a double, integers of at
//! most 4,300 digits (to convert more takes quadratic time). Of equal names in an object, the
//! builder sees all, in order.

mod build;
mod depth;
mod error;
mod number;
mod parse;
mod validate;
mod write;

pub use build::Build;
pub use depth::depth;
pub use error::JsonError;
pub use parse::parse;
pub use validate::validate;
pub use write::{Append, NotFinite, write_float, write_int, write_string};

/// How many arrays and objects may be open at once.
pub const MAX_DEPTH: usize = 200;
