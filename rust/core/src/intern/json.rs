//! Interned values as JSON.

use std::error::Error;
use std::fmt;

use super::cons::Graph;
use super::read::Value;
use super::refs::Ref;
use crate::json::{Append, write_float, write_int, write_string};
use crate::output::Output;
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

impl Open<'_> {
    fn brackets(&self) -> [u8; 2] {
        if self.keys.is_some() { *b"{}" } else { *b"[]" }
    }
}

impl Graph {
    pub(super) fn write_json(&self, value: Ref, out: &mut Output) -> Result<(), NoJson> {
        let mut open: Vec<Open<'_>> = Vec::new();
        let mut next = Some(value);
        loop {
            if let Some(value) = next.take()
                && !self.write_plain(*b"\"", value, *b"\"", out)
            {
                open.extend(self.begin_json(value, out)?);
            }
            let Some(parent) = open.last_mut() else {
                return Ok(());
            };
            let [opening, closing] = parent.brackets();
            next = parent.refs.get(parent.next).copied();
            if next.is_none() {
                if parent.next == 0 {
                    out.push(opening);
                }
                out.push(closing);
                open.pop();
                continue;
            }
            let before = if parent.next == 0 { opening } else { b',' };
            match parent.keys {
                None => out.push(before),
                Some(keys) => {
                    let key = keys.get(parent.next).copied().unwrap_or_default();
                    if !self.write_plain([before, b'"'], key, *b"\":", out) {
                        out.push(before);
                        write_string(out, self.str(key)?);
                        out.push(b':');
                    }
                }
            }
            parent.next += 1;
        }
    }

    /// Write a value that is no plain string. A list or dict is returned instead.
    fn begin_json(&self, value: Ref, out: &mut Output) -> Result<Option<Open<'_>>, NoJson> {
        let (keys, refs) = match self.value(value) {
            Value::List(refs) => (None, refs),
            Value::Dict(keys, refs) => (Some(keys), refs),
            scalar => {
                match scalar {
                    Value::Bool(true) => out.append(b"true"),
                    Value::Bool(false) => out.append(b"false"),
                    Value::Int(value) => write_int(out, value),
                    Value::Big(bytes) => out.append(to_decimal(bytes).as_bytes()),
                    Value::Float(value) => {
                        write_float(out, value).map_err(|_| NoJson::NotFinite)?;
                    }
                    Value::Text(_) => write_string(out, self.str(value)?),
                    Value::Null | Value::List(_) | Value::Dict(..) => out.append(b"null"),
                }
                return Ok(None);
            }
        };
        let next = 0;
        Ok(Some(Open { keys, refs, next }))
    }

    #[inline]
    fn write_plain<const BEFORE: usize, const AFTER: usize>(
        &self,
        before: [u8; BEFORE],
        value: Ref,
        after: [u8; AFTER],
        out: &mut Output,
    ) -> bool {
        let number = value.number();
        number.is_some_and(|number| self.arena.write_plain(before, number, after, out))
    }

    fn str(&self, value: Ref) -> Result<&str, NoJson> {
        let text = self.text(value).unwrap_or_default();
        str::from_utf8(text).map_err(|_| NoJson::Surrogate)
    }
}
