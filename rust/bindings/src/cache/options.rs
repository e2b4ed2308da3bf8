//! What a cache is made with, checked.

use meshaccel_core::cache::Lifetime;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use super::clock::micros;
use crate::error::cache_option;

/// Seconds from the caller; `None` if they are infinite.
pub fn span(name: &str, seconds: f64) -> PyResult<Option<u64>> {
    if seconds.is_nan() || seconds <= 0.0 {
        return Err(cache_option(name, "a positive number of seconds", seconds));
    }
    Ok(micros_if_finite(seconds))
}

/// Positive seconds as microseconds, at least one; `None` if they are infinite.
pub fn micros_if_finite(seconds: f64) -> Option<u64> {
    seconds.is_finite().then(|| micros(seconds).max(1))
}

/// What a call says about the lifetime of an entry, and else its cache.
pub fn lifetime(ttl: Option<f64>, idle_ttl: Option<f64>, defaults: Lifetime) -> PyResult<Lifetime> {
    let or =
        |name, given: Option<f64>, default| given.map_or(Ok(default), |given| span(name, given));
    Ok(Lifetime {
        ttl: or("ttl", ttl, defaults.ttl)?,
        idle: or("idle_ttl", idle_ttl, defaults.idle)?,
    })
}

/// Share of the lifetimes by which they may be shortened.
pub fn jitter(share: f64) -> PyResult<f64> {
    if (0.0..1.0).contains(&share) {
        return Ok(share);
    }
    Err(cache_option("jitter", "at least 0 and less than 1", share))
}

/// The size that an entry counts with: what a callable says of its key and value, or else what
/// `sys.getsizeof` says of them. Runs foreign code.
pub fn size(
    weigh: Option<&Py<PyAny>>,
    key: &Bound<'_, PyAny>,
    value: &Bound<'_, PyAny>,
) -> PyResult<u64> {
    static GETSIZEOF: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let py = key.py();
    if let Some(weigh) = weigh {
        return checked_size(weigh.bind(py).call1((key, value))?.extract()?);
    }
    let getsizeof = GETSIZEOF.import(py, "sys", "getsizeof")?;
    let of = |object: &Bound<'_, PyAny>| getsizeof.call1((object,))?.extract::<u64>();
    Ok(of(key)?.saturating_add(of(value)?))
}

/// A size that a caller or a callable gives.
pub fn checked_size(size: i64) -> PyResult<u64> {
    u64::try_from(size).map_err(|_| cache_option("size", "at least 0", size))
}
