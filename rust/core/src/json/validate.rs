use jiter::{Jiter, JsonErrorType, Peek};

use super::MAX_DEPTH;
use super::error::{JsonError, Reason};
use super::number::number;

/// Check that [`parse`](super::parse) would find no fault, several times faster than it would.
/// Takes O(length) time.
///
/// # Errors
/// A fault: the first, but for those in the encoding, which come before all others.
pub fn validate(text: &[u8]) -> Result<(), JsonError> {
    // All strings at once, which is why they are then looked at as bytes.
    str::from_utf8(text).map_err(|error| {
        let reason = Reason::Syntax(JsonErrorType::InvalidUnicodeCodePoint);
        JsonError::new(reason, error.valid_up_to())
    })?;
    let mut tokens = Jiter::new(text);
    let first = tokens.peek()?;
    value(&mut tokens, first, 0)?;
    Ok(tokens.finish()?)
}

/// Check a value inside `depth` arrays and objects.
fn value(tokens: &mut Jiter<'_>, peek: Peek, depth: usize) -> Result<(), JsonError> {
    match peek {
        Peek::String => {
            tokens.known_bytes()?;
        }
        Peek::Object | Peek::Array if depth == MAX_DEPTH => {
            return Err(JsonError::new(Reason::TooDeep, tokens.current_index()));
        }
        Peek::Object => {
            let mut next = tokens.next_object_bytes()?.is_some();
            while next {
                let peek = tokens.peek()?;
                value(tokens, peek, depth + 1)?;
                next = tokens.next_key_bytes()?.is_some();
            }
        }
        Peek::Array => {
            let mut next = tokens.known_array()?;
            while let Some(peek) = next {
                value(tokens, peek, depth + 1)?;
                next = tokens.array_step()?;
            }
        }
        Peek::True | Peek::False => {
            tokens.known_bool(peek)?;
        }
        Peek::Null => tokens.known_null()?,
        _ => {
            number(tokens, peek)?;
        }
    }
    Ok(())
}
