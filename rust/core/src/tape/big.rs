//! Integers beyond 64 bits, as others write them.

use num_bigint::BigInt;

/// Two's complement, little endian, as short as can be, of hexadecimal digits behind an optional
/// sign. None if they are none.
#[must_use]
pub fn from_hex(digits: &str) -> Option<Vec<u8>> {
    let value = BigInt::parse_bytes(digits.as_bytes(), 16)?;
    Some(value.to_signed_bytes_le())
}

/// As [`from_hex`] takes it.
#[must_use]
pub fn to_hex(bytes: &[u8]) -> String {
    BigInt::from_signed_bytes_le(bytes).to_str_radix(16)
}

/// The most digits that are written: as many as are read. To convert takes more than linear time,
/// in which nobody else would be served.
pub const MAX_DIGITS: usize = 4300;

/// A digit takes less than four bits.
const MAX_BYTES: usize = MAX_DIGITS / 2;

/// Decimal digits behind an optional sign. None if there are more than [`MAX_DIGITS`].
#[must_use]
pub fn to_decimal(bytes: &[u8]) -> Option<String> {
    if bytes.len() > MAX_BYTES {
        return None;
    }
    let decimal = BigInt::from_signed_bytes_le(bytes).to_string();
    let digits = decimal.trim_start_matches('-').len();
    (digits <= MAX_DIGITS).then_some(decimal)
}

/// As [`from_hex`], of decimal digits.
#[must_use]
pub fn from_decimal(digits: &str) -> Option<Vec<u8>> {
    let value = BigInt::parse_bytes(digits.as_bytes(), 10)?;
    Some(value.to_signed_bytes_le())
}

/// Whether bytes are the only form of an integer of more than 64 bits.
#[must_use]
pub fn is_big(bytes: &[u8]) -> bool {
    // A last byte that repeats the sign of the one before it says nothing.
    let longer = matches!(bytes, [.., 0..=0x7f, 0] | [.., 0x80..=0xff, 0xff]);
    bytes.len() > size_of::<i64>() && !longer
}
