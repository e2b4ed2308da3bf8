//! The Python module `meshaccel._native`: convert, call, map errors. No algorithm lives here.

use pyo3::PyTypeInfo;
use pyo3::prelude::*;

mod breath;
mod cache;
mod error;
mod group;

#[pymodule(gil_used = true)]
mod _native {
    use super::{Bound, PyModule, PyModuleMethods, PyResult, PyTypeInfo, cache};

    #[pymodule_export]
    use super::cache::{Flight, TagCache};
    #[pymodule_export]
    use super::group::RowGrouper;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        cache::install(&cache::TagCache::type_object(module.py()))?;
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
