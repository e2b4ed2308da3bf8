//! Short runs of bytes as numbers.

/// At most 8 bytes as a number, the first one lowest.
#[expect(clippy::inline_always, reason = "shorter than a call")]
#[inline(always)]
#[must_use]
pub fn low_word(bytes: &[u8]) -> u64 {
    let len = bytes.len().min(8);
    if let Some(all) = bytes.first_chunk() {
        return u64::from_le_bytes(*all);
    }
    // The first and the last of them, which overlap if there are fewer.
    if let (Some(first), Some(last)) = (bytes.first_chunk(), bytes.last_chunk()) {
        let last = u64::from(u32::from_le_bytes(*last)) << (8 * (len - 4));
        return u64::from(u32::from_le_bytes(*first)) | last;
    }
    match *bytes {
        [first, second, third] => u64::from(u32::from_le_bytes([first, second, third, 0])),
        [first, second] => u64::from(u16::from_le_bytes([first, second])),
        [first] => u64::from(first),
        _ => 0,
    }
}

/// The first 8 bytes as a number: of two runs with different numbers, the one with the smaller
/// number comes first.
#[must_use]
#[inline]
pub fn order_word(bytes: &[u8]) -> u64 {
    low_word(bytes).swap_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_hold_what_there_is() {
        let bytes = [1, 2, 3, 4, 5, 6, 7, 8, 9];
        for len in 0..=bytes.len() {
            let mut padded = [0; 8];
            let kept = len.min(8);
            padded[..kept].copy_from_slice(&bytes[..kept]);
            assert_eq!(low_word(&bytes[..len]), u64::from_le_bytes(padded));
            assert_eq!(order_word(&bytes[..len]), u64::from_be_bytes(padded));
        }
    }
}
