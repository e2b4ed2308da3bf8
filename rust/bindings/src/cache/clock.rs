//! What time it is, in microseconds since the cache was made.

use coarsetime::Instant;
use pyo3::prelude::*;

/// Where a cache has its time from.
pub enum Clock {
    /// The system's, read within nanoseconds; it ticks every few milliseconds.
    Coarse(Instant),
    /// A callable that returns seconds, and what it returned first.
    Python(Py<PyAny>, f64),
}

/// A reading, or the means of reading only if need be.
#[derive(Clone, Copy)]
pub enum Moment<'a> {
    Read(u64),
    Unread(&'a Instant),
}

impl Clock {
    pub fn new(callable: Option<Bound<'_, PyAny>>) -> PyResult<Self> {
        match callable {
            None => Ok(Self::Coarse(Instant::now())),
            Some(callable) => {
                let start = callable.call0()?.extract()?;
                Ok(Self::Python(callable.unbind(), start))
            }
        }
    }

    /// Ask for the time. Runs foreign code if the clock is a callable.
    pub fn moment(&self, py: Python<'_>) -> PyResult<Moment<'_>> {
        match self {
            Self::Coarse(start) => Ok(Moment::Unread(start)),
            Self::Python(callable, start) => {
                let seconds: f64 = callable.bind(py).call0()?.extract()?;
                Ok(Moment::Read(micros(seconds - start)))
            }
        }
    }

    pub fn callable(&self) -> Option<&Py<PyAny>> {
        match self {
            Self::Coarse(_) => None,
            Self::Python(callable, _) => Some(callable),
        }
    }
}

impl Moment<'_> {
    pub fn micros(self) -> u64 {
        match self {
            Self::Read(micros) => micros,
            Self::Unread(start) => start.elapsed().as_micros(),
        }
    }
}

/// Seconds as whole microseconds; none if negative.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the cast saturates, as it should"
)]
pub fn micros(seconds: f64) -> u64 {
    (seconds * 1e6) as u64
}
