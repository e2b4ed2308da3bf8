//! The Python module `meshaccel._native`: convert, call, map errors. No algorithm lives here.

use pyo3::PyTypeInfo;
use pyo3::prelude::*;

mod breath;
mod cache;
mod error;
mod group;
mod interpreter;
mod json;
mod metadata;
mod prefetch;
mod ready;

#[pymodule(gil_used = true)]
mod _native {
    use super::json::restore_lazy_json;
    use super::{
        Bound, PyAnyMethods, PyModule, PyModuleMethods, PyResult, PyTypeInfo, cache, interpreter,
        ready, wrap_pyfunction,
    };

    #[pymodule_export]
    use super::cache::{Flight, TagCache};
    #[pymodule_export]
    use super::group::{GroupStream, RowGrouper};
    #[pymodule_export]
    use super::json::{LazyJson, json_depth};

    #[pymodule_export]
    use super::metadata::{
        MetadataList, MetadataPool, MetadataStats, MetadataView, restore_metadata,
    };

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        interpreter::refuse_others(module.py())?;
        // Private, so not in `__all__` as what `add` adds.
        module.setattr(
            "_restore_lazy_json",
            wrap_pyfunction!(restore_lazy_json, module)?,
        )?;
        cache::install(&cache::TagCache::type_object(module.py()))?;
        ready::install(module)?;
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
