use meshaccel_core::json;
use pyo3::prelude::*;

/// How many levels JSON text has.
#[pyfunction]
#[pyo3(signature = (text, /))]
pub fn json_depth(text: &[u8]) -> usize {
    json::depth(text)
}
