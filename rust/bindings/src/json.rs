//! JSON columns: stored documents on their way into records and responses.

mod build;
mod depth;
mod documents;
mod frozen;
mod lazy;
mod memo;
mod source;
mod strings;
mod template;
mod write;

pub use depth::json_depth;
pub use documents::{Documents, Policy};
pub use lazy::{LazyJson, restore_lazy_json};
pub use source::Place;
pub use strings::Strings;
pub use write::write_value;
