//! Rows of any driver as tuples of column values.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyList, PyString, PyTuple, PyType};

use super::plan::{RowColumn, RowPlan};
use crate::error::{ambiguous_column, missing_column, row_type, row_width};

/// Reads rows of one kind.
pub struct RowReader<'a, 'py> {
    plan: &'a RowPlan,
    /// The type of the row before, and how it was read.
    last: Option<(Bound<'py, PyType>, Access)>,
}

/// How to get at the values of rows of a type.
#[derive(Clone, Copy)]
enum Access {
    /// It is a tuple that does not say otherwise, such as a named tuple.
    Items,
    /// Its iterator gives the values: faster than by index.
    Iterator,
    Index,
    /// By name.
    Dict,
    /// It is no row.
    None,
}

impl<'a, 'py> RowReader<'a, 'py> {
    pub fn new(plan: &'a RowPlan) -> Self {
        Self { plan, last: None }
    }

    /// The values of a row, as a tuple nobody can change while foreign code runs; and whether it
    /// is the row itself.
    pub fn read(
        &mut self,
        row: Bound<'py, PyAny>,
        index: usize,
    ) -> PyResult<(Bound<'py, PyTuple>, bool)> {
        match row.cast_into_exact::<PyTuple>() {
            Ok(tuple) => {
                self.check(tuple.len(), index)?;
                Ok((tuple, true))
            }
            Err(other) => Ok((self.copy(&other.into_inner(), index)?, false)),
        }
    }

    fn copy(&mut self, row: &Bound<'py, PyAny>, index: usize) -> PyResult<Bound<'py, PyTuple>> {
        if let Ok(list) = row.cast_exact::<PyList>() {
            let tuple = list.to_tuple();
            self.check(tuple.len(), index)?;
            return Ok(tuple);
        }
        let tuple = match self.access(row)? {
            Access::None => return Err(row_type(index, row)),
            Access::Dict => return self.by_name(row.cast()?, index),
            Access::Items => {
                let items = row.cast::<PyTuple>()?;
                items.get_slice(0, items.len())
            }
            Access::Iterator => tuple_type(row).call1((row,))?.cast_into()?,
            Access::Index => {
                self.check(row.len()?, index)?;
                let columns = 0..self.plan.columns.len();
                let values: Vec<_> = columns
                    .map(|column| row.get_item(column))
                    .collect::<PyResult<_>>()?;
                PyTuple::new(row.py(), values)?
            }
        };
        self.check(tuple.len(), index)?;
        Ok(tuple)
    }

    fn check(&self, got: usize, index: usize) -> PyResult<()> {
        match self.plan.columns.len() {
            expected if got == expected => Ok(()),
            expected => Err(row_width(index, got, expected)),
        }
    }

    fn access(&mut self, row: &Bound<'py, PyAny>) -> PyResult<Access> {
        let kind = row.get_type();
        if let Some((last, access)) = &self.last
            && last.is(&kind)
        {
            return Ok(*access);
        }
        let access = Access::of(row, &kind)?;
        self.last = Some((kind, access));
        Ok(access)
    }

    fn by_name(&self, row: &Bound<'py, PyDict>, index: usize) -> PyResult<Bound<'py, PyTuple>> {
        let py = row.py();
        let value = |column: &RowColumn| {
            if let Some(value) = row.get_item(&column.key)? {
                return Ok(value);
            }
            match row.get_item(&column.bare)? {
                Some(value) if column.is_unique => Ok(value),
                Some(_) => Err(ambiguous_column(index, &column.label)),
                None => Err(missing_column(index, &column.label)),
            }
        };
        let values: Vec<_> = self
            .plan
            .columns
            .iter()
            .map(value)
            .collect::<PyResult<_>>()?;
        PyTuple::new(py, values)
    }
}

impl Access {
    fn of(row: &Bound<'_, PyAny>, kind: &Bound<'_, PyType>) -> PyResult<Self> {
        if row.is_instance_of::<PyString>() || row.is_instance_of::<PyBytes>() {
            return Ok(Self::None);
        }
        if row.is_instance_of::<PyDict>() {
            return Ok(Self::Dict);
        }
        let inherits =
            |name| -> PyResult<bool> { Ok(kind.getattr(name)?.is(tuple_type(row).getattr(name)?)) };
        if row.is_instance_of::<PyTuple>() && inherits("__len__")? && inherits("__getitem__")? {
            return Ok(Self::Items);
        }
        if !kind.hasattr("__len__")? || !kind.hasattr("__getitem__")? {
            return Ok(Self::None);
        }
        // A type that does not tell its name is none of these.
        let is_known = kind
            .fully_qualified_name()
            .is_ok_and(|name| matches!(&*name.to_string_lossy(), "sqlite3.Row" | "asyncpg.Record"));
        Ok(if is_known {
            Self::Iterator
        } else {
            Self::Index
        })
    }
}

fn tuple_type<'py>(row: &Bound<'py, PyAny>) -> Bound<'py, PyType> {
    row.py().get_type::<PyTuple>()
}
