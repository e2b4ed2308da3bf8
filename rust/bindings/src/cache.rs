//! `TagCache`: convert, call, and drop what has left only after unlocking.
//!
//! While the lock is held no Python code runs and the GIL is kept, so nobody ever finds it held:
//! not another thread, not a finaliser, not the garbage collector, not a child made by `fork`.

mod clock;
mod fastcall;
mod flight;
mod guarded;
mod options;
mod owned;
mod quick;
mod reader;
mod set;
mod text;

use meshaccel_core::cache::{self as core, Lifetime, Limits, Offer, Removed};
use pyo3::PyTraverseError;
use pyo3::gc::PyVisit;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyList, PyTuple};

use crate::breath::Breath;
use crate::error::{cache_option, foreign_flight};
use clock::{Clock, Moment};
pub use flight::Flight;
use guarded::{Guard, Guarded};
use owned::Owned;
pub use quick::install;
use reader::Reader;
use text::{Named, Text, collect};

/// Entries that are swept, or dropped, between two breaths.
const STEPS_PER_BREATH: usize = 256;

type State = core::TagCache<Text, Owned<PyAny>>;

/// Values by key, dropped by tag, bounded.
#[pyclass(frozen, generic, weakref, module = "meshaccel.cache")]
pub struct TagCache {
    state: Guarded<State>,
    clock: Clock,
    weigh: Option<Py<PyAny>>,
    max_bytes: Option<u64>,
    defaults: Lifetime,
}

#[pymethods]
impl TagCache {
    #[new]
    #[pyo3(signature = (
        max_entries, *, max_bytes=None, ttl=None, idle_ttl=None, jitter=0.0, weigh=None, clock=None,
        seed=None
    ))]
    #[expect(clippy::too_many_arguments, reason = "keywords, in Python")]
    fn new(
        max_entries: i64,
        max_bytes: Option<i64>,
        ttl: Option<f64>,
        idle_ttl: Option<f64>,
        jitter: f64,
        weigh: Option<Py<PyAny>>,
        clock: Option<Bound<'_, PyAny>>,
        seed: Option<u64>,
    ) -> PyResult<Self> {
        let entries = u32::try_from(max_entries)
            .map_err(|_| cache_option("max_entries", "between 0 and 2**32 - 1", max_entries))?;
        let max_bytes = max_bytes
            .map(|bytes| {
                u64::try_from(bytes).map_err(|_| cache_option("max_bytes", "at least 0", bytes))
            })
            .transpose()?;
        let limits = Limits {
            entries,
            weight: max_bytes,
        };
        let jitter = options::jitter(jitter)?;
        let seed = seed.unwrap_or_else(|| std::process::id().into());
        Ok(Self {
            state: Guarded::new(State::new(limits, jitter, seed)),
            clock: Clock::new(clock)?,
            weigh,
            max_bytes,
            defaults: options::lifetime(ttl, idle_ttl, Lifetime::default())?,
        })
    }

    #[pyo3(
        signature = (key, value, tags=None, *, ttl=None, idle_ttl=None, since=None, size=None),
        text_signature = "($self, key, value, tags=(), *, ttl=None, idle_ttl=None, since=None, size=None)"
    )]
    #[expect(clippy::too_many_arguments, reason = "keywords, in Python")]
    fn set(
        &self,
        key: &Bound<'_, PyAny>,
        value: Bound<'_, PyAny>,
        tags: Option<&Bound<'_, PyAny>>,
        ttl: Option<f64>,
        idle_ttl: Option<f64>,
        since: Option<&Bound<'_, Flight>>,
        size: Option<i64>,
    ) -> PyResult<bool> {
        let py = key.py();
        let name = Named::new(key.as_borrowed(), "key")?;
        let tags = match tags {
            Some(tags) => collect(tags, "tags")?,
            None => PyTuple::empty(py),
        };
        let tags = Named::all(&tags, "tag")?;
        let lifetime = options::lifetime(ttl, idle_ttl, self.defaults)?;
        let weight = match (self.max_bytes, size) {
            (None, _) => 0,
            (Some(_), Some(size)) => options::checked_size(size)?,
            (Some(_), None) => options::size(self.weigh.as_ref(), key, &value)?,
        };
        let moment = self.clock.moment(py)?;
        let since = match since {
            // Read last: until here foreign code may have ended the flight.
            Some(flight) if flight.get().is_of(self) => match flight.get().began_if_under_way() {
                Some(began) => Some(began),
                None => return Ok(false),
            },
            Some(_) => return Err(foreign_flight()),
            None => None,
        };
        let offer = Offer {
            value: Owned::new(value),
            lifetime,
            weight,
            since,
        };
        Ok(self.store(py, &name, &tags, offer, moment.micros()))
    }

    /// Give an entry a new time to live from now on; return whether there is one.
    #[pyo3(signature = (key, /, *, ttl=None, idle_ttl=None))]
    fn touch(
        &self,
        key: &Bound<'_, PyAny>,
        ttl: Option<f64>,
        idle_ttl: Option<f64>,
    ) -> PyResult<bool> {
        let name = Named::new(key.as_borrowed(), "key")?;
        let lifetime = options::lifetime(ttl, idle_ttl, self.defaults)?;
        let py = key.py();
        let now = self.clock.moment(py)?.micros();
        let mut removed = Removed::new();
        let touched = self.lock(py).touch(&name, lifetime, now, &mut removed);
        drop(removed);
        Ok(touched)
    }

    /// Return the seconds an entry has left, infinity for ever, None if there is none.
    #[pyo3(signature = (key, /))]
    fn ttl(&self, key: &Bound<'_, PyAny>) -> PyResult<Option<f64>> {
        let now = self.clock.moment(key.py())?.micros();
        Ok(self
            .deadline(key, Moment::Read(now))?
            .map(|deadline| deadline.map_or(f64::INFINITY, |at| seconds(at - now))))
    }

    /// Drop an entry, and outlive the flights it may be computed in; whether it was there.
    #[pyo3(signature = (key, /))]
    fn delete(&self, key: &Bound<'_, PyAny>) -> PyResult<bool> {
        let name = Named::new(key.as_borrowed(), "key")?;
        let py = key.py();
        let now = self.clock.moment(py)?.micros();
        let mut removed = Removed::new();
        let was_there = self.lock(py).remove(&name, now, &mut removed);
        drop(removed);
        Ok(was_there)
    }

    /// Drop every entry that carries one of the tags; return how many those were.
    #[pyo3(signature = (*tags))]
    fn invalidate_by_tag(&self, tags: &Bound<'_, PyTuple>) -> PyResult<usize> {
        let py = tags.py();
        let tags = Named::all(tags, "tag")?;
        let mut removed = Removed::new();
        let gone = self.lock(py).invalidate(&tags, &mut removed);
        drop(removed);
        Ok(gone)
    }

    /// Drop all that has expired or was invalidated; return the number of values dropped.
    fn sweep(&self, py: Python<'_>) -> PyResult<usize> {
        let now = self.clock.moment(py)?.micros();
        let mut breath = Breath::new(py);
        let mut swept = 0;
        loop {
            let mut removed = Removed::new();
            let steps = self.lock(py).sweep(now, STEPS_PER_BREATH, &mut removed);
            swept += removed.len();
            drop(removed);
            if steps < STEPS_PER_BREATH {
                return Ok(swept);
            }
            breath.long_step()?;
        }
    }

    /// Drop every entry, and outlive every flight.
    fn clear(&self, py: Python<'_>) -> PyResult<()> {
        let mut values = self.lock(py).clear();
        let mut breath = Breath::new(py);
        while values.by_ref().take(STEPS_PER_BREATH).count() == STEPS_PER_BREATH {
            breath.long_step()?;
        }
        Ok(())
    }

    /// Begin a flight, to be used in `with`, before the first read of a computation.
    fn flight(this: Bound<'_, Self>) -> Flight {
        Flight::begin(this)
    }

    /// Return a function of a key that is to be awaited: a look, and `on_miss` if that is vain.
    #[pyo3(signature = (on_miss, /))]
    fn reader<'py>(
        this: Bound<'py, Self>,
        on_miss: Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        Reader::function(this, on_miss)
    }

    /// A number that every invalidation, deletion and `set` outside of flights raises.
    #[getter]
    fn epoch(&self, py: Python<'_>) -> u64 {
        self.lock(py).epoch()
    }

    /// Return the keys: newcomers, then the others, each in the order they would leave in.
    fn keys<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let keys: Vec<_> = self.lock(py).keys().map(|key| key.clone_ref(py)).collect();
        PyList::new(py, keys)
    }

    /// Return the keys of the entries that carry a tag, in no order.
    #[pyo3(signature = (tag, /))]
    fn keys_by_tag<'py>(&self, tag: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyList>> {
        let (py, tag) = (tag.py(), Named::new(tag.as_borrowed(), "tag")?);
        let state = self.lock(py);
        let keys: Vec<_> = state
            .keys_by_tag(&tag)
            .map(|key| key.clone_ref(py))
            .collect();
        drop(state);
        PyList::new(py, keys)
    }

    /// Return counts since the start, and what there is now.
    fn stats<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        static STATS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let (counters, now) = {
            let state = self.lock(py);
            let now = [
                ("entries", state.len() as u64),
                ("bytes", state.weight()),
                ("tags", state.tags() as u64),
                ("pending", state.pending() as u64),
            ];
            (state.counters(), now)
        };
        let since_start = [
            ("hits", counters.hits),
            ("misses", counters.misses),
            ("stored", counters.stored),
            ("outlived", counters.outlived),
            ("evicted", counters.evicted),
            ("expired", counters.expired),
            ("invalidated", counters.invalidated),
        ];
        let values = PyDict::new(py);
        for (name, value) in since_start.into_iter().chain(now) {
            values.set_item(name, value)?;
        }
        STATS
            .import(py, "meshaccel.cache.stats", "CacheStats")?
            .call((), Some(&values))
    }

    /// Check all inner structures against each other, in O(everything), for tests.
    fn validate(&self, py: Python<'_>) -> PyResult<()> {
        let hash = |text: &Text| text::hash(text.bind(py)).unwrap_or_default();
        let checked = self.lock(py).validate(hash);
        checked.map_err(pyo3::exceptions::PyAssertionError::new_err)
    }

    fn __contains__(&self, key: &Bound<'_, PyAny>) -> PyResult<bool> {
        let moment = self.clock.moment(key.py())?;
        self.deadline(key, moment).map(|found| found.is_some())
    }

    fn __len__(&self, py: Python<'_>) -> usize {
        self.lock(py).len()
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.weigh)?;
        visit.call(self.clock.callable())?;
        // SAFETY: the collector runs with the GIL held.
        let py = unsafe { Python::assume_attached() };
        if self.state.is_taken(py) {
            // Nothing is collected that was not visited.
            return Ok(());
        }
        let state = self.lock(py);
        state.values().try_for_each(|value| visit.call(&**value))
    }

    fn __clear__(&self) {
        Python::attach(|py| {
            let values = self.lock(py).clear();
            drop(values);
        });
    }
}

impl TagCache {
    fn lock<'a>(&'a self, py: Python<'a>) -> Guard<'a, State> {
        self.state.lock(py)
    }

    fn store(
        &self,
        py: Python<'_>,
        name: &Named<'_, '_>,
        tags: &[Named<'_, '_>],
        offer: Offer<Owned<PyAny>>,
        now: u64,
    ) -> bool {
        let mut removed = Removed::new();
        let stored = self.lock(py).set(name, tags, offer, now, &mut removed);
        drop(removed);
        stored
    }

    #[expect(clippy::option_option, reason = "no entry, or no deadline")]
    fn deadline(&self, key: &Bound<'_, PyAny>, now: Moment<'_>) -> PyResult<Option<Option<u64>>> {
        let py = key.py();
        let name = Named::new(key.as_borrowed(), "key")?;
        Ok(self.lock(py).deadline(&name, || now.micros()))
    }
}

#[expect(clippy::cast_precision_loss, reason = "exact for 285 years")]
fn seconds(micros: u64) -> f64 {
    micros as f64 / 1e6
}
