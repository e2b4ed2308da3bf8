//! The documents of one call or stream.

use std::mem;

use meshaccel_core::json::validate;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;

use super::build::{decode, decode_frozen};
use super::lazy::LazyJson;
use super::memo::{Entry, Memo};
use super::source::{Fault, Place, Stored};
use super::strings::Strings;
use super::template::Template;

/// What becomes of the documents of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Policy {
    /// Bytes as they are stored, valid.
    Raw,
    /// `LazyJson`: decoded when looked at.
    Lazy,
    /// One read-only object for all equal documents.
    Shared,
    /// A plain object for each.
    Eager,
}

/// Reads and writes the documents of one call or stream, and remembers those it has met: what
/// is the same is decoded or validated once, as long as not too many others come between.
pub struct Documents {
    memo: Memo,
    strings: Strings,
}

impl Documents {
    /// Nothing was read yet.
    pub fn new() -> Self {
        Self {
            memo: Memo::default(),
            strings: Strings::take(),
        }
    }

    /// The object for the value of a JSON column. NULL is None.
    ///
    /// `place` is only called for errors and for lazy documents.
    pub fn read<'py>(
        &mut self,
        value: &Bound<'py, PyAny>,
        policy: Policy,
        place: &dyn Fn() -> Place,
    ) -> PyResult<Bound<'py, PyAny>> {
        if value.is_none() {
            return Ok(value.clone());
        }
        let py = value.py();
        self.document(value, policy, place)
            .map_err(|fault| fault.at(py, &place()))
    }

    /// The value of a JSON column in a form that cannot change, found fit to be read or written
    /// later: valid, but for lazy documents, which are not looked at.
    pub fn hold<'py>(
        &mut self,
        value: &Bound<'py, PyAny>,
        policy: Policy,
        place: &dyn Fn() -> Place,
    ) -> PyResult<Bound<'py, PyAny>> {
        if value.is_none() {
            return Ok(value.clone());
        }
        let py = value.py();
        let stored = match policy {
            Policy::Lazy => Stored::of(value),
            _ => self.valid(value).map(|entry| entry.stored(py)),
        };
        let stored = stored.map_err(|fault| fault.at(py, &place()))?;
        Ok(stored.as_any().bind(py).clone())
    }

    /// Append the document in the value of a JSON column, validated. NULL is `null`.
    ///
    /// `place` is only called for errors, after which `out` is as it was.
    pub fn write(
        &mut self,
        out: &mut Vec<u8>,
        value: &Bound<'_, PyAny>,
        place: &dyn Fn() -> Place,
    ) -> PyResult<()> {
        if value.is_none() {
            out.extend_from_slice(b"null");
            return Ok(());
        }
        let py = value.py();
        let valid = self.valid(value).and_then(|entry| entry.text(py));
        let text = valid.map_err(|fault| fault.at(py, &place()))?;
        out.extend_from_slice(text);
        Ok(())
    }

    /// For the owner's `__traverse__`: the objects here that others can reach and change.
    pub fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.memo.traverse(visit)
    }

    fn document<'py>(
        &mut self,
        value: &Bound<'py, PyAny>,
        policy: Policy,
        place: &dyn Fn() -> Place,
    ) -> Result<Bound<'py, PyAny>, Fault> {
        let py = value.py();
        if policy == Policy::Raw {
            return Ok(self.valid(value)?.raw(py)?.into_any());
        }
        let stored = Stored::of(value)?;
        if policy == Policy::Lazy {
            return Ok(Bound::new(py, LazyJson::new(stored, place()))?.into_any());
        }
        let entry = self.memo.entry(py, stored)?;
        match policy {
            Policy::Shared => shared(py, entry, &mut self.strings),
            _ => fresh(py, entry, &mut self.strings),
        }
    }

    fn valid(&mut self, value: &Bound<'_, PyAny>) -> Result<&mut Entry, Fault> {
        let py = value.py();
        let entry = self.memo.entry(py, Stored::of(value)?)?;
        if !entry.is_valid {
            validate(entry.text(py)?)?;
            entry.is_valid = true;
        }
        Ok(entry)
    }
}

fn shared<'py>(
    py: Python<'py>,
    entry: &mut Entry,
    strings: &mut Strings,
) -> Result<Bound<'py, PyAny>, Fault> {
    if let Some(known) = &entry.shared {
        return Ok(known.bind(py).clone());
    }
    let document = decode_frozen(py, entry.text(py)?, strings)?;
    entry.shared = Some(document.clone().unbind());
    Ok(document)
}

fn fresh<'py>(
    py: Python<'py>,
    entry: &mut Entry,
    strings: &mut Strings,
) -> Result<Bound<'py, PyAny>, Fault> {
    if let Some(template) = &entry.template {
        return Ok(template.copy(py)?);
    }
    let document = decode(py, entry.text(py)?, strings)?;
    if !mem::replace(&mut entry.is_repeated, true) {
        return Ok(document);
    }
    Ok(entry.template.insert(Template::of(document)?).copy(py)?)
}
