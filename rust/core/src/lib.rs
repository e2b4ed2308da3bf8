//! The algorithms of meshaccel, free of Python and of `unsafe`.
#![forbid(unsafe_code)]

pub mod digest;
pub mod group;
pub mod intern;
pub mod json;
pub mod output;
pub mod tape;
