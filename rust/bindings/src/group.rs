//! `RowGrouper` and `GroupStream`: read Python rows, build Python dicts or JSON. What belongs
//! together, the core decides.

mod build;
mod bytes;
mod folding;
mod objects;
mod plan;
mod row;
mod rows;
mod stream;
mod values;

use std::sync::Arc;

use meshaccel_core::group::Order;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use folding::{Folding, Purpose};
use plan::Plan;
pub use stream::GroupStream;

/// Folds the rows of one shape into nested dicts.
#[pyclass(frozen, module = "meshaccel._native")]
pub struct RowGrouper {
    plan: Arc<Plan>,
}

#[pymethods]
impl RowGrouper {
    #[new]
    #[pyo3(signature = (shape, max_rows=None))]
    fn new(shape: &Bound<'_, PyAny>, max_rows: Option<usize>) -> PyResult<Self> {
        let plan = Arc::new(Plan::new(shape, max_rows)?);
        Ok(Self { plan })
    }

    /// Fold rows into one dict per distinct key, in first-seen order.
    #[pyo3(signature = (rows, /))]
    fn group<'py>(&self, rows: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyList>> {
        let mut folding = self.folded(rows, Purpose::Objects)?;
        folding.objects(rows.py())
    }

    /// Fold rows into the JSON of what `group` makes of them.
    #[pyo3(signature = (rows, /, default=None))]
    fn group_json<'py>(
        &self,
        rows: &Bound<'py, PyAny>,
        default: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let mut folding = self.folded(rows, Purpose::Json)?;
        folding.json(rows.py(), default)
    }

    /// A stream of rows of its own.
    #[pyo3(signature = (*, ordered=false, into=None))]
    fn stream(&self, py: Python<'_>, ordered: bool, into: Option<&str>) -> PyResult<GroupStream> {
        let (order, purpose) = match (ordered, into) {
            (true, None | Some("dicts")) => (Order::Grouped, Purpose::Objects),
            (false, None) => (Order::Any, Purpose::Any),
            (false, Some("dicts")) => (Order::Any, Purpose::Objects),
            (false, Some("json")) => (Order::Any, Purpose::Json),
            (true, Some("json")) => {
                let message = "an ordered stream gives its records one by one, not as one text";
                return Err(PyValueError::new_err(message));
            }
            (_, Some(into)) => {
                let message = format!("into must be \"dicts\" or \"json\", not {into:?}");
                return Err(PyValueError::new_err(message));
            }
        };
        let plan = Arc::clone(&self.plan);
        Ok(GroupStream::new(py, plan, order, purpose))
    }
}

impl RowGrouper {
    fn folded(&self, rows: &Bound<'_, PyAny>, purpose: Purpose) -> PyResult<Folding> {
        let mut folding = Folding::new(rows.py(), Arc::clone(&self.plan), Order::Any, purpose);
        folding.feed(rows, &self.plan.joined, true)?;
        Ok(folding)
    }
}
