use jiter::{Jiter, JsonErrorType, NumberAny, NumberInt, Peek};

use super::error::{JsonError, Reason};

/// A number as it will be kept.
pub(super) enum Number<'t> {
    Int(i64),
    /// An integer of more than 64 bits, in digits.
    Large(&'t str),
    /// Finite.
    Float(f64),
}

/// Read the number that begins with the byte peeked at, if it begins one.
pub(super) fn number<'t>(tokens: &'t mut Jiter<'_>, peek: Peek) -> Result<Number<'t>, JsonError> {
    let start = tokens.current_index();
    let too_large = match tokens.known_number(peek) {
        Ok(NumberAny::Int(NumberInt::Int(value))) => return Ok(Number::Int(value)),
        Ok(NumberAny::Float(value)) if value.is_finite() => return Ok(Number::Float(value)),
        Ok(NumberAny::Float(_)) => {
            let reason = Reason::Syntax(JsonErrorType::NumberOutOfRange);
            return Err(JsonError::new(reason, start));
        }
        Err(error) => JsonError::from(error),
    };
    if !too_large.is_out_of_range() {
        return Err(too_large);
    }
    // Refused for its size alone, the number is still the next token.
    let digits = tokens.known_number_bytes(peek)?;
    str::from_utf8(digits)
        .map(Number::Large)
        .map_err(|_| too_large)
}
