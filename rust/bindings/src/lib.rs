//! The Python module `meshaccel._native`: convert, call, map errors. No algorithm lives here.

use pyo3::prelude::*;

mod breath;
mod error;
mod group;

#[pymodule]
mod _native {
    use super::{Bound, PyModule, PyModuleMethods, PyResult};

    #[pymodule_export]
    use super::group::RowGrouper;

    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        module.add("__version__", env!("CARGO_PKG_VERSION"))
    }
}
