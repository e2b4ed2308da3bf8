//! Entries of a JSON object that repeat a key.

use hashbrown::HashMap;

use super::{Token, skip};

/// Objects of so few entries are searched faster than hashed.
const FEW: usize = 12;

/// Remove the repetitions from the dict whose opening token is at `start`; it is the last one and
/// not closed yet.
pub(super) fn remove(tokens: &mut Vec<Token<'_>>, start: usize) {
    let entries = entries(tokens, start + 1);
    let Some(winners) = winners(&entries) else {
        return;
    };
    let mut kept = Vec::with_capacity(tokens.len() - start);
    for (key, value) in winners {
        kept.push(Token::Key(key));
        let moved = start + 1 + kept.len();
        for token in tokens.get(value..skip(tokens, value)).unwrap_or_default() {
            kept.push(shifted(*token, value, moved));
        }
    }
    tokens.truncate(start + 1);
    tokens.extend(kept);
}

/// Each key and where its value begins.
fn entries<'a>(tokens: &[Token<'a>], mut at: usize) -> Vec<(&'a [u8], usize)> {
    let mut entries = Vec::new();
    while let Some(&Token::Key(key)) = tokens.get(at) {
        entries.push((key, at + 1));
        at = skip(tokens, at + 1);
    }
    entries
}

/// The last value of each key, in the order in which the keys appear first. None if no key
/// repeats.
fn winners<'a>(entries: &[(&'a [u8], usize)]) -> Option<Vec<(&'a [u8], usize)>> {
    if entries.len() <= FEW {
        let repeats = |(at, (key, _)): (usize, &(&[u8], usize))| {
            entries.iter().take(at).any(|(other, _)| other == key)
        };
        if !entries.iter().enumerate().any(repeats) {
            return None;
        }
    }
    let mut position = HashMap::with_capacity(entries.len());
    let mut winners: Vec<(&[u8], usize)> = Vec::with_capacity(entries.len());
    for &(key, value) in entries {
        let at = *position.entry(key).or_insert(winners.len());
        match winners.get_mut(at) {
            Some(winner) => winner.1 = value,
            None => winners.push((key, value)),
        }
    }
    (winners.len() < entries.len()).then_some(winners)
}

/// A token of a value that moves from one place to another.
fn shifted(token: Token<'_>, from: usize, to: usize) -> Token<'_> {
    match token {
        Token::List { close } => Token::List {
            close: close - from + to,
        },
        Token::Dict { close } => Token::Dict {
            close: close - from + to,
        },
        other => other,
    }
}
