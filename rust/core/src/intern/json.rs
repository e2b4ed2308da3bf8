//! Interned values as JSON.

use std::error::Error;
use std::fmt;

use super::cons::Graph;
use super::read::Value;
use super::refs::Ref;
use crate::json::{write_float, write_int, write_string};
use crate::tape::big::to_decimal;

/// A value that JSON has no form for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoJson {
    /// NaN or an infinity.
    NotFinite,
    /// A string with a lone surrogate.
    Surrogate,
}

impl fmt::Display for NoJson {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotFinite => "a float that is not finite",
            Self::Surrogate => "a string with a lone surrogate",
        })
    }
}

impl Error for NoJson {}

/// A list or dict that is being written.
struct Open<'a> {
    keys: Option<&'a [Ref]>,
    refs: &'a [Ref],
    next: usize,
}

impl Graph {
    pub(super) fn write_json(&self, value: Ref, out: &mut Vec<u8>) -> Result<(), NoJson> {
        let mut open: Vec<Open<'_>> = Vec::new();
        let mut next = Some(value);
        loop {
            if let Some(value) = next.take()
                && !value
                    .number()
                    .is_some_and(|number| self.arena.quote(number, out))
            {
                match self.value(value) {
                    Value::Text(_) => self.write_text(value, out)?,
                    Value::Null => out.extend_from_slice(b"null"),
                    Value::Bool(true) => out.extend_from_slice(b"true"),
                    Value::Bool(false) => out.extend_from_slice(b"false"),
                    Value::Int(value) => write_int(out, value),
                    Value::Big(bytes) => out.extend_from_slice(to_decimal(bytes).as_bytes()),
                    Value::Float(value) => {
                        write_float(out, value).map_err(|_| NoJson::NotFinite)?;
                    }
                    Value::List(refs) => {
                        out.push(b'[');
                        open.push(Open {
                            keys: None,
                            refs,
                            next: 0,
                        });
                    }
                    Value::Dict(keys, refs) => {
                        out.push(b'{');
                        open.push(Open {
                            keys: Some(keys),
                            refs,
                            next: 0,
                        });
                    }
                }
            }
            let Some(parent) = open.last_mut() else {
                return Ok(());
            };
            next = parent.refs.get(parent.next).copied();
            if next.is_none() {
                out.push(if parent.keys.is_some() { b'}' } else { b']' });
                open.pop();
                continue;
            }
            if parent.next > 0 {
                out.push(b',');
            }
            if let Some(&key) = parent.keys.and_then(|keys| keys.get(parent.next)) {
                self.write_text(key, out)?;
                out.push(b':');
            }
            parent.next += 1;
        }
    }

    #[inline]
    fn write_text(&self, value: Ref, out: &mut Vec<u8>) -> Result<(), NoJson> {
        let Some(number) = value.number() else {
            return Ok(());
        };
        if !self.arena.quote(number, out) {
            let text = self.text(value).unwrap_or_default();
            write_string(out, str::from_utf8(text).map_err(|_| NoJson::Surrogate)?);
        }
        Ok(())
    }
}
