//! Text in which lone surrogates may stand.

/// A part of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part<'a> {
    /// Valid UTF-8.
    Valid(&'a str),
    /// A lone surrogate.
    Surrogate(u32),
}

/// Take a text apart. None if it is no text.
#[must_use]
pub fn parts(mut text: &[u8]) -> Option<Vec<Part<'_>>> {
    let mut parts = Vec::new();
    loop {
        let surrogate = text
            .windows(3)
            .position(|window| matches!(window, [0xed, 0xa0..=0xbf, 0x80..=0xbf]));
        let (valid, rest) = text.split_at_checked(surrogate.unwrap_or(text.len()))?;
        parts.push(Part::Valid(str::from_utf8(valid).ok()?));
        let Some((&[_, second, third], rest)) = rest.split_first_chunk() else {
            return Some(parts);
        };
        let code = 0xd000 | u32::from(second & 0x3f) << 6 | u32::from(third & 0x3f);
        parts.push(Part::Surrogate(code));
        text = rest;
    }
}

/// Whether bytes are a text.
#[must_use]
pub fn is_text(bytes: &[u8]) -> bool {
    str::from_utf8(bytes).is_ok() || parts(bytes).is_some()
}
