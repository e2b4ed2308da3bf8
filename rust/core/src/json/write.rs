/// JSON has no NaN and no infinities.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotFinite;

/// What bytes are appended to.
pub trait Append {
    /// Append bytes.
    fn append(&mut self, bytes: &[u8]);
}

impl Append for Vec<u8> {
    fn append(&mut self, bytes: &[u8]) {
        self.extend_from_slice(bytes);
    }
}

/// How many bytes are looked at together; the compiler makes vector instructions of it.
const CHUNK: usize = 32;

/// Append a string in quotes. Escapes only what must be, each in its shortest form.
pub fn write_string(out: &mut impl Append, text: &str) {
    let mut rest = text.as_bytes();
    out.append(b"\"");
    loop {
        let (plain, tail) = rest.split_at(plain_prefix(rest));
        out.append(plain);
        let Some((&byte, tail)) = tail.split_first() else {
            break;
        };
        write_escape(out, byte);
        rest = tail;
    }
    out.append(b"\"");
}

/// How many bytes from the start need no escape.
fn plain_prefix(text: &[u8]) -> usize {
    let (chunks, _) = text.as_chunks::<CHUNK>();
    let clean = chunks
        .iter()
        .take_while(|chunk| {
            !chunk
                .iter()
                .fold(false, |any, &byte| any | is_special(byte))
        })
        .count()
        * CHUNK;
    let end = text[clean..].iter().position(|&byte| is_special(byte));
    end.map_or(text.len(), |end| clean + end)
}

fn is_special(byte: u8) -> bool {
    byte < b' ' || byte == b'"' || byte == b'\\'
}

fn write_escape(out: &mut impl Append, byte: u8) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    let short = match byte {
        b'\x08' => b'b',
        b'\t' => b't',
        b'\n' => b'n',
        b'\x0c' => b'f',
        b'\r' => b'r',
        b'"' | b'\\' => byte,
        _ => {
            let [high, low] = [byte >> 4, byte & 15].map(|half| HEX[usize::from(half)]);
            return out.append(&[b'\\', b'u', b'0', b'0', high, low]);
        }
    };
    out.append(&[b'\\', short]);
}

/// Append an integer.
pub fn write_int(out: &mut impl Append, value: i64) {
    out.append(itoa::Buffer::new().format(value).as_bytes());
}

/// Append the shortest decimal number that reads back as the same float.
///
/// # Errors
/// The value is not finite; nothing was appended.
pub fn write_float(out: &mut impl Append, value: f64) -> Result<(), NotFinite> {
    if !value.is_finite() {
        return Err(NotFinite);
    }
    out.append(zmij::Buffer::new().format_finite(value).as_bytes());
    Ok(())
}
