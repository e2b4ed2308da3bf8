//! `MetadataPool`: keys for Python values.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::sync::{Arc, Mutex, PoisonError};

use bumpalo::Bump;
use meshaccel_core::intern::{Key, Limits, Pool, Settings};
use meshaccel_core::tape::Tape;
use pyo3::exceptions::PyTypeError;
use pyo3::ffi;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyInt, PyString};

use super::build;
use super::read::digest_of;
use super::shared::Shared;
use super::stats::MetadataStats;
use super::walk::{Recorder, Refusal, Rules, walk};
use crate::error;

/// Distinct values, each of which exists once.
#[pyclass(frozen, module = "meshaccel.metadata")]
pub struct MetadataPool {
    shared: Arc<Shared>,
    rules: Rules,
    /// Locked only to copy or take a reference; Python code never runs meanwhile.
    default: Mutex<Option<Py<PyAny>>>,
}

/// A pool for one value.
pub fn private() -> Arc<Shared> {
    Shared::new(Pool::new(Settings {
        seed: random(),
        hash_bits: u32::BITS,
        limits: Limits::default(),
        memo_bytes: 0,
    }))
}

/// A number that nobody can guess, from the operating system.
fn random() -> u64 {
    RandomState::new().build_hasher().finish()
}

#[pymethods]
impl MetadataPool {
    #[new]
    #[pyo3(signature = (
        *,
        max_bytes=None,
        max_nodes=None,
        max_string=None,
        max_depth=1000,
        memo_bytes=1_048_576,
        strict=false,
        default=None,
        hash_bits=32,
    ))]
    #[expect(clippy::too_many_arguments, reason = "each has a name in Python")]
    fn new(
        max_bytes: Option<usize>,
        max_nodes: Option<usize>,
        max_string: Option<usize>,
        max_depth: usize,
        memo_bytes: usize,
        strict: bool,
        default: Option<Py<PyAny>>,
        hash_bits: u32,
    ) -> Self {
        let most = Limits::default();
        let limits = Limits {
            bytes: max_bytes.unwrap_or(most.bytes),
            nodes: max_nodes.unwrap_or(most.nodes),
            string: max_string.unwrap_or(most.string),
            depth: max_depth,
        };
        Self {
            shared: Shared::new(Pool::new(Settings {
                seed: random(),
                hash_bits,
                limits,
                memo_bytes,
            })),
            rules: Rules { max_depth, strict },
            default: Mutex::new(default),
        }
    }

    /// Return the key of a value, which counts once more until it is released.
    #[pyo3(signature = (metadata, /))]
    fn intern(&self, metadata: &Bound<'_, PyAny>) -> PyResult<u64> {
        let interned = self.with_tape(metadata, |tape, pool| pool.intern(tape))?;
        interned.map(|Key(key)| key).map_err(error::pool_full)
    }

    /// As `intern`, of the value that a JSON text says.
    #[pyo3(signature = (text, /))]
    fn intern_json(&self, text: &Bound<'_, PyAny>) -> PyResult<u64> {
        let interned = if let Ok(bytes) = text.extract::<&[u8]>() {
            self.shared.lock().intern_json(bytes)
        } else if let Ok(bytes) = text.extract::<PyBackedBytes>() {
            self.shared.lock().intern_json(&bytes)
        } else {
            let text = text
                .cast::<PyString>()
                .map_err(|_| error::json_type(text))?;
            let bytes = text.encode_utf8().map_err(|_| error::json_surrogate())?;
            self.shared.lock().intern_json(bytes.as_bytes())
        };
        let Key(key) = interned.map_err(error::json_refused)?;
        Ok(key)
    }

    /// Return the key of a value that takes the place of the one with `key`.
    #[pyo3(signature = (key, metadata, /))]
    fn reintern(&self, key: &Bound<'_, PyAny>, metadata: &Bound<'_, PyAny>) -> PyResult<u64> {
        let old = key_of(key)?;
        let interned = self.with_tape(metadata, |tape, pool| pool.reintern(old, tape))?;
        let Key(key) = interned.map_err(|refused| error::reintern_refused(refused, key))?;
        Ok(key)
    }

    /// Return a `MetadataView`, a `MetadataList` or a scalar by its key. O(1).
    #[pyo3(signature = (key, default=Fallback::Raise, /))]
    fn get<'py>(
        &self,
        key: &Bound<'py, PyAny>,
        default: Fallback<'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let wanted = key_of(key)?;
        let mut pool = self.shared.lock();
        if let Some(value) = pool.get(wanted) {
            return build::view(key.py(), &self.shared, &mut pool, value);
        }
        drop(pool);
        match default {
            Fallback::Return(default) => Ok(default),
            Fallback::Raise => Err(error::unknown_key(key)),
        }
    }

    /// Count a key less; the last time its value goes.
    #[pyo3(signature = (key, /, *, missing="error"))]
    fn release(&self, key: &Bound<'_, PyAny>, missing: &str) -> PyResult<()> {
        // Before the pool is locked: to say what is wrong may run Python code.
        let unwanted = key_of(key)?;
        let released = self.shared.lock().release(unwanted);
        match (released, missing) {
            (Ok(()), _) | (Err(_), "ignore") => Ok(()),
            (Err(_), _) => Err(error::unknown_key(key)),
        }
    }

    /// Return a digest of a value: equal for equal values, everywhere and in every version.
    #[pyo3(signature = (metadata, algorithm="xxh3"))]
    fn digest(&self, metadata: &Bound<'_, PyAny>, algorithm: &str) -> PyResult<String> {
        match digest_of(metadata, self.rules, algorithm)? {
            Ok(digest) => Ok(digest),
            Err(refusal) => {
                let plain = self.plain(metadata, &refusal)?;
                let digested = digest_of(&plain, self.rules, algorithm)?;
                digested.map_err(|refusal| self.refused(&refusal))
            }
        }
    }

    /// Return what the pool holds now. O(1).
    fn stats(&self) -> MetadataStats {
        self.shared.lock().stats().into()
    }

    fn __len__(&self) -> usize {
        self.shared.lock().stats().values
    }

    fn __contains__(&self, key: &Bound<'_, PyAny>) -> bool {
        key_of(key).is_ok_and(|key| self.shared.lock().get(key).is_some())
    }

    fn __repr__(&self) -> String {
        let stats = self.shared.lock().stats();
        format!(
            "<MetadataPool: {} values, {} nodes, {} bytes>",
            stats.values, stats.nodes, stats.bytes
        )
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        // Whoever holds the lock has the GIL, and so is not in the collector.
        match self.default.try_lock() {
            Ok(default) => visit.call(&*default),
            Err(_) => Ok(()),
        }
    }

    fn __clear__(&self) {
        let default = self
            .default
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        drop(default);
    }
}

impl MetadataPool {
    /// Do something with a value and the pool, in which no Python code runs.
    fn with_tape<R>(
        &self,
        value: &Bound<'_, PyAny>,
        act: impl Fn(&Tape<'_>, &mut Pool) -> R,
    ) -> PyResult<R> {
        let attempt = |value: &Bound<'_, PyAny>| {
            let store = Bump::new();
            let mut recorder = Recorder::new(&store, Some(&self.shared));
            // SAFETY: until the tape is gone, nothing is done but to act on it and on the pool.
            unsafe { walk(value, self.rules, &mut recorder) }
                .map(|()| act(&recorder.tape, &mut self.shared.lock()))
        };
        match attempt(value) {
            Ok(done) => Ok(done),
            Err(refusal) => {
                let plain = self.plain(value, &refusal)?;
                attempt(&plain).map_err(|refusal| self.refused(&refusal))
            }
        }
    }

    /// A plain copy of a value that was refused; fails with what is wrong with it.
    fn plain<'py>(
        &self,
        value: &Bound<'py, PyAny>,
        refusal: &Refusal,
    ) -> PyResult<Bound<'py, PyAny>> {
        if let Refusal::TooDeep = refusal {
            return Err(self.refused(refusal));
        }
        let py = value.py();
        let default = {
            let default = self.default.lock().unwrap_or_else(PoisonError::into_inner);
            default.as_ref().map(|default| default.clone_ref(py))
        };
        let module = py.import("meshaccel.metadata.plain")?;
        let rules = (value, self.rules.max_depth, self.rules.strict, default);
        module.getattr("plain")?.call1(rules)
    }

    fn refused(&self, refusal: &Refusal) -> PyErr {
        match refusal {
            Refusal::TooDeep => error::too_deep(self.rules.max_depth),
            Refusal::NotPlain => PyTypeError::new_err("the value changed while it was read"),
        }
    }
}

/// What comes in the place of a value that is not there.
enum Fallback<'py> {
    Raise,
    Return(Bound<'py, PyAny>),
}

impl<'py> FromPyObject<'_, 'py> for Fallback<'py> {
    type Error = PyErr;

    fn extract(object: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        Ok(Self::Return(object.to_owned()))
    }
}

/// The key that an int is; one that is never in use if it is out of range.
fn key_of(key: &Bound<'_, PyAny>) -> PyResult<Key> {
    if !key.is_instance_of::<PyInt>() {
        return Err(error::key_type(key));
    }
    let mut overflow = 0;
    // SAFETY: it is an int, so nothing is called and nothing can fail.
    let key = unsafe { ffi::PyLong_AsLongLongAndOverflow(key.as_ptr(), &raw mut overflow) };
    Ok(Key(u64::try_from(key).unwrap_or(u64::MAX)))
}
