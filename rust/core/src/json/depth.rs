/// How many arrays and objects are open at once at the most, in valid JSON. Takes O(length) time.
///
/// Of other text it says nothing of use.
#[must_use]
pub fn depth(text: &[u8]) -> usize {
    let (mut open, mut most) = (0_usize, 0_usize);
    let mut rest = text.iter();
    while let Some(byte) = rest.next() {
        match byte {
            b'[' | b'{' => {
                open += 1;
                most = most.max(open);
            }
            b']' | b'}' => open = open.saturating_sub(1),
            b'"' => {
                while let Some(within) = rest.next() {
                    match within {
                        b'\\' => {
                            rest.next();
                        }
                        b'"' => break,
                        _ => {}
                    }
                }
            }
            _ => {}
        }
    }
    most
}
