//! What views of lists and of dicts have in common.

use std::hash::{DefaultHasher, Hash, Hasher as _};
use std::ptr;

use bumpalo::Bump;
use meshaccel_core::digest::{Hasher, Kept, Sha256, Writer, Xxh3Hasher};
use meshaccel_core::intern::{Order, Pool, Value};
use meshaccel_core::output::Output;
use meshaccel_core::tape::Tape;
use pyo3::exceptions::{PyIndexError, PyKeyError, PyTypeError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyInt, PyString, PyTuple};

use super::build;
use super::shared::Handle;
use super::view::handle_of;
use super::walk::{Hashing, Recorder, Refusal, Rules, walk};
use crate::error;

/// The names of digests.
const XXH3: &str = "xxh3";
const SHA256: &str = "sha256";

impl Handle {
    /// The value as plain objects.
    pub fn plain<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        build::plain(py, &self.shared.lock(), self.value)
    }

    /// The value as JSON.
    pub fn json<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let mut out = Output::default();
        let written = self.shared.lock().write_json(self.value, &mut out);
        written.map_err(error::not_json)?;
        Ok(PyBytes::new(py, out.as_bytes()))
    }

    /// How many items or entries it has.
    pub fn len(&self) -> usize {
        match self.shared.lock().value(self.value) {
            Value::List(refs) | Value::Dict(_, refs) => refs.len(),
            _ => 0,
        }
    }

    /// The item at an index, which may count from the end.
    pub fn item<'py>(&self, py: Python<'py>, index: isize) -> PyResult<Option<Bound<'py, PyAny>>> {
        let mut pool = self.shared.lock();
        let Value::List(refs) = pool.value(self.value) else {
            return Ok(None);
        };
        let index = if index < 0 {
            refs.len().checked_sub(index.unsigned_abs())
        } else {
            Some(index.unsigned_abs())
        };
        let Some(&item) = index.and_then(|index| refs.get(index)) else {
            return Ok(None);
        };
        build::view(py, &self.shared, &mut pool, item).map(Some)
    }

    /// The value of a key.
    pub fn field<'py>(
        &self,
        py: Python<'py>,
        key: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        let Ok(key) = key.cast::<PyString>() else {
            return Ok(None);
        };
        // A key with a lone surrogate is rare enough to be written out first.
        let encoded;
        let bytes = if let Ok(key) = key.to_str() {
            key.as_bytes()
        } else {
            encoded = key.call_method1("encode", ("utf-8", "surrogatepass"))?;
            encoded.extract::<&[u8]>()?
        };
        let mut pool = self.shared.lock();
        match pool.field(self.value, bytes) {
            Some(value) => build::view(py, &self.shared, &mut pool, value).map(Some),
            None => Ok(None),
        }
    }

    /// The parts of a list, as a tuple; the keys of a dict.
    pub fn parts<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyTuple>> {
        let mut parts = Vec::new();
        let mut pool = self.shared.lock();
        match pool.value(self.value) {
            Value::Dict(keys, _) => {
                for key in keys {
                    parts.push(build::text(py, pool.text(*key), None)?);
                }
            }
            Value::List(items) => {
                let items = items.to_vec();
                for item in items {
                    parts.push(build::view(py, &self.shared, &mut pool, item)?);
                }
            }
            _ => {}
        }
        drop(pool);
        PyTuple::new(py, parts)
    }

    /// Whether a Python value is this one. `NotImplemented` if it could not be interned: then it
    /// may know better itself.
    pub fn equals<'py>(&self, other: &Bound<'py, PyAny>) -> Bound<'py, PyAny> {
        let py = other.py();
        match self.compare(other, |pool, tape| pool.is_same(tape, self.value)) {
            Some(equal) => PyBool::new(py, equal).to_owned().into_any(),
            None => py.NotImplemented().into_bound(py),
        }
    }

    /// Where in a list a Python value is.
    pub fn positions(&self, value: &Bound<'_, PyAny>) -> Vec<usize> {
        let found = self.compare(value, |pool, tape| match pool.value(self.value) {
            Value::List(items) => (0..)
                .zip(items)
                .filter(|(_, item)| pool.is_same(tape, **item))
                .map(|(position, _)| position)
                .collect(),
            _ => Vec::new(),
        });
        found.unwrap_or_default()
    }

    fn compare<R>(
        &self,
        other: &Bound<'_, PyAny>,
        compare: impl FnOnce(&Pool, &Tape<'_>) -> R,
    ) -> Option<R> {
        let store = Bump::new();
        let mut recorder = Recorder::new(&store, Some(&self.shared));
        // SAFETY: all that is done until the tape is gone is to compare it.
        unsafe { walk(other, Rules::LOOSE, &mut recorder) }.ok()?;
        Some(compare(&self.shared.lock(), &recorder.tape))
    }

    /// A hash of the content: that of every equal view, of whatever pool.
    pub fn hash(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.written::<Xxh3Hasher>(Order::Sorted)
            .finish()
            .hash(&mut hasher);
        hasher.finish()
    }

    /// The digest by the name of an algorithm.
    pub fn digest(&self, algorithm: &str) -> PyResult<String> {
        match algorithm {
            XXH3 => Ok(xxh3_text(
                self.written::<Xxh3Hasher>(Order::Sorted).finish(),
            )),
            SHA256 => Ok(sha256_text(&self.written::<Sha256>(Order::Sorted).finish())),
            other => Err(error::unknown_algorithm(other)),
        }
    }

    /// A writer to which the value was written.
    fn written<H: Hasher>(&self, order: Order) -> Writer<H> {
        let mut writer = Writer::new();
        self.shared.lock().walk(self.value, order, &mut writer);
        writer
    }

    /// What pickle makes an equal view of.
    pub fn reduced<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let packed = self.written::<Kept>(Order::Given).finish();
        let restore = py
            .import("meshaccel._native")?
            .getattr("restore_metadata")?;
        let arguments = (PyBytes::new(py, &packed),);
        Ok((restore, arguments).into_pyobject(py)?.into_any())
    }

    /// The value at the end of a path of keys and indexes.
    pub fn at<'py>(&self, path: &Bound<'py, PyTuple>) -> PyResult<Bound<'py, PyAny>> {
        let py = path.py();
        let mut current = None;
        for step in path.iter() {
            let next = match &current {
                None => self.step(py, &step)?,
                // SAFETY: it is alive.
                Some(value) => match unsafe { handle_of(py, Bound::as_ptr(value)) } {
                    Some(handle) => handle.step(py, &step)?,
                    None => return Err(PyKeyError::new_err((step.unbind(),))),
                },
            };
            current = Some(next);
        }
        match current {
            Some(value) => Ok(value),
            None => build::view(py, &self.shared, &mut self.shared.lock(), self.value),
        }
    }

    fn step<'py>(&self, py: Python<'py>, step: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        if step.is_instance_of::<PyString>() {
            let found = self.field(py, step)?;
            return found.ok_or_else(|| PyKeyError::new_err((step.clone().unbind(),)));
        }
        if step.is_instance_of::<PyInt>() {
            let found = self.item(py, index_of(step)?)?;
            return found.ok_or_else(|| PyIndexError::new_err((step.clone().unbind(),)));
        }
        Err(PyTypeError::new_err("a path is made of str and int"))
    }
}

/// An index, clipped to what lists may have. Fails with what `__index__` raises.
pub fn index_of(index: &Bound<'_, PyAny>) -> PyResult<isize> {
    // SAFETY: the GIL is held, and the object is alive.
    let clipped = unsafe { ffi::PyNumber_AsSsize_t(index.as_ptr(), ptr::null_mut()) };
    // What fails returns -1, and so does what does not.
    let failed = (clipped == -1).then(|| PyErr::take(index.py())).flatten();
    failed.map_or(Ok(clipped), Err)
}

/// The digest of a Python value.
pub fn digest_of(
    value: &Bound<'_, PyAny>,
    rules: Rules,
    algorithm: &str,
) -> PyResult<Result<String, Refusal>> {
    Ok(match algorithm {
        XXH3 => canonical::<Xxh3Hasher>(value, rules).map(|writer| xxh3_text(writer.finish())),
        SHA256 => canonical::<Sha256>(value, rules).map(|writer| sha256_text(&writer.finish())),
        other => return Err(error::unknown_algorithm(other)),
    })
}

/// A writer to which the value was written.
fn canonical<H: Hasher>(value: &Bound<'_, PyAny>, rules: Rules) -> Result<Writer<H>, Refusal> {
    let store = Bump::new();
    let mut hashing = Hashing {
        writer: Writer::new(),
        store: &store,
    };
    // SAFETY: the writer copies what it keeps.
    unsafe { walk(value, rules, &mut hashing)? };
    Ok(hashing.writer)
}

fn xxh3_text(digest: u128) -> String {
    named("mm1:", &digest.to_be_bytes())
}

fn sha256_text(digest: &[u8]) -> String {
    named("mm1-sha256:", digest)
}

/// A digest in hexadecimal digits, behind the name of its kind.
fn named(kind: &str, digest: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut text = String::with_capacity(kind.len() + 2 * digest.len());
    text.push_str(kind);
    for byte in digest {
        text.push(char::from(DIGITS[usize::from(byte >> 4)]));
        text.push(char::from(DIGITS[usize::from(byte & 15)]));
    }
    text
}
