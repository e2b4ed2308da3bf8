//! `MetadataStats`: what a pool holds.

use meshaccel_core::intern::Stats;
use pyo3::prelude::*;

/// What a pool holds, at one time.
#[pyclass(frozen, eq, get_all, module = "meshaccel.metadata")]
#[derive(PartialEq)]
pub struct MetadataStats {
    /// Distinct values that have a key.
    pub values: usize,
    /// How often values were interned and not yet released.
    pub references: u64,
    /// Distinct strings, floats, large integers, lists and dicts.
    pub nodes: usize,
    /// Bytes that all of it takes, remembered JSON included.
    pub bytes: usize,
    /// Bytes that `json.loads` would take for a copy for each reference (an estimate).
    pub plain_bytes: u64,
    /// How often a value was interned that was there already.
    pub hits: u64,
    /// How often one was interned that was not.
    pub misses: u64,
}

impl From<Stats> for MetadataStats {
    fn from(stats: Stats) -> Self {
        Self {
            values: stats.values,
            references: stats.references,
            nodes: stats.nodes,
            bytes: stats.bytes,
            plain_bytes: stats.plain_bytes,
            hits: stats.hits,
            misses: stats.misses,
        }
    }
}

#[pymethods]
impl MetadataStats {
    /// How much less than plain copies the pool takes, in percent; 0 if it is empty.
    #[getter]
    fn saved_percent(&self) -> f64 {
        if self.plain_bytes == 0 {
            return 0.0;
        }
        #[expect(clippy::cast_precision_loss, reason = "a percentage")]
        let share = self.bytes as f64 / self.plain_bytes as f64;
        100.0 * (1.0 - share)
    }

    fn __repr__(&self) -> String {
        let Self {
            values,
            references,
            nodes,
            bytes,
            plain_bytes,
            hits,
            misses,
        } = self;
        format!(
            "MetadataStats(values={values}, references={references}, nodes={nodes}, bytes={bytes}, \
             plain_bytes={plain_bytes}, hits={hits}, misses={misses}, saved_percent={:.1})",
            self.saved_percent()
        )
    }
}
