//! The algorithms of meshaccel, free of Python and of `unsafe`.
#![forbid(unsafe_code)]

pub mod group;
pub mod json;
