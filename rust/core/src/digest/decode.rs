//! The canonical form read back.

use crate::tape::big::is_big;
use crate::tape::text::is_text;
use crate::tape::{Sink, Tape};

/// Read what a [`super::Writer`] wrote. None if the bytes are anything else.
#[must_use]
pub fn decode(mut bytes: &[u8]) -> Option<Tape<'_>> {
    let mut tape = Tape::default();
    // Of each open list or dict, whether it is a dict.
    let mut open: Vec<bool> = Vec::new();
    loop {
        let mut letter = take_letter(&mut bytes)?;
        if letter == b'e' {
            // Nobody but us writes a key twice, but anybody may write what looks like ours.
            if open.pop()? {
                tape.close_repetitive();
            } else {
                tape.close();
            }
        } else {
            if open.last() == Some(&true) {
                let is_key = letter == b's';
                tape.key(take_text(&mut bytes).filter(|_| is_key)?);
                letter = take_letter(&mut bytes)?;
            }
            match letter {
                b'n' => tape.null(),
                b't' => tape.boolean(true),
                b'f' => tape.boolean(false),
                b'i' => tape.int(i64::from_le_bytes(take_word(&mut bytes)?)),
                b'd' => tape.float(f64::from_le_bytes(take_word(&mut bytes)?)),
                b'I' => tape.big(take_run(&mut bytes).filter(|run| is_big(run))?),
                b's' => tape.text(take_text(&mut bytes)?),
                b'l' => {
                    tape.open_list();
                    open.push(false);
                }
                b'm' => {
                    tape.open_dict();
                    open.push(true);
                }
                _ => return None,
            }
        }
        if open.is_empty() {
            return bytes.is_empty().then_some(tape);
        }
    }
}

fn take_letter(bytes: &mut &[u8]) -> Option<u8> {
    let (&letter, rest) = bytes.split_first()?;
    *bytes = rest;
    Some(letter)
}

fn take_word(bytes: &mut &[u8]) -> Option<[u8; 8]> {
    let (&word, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(word)
}

fn take_text<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    take_run(bytes).filter(|run| is_text(run))
}

fn take_run<'a>(bytes: &mut &'a [u8]) -> Option<&'a [u8]> {
    let len = take_length(bytes)?;
    let (taken, rest) = bytes.split_at_checked(len)?;
    *bytes = rest;
    Some(taken)
}

fn take_length(bytes: &mut &[u8]) -> Option<usize> {
    let mut length = 0;
    for shift in (0..usize::BITS).step_by(7) {
        let byte = take_letter(bytes)?;
        length |= usize::from(byte & 0x7f).checked_shl(shift)?;
        if byte < 0x80 {
            return Some(length);
        }
    }
    None
}
