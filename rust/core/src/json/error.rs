use std::fmt;

use jiter::{JiterError, JiterErrorType, JsonErrorType};

use super::MAX_DEPTH;

/// Why a text is no JSON document, or none we take, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonError {
    reason: Reason,
    /// Offset in bytes.
    position: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reason {
    Syntax(JsonErrorType),
    TooDeep,
}

impl JsonError {
    pub(super) fn new(reason: Reason, position: usize) -> Self {
        Self { reason, position }
    }

    /// Whether a number is too large for what it was read as.
    pub(super) fn is_out_of_range(&self) -> bool {
        self.reason == Reason::Syntax(JsonErrorType::NumberOutOfRange)
    }

    /// The offset in bytes at which the document went wrong.
    #[must_use]
    pub fn position(&self) -> usize {
        self.position
    }
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.reason {
            Reason::Syntax(what) => write!(f, "{what}")?,
            Reason::TooDeep => write!(f, "nested deeper than {MAX_DEPTH} levels")?,
        }
        write!(f, " at byte {}", self.position)
    }
}

impl std::error::Error for JsonError {}

impl From<JiterError> for JsonError {
    fn from(error: JiterError) -> Self {
        let what = match error.error_type {
            JiterErrorType::JsonError(what) => what,
            // Only said when a caller expects a type, which we never do.
            JiterErrorType::WrongType { .. } => JsonErrorType::ExpectedSomeValue,
        };
        Self::new(Reason::Syntax(what), error.index)
    }
}
