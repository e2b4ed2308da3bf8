//! A decoded document that can be had again and again, each time anew.

use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};

/// Containers to copy; all else in a document is immutable and shared by the copies.
///
/// Copying a dict with its table is several times faster than inserting its items.
pub enum Template {
    Leaf(Py<PyAny>),
    Dict(Py<PyDict>, Vec<(Py<PyAny>, Template)>),
    List(Py<PyList>, Vec<(usize, Template)>),
}

impl Template {
    /// A template of a plain document, which from then on is not for others to see.
    pub fn of(document: Bound<'_, PyAny>) -> PyResult<Self> {
        let document = match document.cast_into_exact::<PyDict>() {
            Ok(dict) => {
                let mut inner = Vec::new();
                for item in dict.items() {
                    let (key, value) =
                        item.cast::<PyTuple>()?.extract::<(_, Bound<'_, PyAny>)>()?;
                    if is_container(&value) {
                        inner.push((key, Self::of(value)?));
                    }
                }
                return Ok(Self::Dict(dict.unbind(), inner));
            }
            Err(error) => error.into_inner(),
        };
        match document.cast_into_exact::<PyList>() {
            Ok(list) => {
                let mut inner = Vec::new();
                for (index, value) in list.iter().enumerate() {
                    if is_container(&value) {
                        inner.push((index, Self::of(value)?));
                    }
                }
                Ok(Self::List(list.unbind(), inner))
            }
            Err(error) => Ok(Self::Leaf(error.into_inner().unbind())),
        }
    }

    /// The document, with containers of its own.
    pub fn copy<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        match self {
            Self::Leaf(value) => Ok(value.bind(py).clone()),
            Self::Dict(dict, inner) => {
                let dict = dict.bind(py).copy()?;
                for (key, value) in inner {
                    dict.set_item(key, value.copy(py)?)?;
                }
                Ok(dict.into_any())
            }
            Self::List(list, inner) => {
                let list = list.bind(py);
                let list = list.get_slice(0, list.len());
                for (index, value) in inner {
                    list.set_item(*index, value.copy(py)?)?;
                }
                Ok(list.into_any())
            }
        }
    }
}

fn is_container(value: &Bound<'_, PyAny>) -> bool {
    value.is_exact_instance_of::<PyDict>() || value.is_exact_instance_of::<PyList>()
}
