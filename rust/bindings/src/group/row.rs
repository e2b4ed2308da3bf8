//! One row on its way into the fold: keys equal as Python's dict keys are.

use meshaccel_core::group::Row;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyInt, PyString, PyTuple};

use super::plan::RowPlan;
use crate::error::{never_hashable, unhashable_key};

pub struct PyRow<'a, 'py> {
    pub values: Bound<'py, PyTuple>,
    pub plan: &'a RowPlan,
    pub index: usize,
}

impl<'py> PyRow<'_, 'py> {
    /// Key values as a tuple, for messages.
    pub fn tuple(&self, columns: &[usize]) -> PyResult<Bound<'py, PyTuple>> {
        let parts: Vec<_> = columns
            .iter()
            .map(|&column| self.values.get_borrowed_item(column))
            .collect::<PyResult<_>>()?;
        PyTuple::new(self.values.py(), parts)
    }

    /// Whether a test holds for each key column and what is stored of it.
    fn all<F>(&self, columns: &[usize], key: &Py<PyAny>, test: F) -> PyResult<bool>
    where
        F: Fn(&Bound<'py, PyAny>, &Bound<'py, PyAny>) -> PyResult<bool>,
    {
        let key = key.bind(self.values.py());
        if let &[column] = columns {
            return test(key, &*self.values.get_borrowed_item(column)?);
        }
        let key = key.cast_exact::<PyTuple>()?;
        for (part, &column) in key.iter_borrowed().zip(columns) {
            if !test(&part, &*self.values.get_borrowed_item(column)?)? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl Row for PyRow<'_, '_> {
    /// The value of a key of one column, else a tuple of them.
    type Key = Py<PyAny>;
    type Error = PyErr;

    fn all_null(&self, columns: &[usize]) -> PyResult<bool> {
        for &column in columns {
            if !self.values.get_borrowed_item(column)?.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn key(&self, columns: &[usize]) -> PyResult<Self::Key> {
        match columns {
            &[column] => Ok(self.values.get_item(column)?.unbind()),
            _ => Ok(self.tuple(columns)?.into_any().unbind()),
        }
    }

    fn surely_has(&self, columns: &[usize], key: &Self::Key) -> bool {
        self.all(columns, key, |a, b| Ok(surely_equal(a, b)))
            .unwrap_or(false)
    }

    fn hash(&self, column: usize) -> PyResult<u64> {
        let value = self.values.get_borrowed_item(column)?;
        match value.hash() {
            Ok(hash) => Ok(hash.cast_unsigned() as u64),
            Err(error) if never_hashable(&value, &error) => {
                let label = self.plan.label(column);
                Err(unhashable_key(self.index, label, &value, error))
            }
            Err(error) => Err(error),
        }
    }

    fn has(&self, columns: &[usize], key: &Self::Key) -> PyResult<bool> {
        // Identity first, as dicts do: a NaN is not equal to itself.
        self.all(columns, key, |a, b| Ok(a.is(b) || a.eq(b)?))
    }
}

/// Equality for types that cannot run foreign code and always have a hash. No other value may be
/// called equal before it was hashed: `set()` equals `frozenset()`, but is no dict key.
fn surely_equal(a: &Bound<'_, PyAny>, b: &Bound<'_, PyAny>) -> bool {
    a.is(b) || (a.get_type().is(b.get_type()) && is_plain(a) && a.eq(b).unwrap_or(false))
}

fn is_plain(value: &Bound<'_, PyAny>) -> bool {
    value.is_exact_instance_of::<PyString>()
        || value.is_exact_instance_of::<PyInt>()
        || value.is_exact_instance_of::<PyBytes>()
}
