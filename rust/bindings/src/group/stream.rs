//! `GroupStream`: rows that come little by little.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use meshaccel_core::group::Order;
use pyo3::exceptions::PyValueError;
use pyo3::gc::{PyTraverseError, PyVisit};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};

use super::folding::{Folding, Purpose};
use super::plan::Plan;
use crate::error::stream_busy;

/// Folds rows that come little by little.
#[pyclass(frozen, module = "meshaccel._native")]
pub struct GroupStream {
    plan: Arc<Plan>,
    /// Locked only to swap it: no Python code ever runs meanwhile. A call takes the folding out
    /// while it works, so whoever comes then, from another thread or from the code of a row,
    /// finds it gone.
    folding: Mutex<Option<Box<Folding>>>,
}

impl GroupStream {
    pub fn new(py: Python<'_>, plan: Arc<Plan>, order: Order, purpose: Purpose) -> Self {
        let folding = Folding::new(py, Arc::clone(&plan), order, purpose);
        Self {
            plan,
            folding: Mutex::new(Some(Box::new(folding))),
        }
    }

    fn cell(&self) -> MutexGuard<'_, Option<Box<Folding>>> {
        self.folding.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Work on the folding, and put it back whatever comes of it.
    fn work<T>(&self, job: impl FnOnce(&mut Folding) -> PyResult<T>) -> PyResult<T> {
        let mut taken = Taken {
            stream: self,
            folding: self.cell().take(),
        };
        match &mut taken.folding {
            Some(folding) => job(folding),
            None => Err(stream_busy()),
        }
    }
}

struct Taken<'a> {
    stream: &'a GroupStream,
    folding: Option<Box<Folding>>,
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        if let Some(folding) = self.folding.take() {
            *self.stream.cell() = Some(folding);
        }
    }
}

#[pymethods]
impl GroupStream {
    /// Take rows, and return the records that are complete by now.
    #[pyo3(signature = (rows, /, level=None))]
    fn feed<'py>(
        &self,
        rows: &Bound<'py, PyAny>,
        level: Option<&str>,
    ) -> PyResult<Bound<'py, PyList>> {
        let plan = self.plan.rows(level)?;
        self.work(|folding| {
            if level.is_some() && folding.order() == Order::Grouped {
                let message = "an ordered stream takes joined rows only";
                return Err(PyValueError::new_err(message));
            }
            folding.feed(rows, plan, false)?;
            folding.take_finished(rows.py())
        })
    }

    /// Return the other records, and begin anew.
    fn finish<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        let (records, _rows) = self.work(|folding| {
            let records = folding.objects(py)?;
            Ok((records, folding.reset(py)))
        })?;
        Ok(records)
    }

    /// Return the records as JSON, and begin anew.
    #[pyo3(signature = (default=None))]
    fn finish_json<'py>(
        &self,
        py: Python<'py>,
        default: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let (text, _rows) = self.work(|folding| {
            let text = folding.json(py, default)?;
            Ok((text, folding.reset(py)))
        })?;
        Ok(text)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        // While a call has it, the folding is not ours: what it refers to is in use.
        match self.folding.try_lock().as_deref() {
            Ok(Some(folding)) => folding.traverse(&visit),
            _ => Ok(()),
        }
    }

    fn __clear__(&self, py: Python<'_>) {
        // A stream that is at work is not garbage.
        drop(self.work(|folding| Ok(folding.reset(py))));
    }
}
