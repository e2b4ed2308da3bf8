//! Documents as Python objects.

use meshaccel_core::json::{Build, parse};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PyString};

use super::frozen::Frozen;
use super::source::Fault;
use super::strings::Strings;

/// Decode into plain dicts, lists and so on.
pub fn decode<'py>(
    py: Python<'py>,
    text: &[u8],
    strings: &mut Strings,
) -> Result<Bound<'py, PyAny>, Fault> {
    parse(text, &mut Objects::new(py, strings, None))
}

/// Decode into `FrozenDict`, `FrozenList` and so on.
pub fn decode_frozen<'py>(
    py: Python<'py>,
    text: &[u8],
    strings: &mut Strings,
) -> Result<Bound<'py, PyAny>, Fault> {
    let frozen = Frozen::import(py)?;
    parse(text, &mut Objects::new(py, strings, Some(frozen)))
}

struct Objects<'a, 'py> {
    py: Python<'py>,
    strings: &'a mut Strings,
    /// The elements so far of all arrays that are not finished, the innermost last.
    elements: Vec<Bound<'py, PyAny>>,
    /// Makes containers read-only.
    frozen: Option<Frozen<'py>>,
}

impl<'a, 'py> Objects<'a, 'py> {
    fn new(py: Python<'py>, strings: &'a mut Strings, frozen: Option<Frozen<'py>>) -> Self {
        Self {
            py,
            strings,
            elements: Vec::new(),
            frozen,
        }
    }
}

impl<'py> Build for Objects<'_, 'py> {
    type Value = Bound<'py, PyAny>;
    type Key = Bound<'py, PyString>;
    /// Where its elements start.
    type Array = usize;
    type Object = Bound<'py, PyDict>;
    type Error = Fault;

    fn null(&mut self) -> Result<Self::Value, Fault> {
        Ok(self.py.None().into_bound(self.py))
    }

    fn boolean(&mut self, value: bool) -> Result<Self::Value, Fault> {
        Ok(PyBool::new(self.py, value).to_owned().into_any())
    }

    fn int(&mut self, value: i64) -> Result<Self::Value, Fault> {
        Ok(PyInt::new(self.py, value).into_any())
    }

    fn large_int(&mut self, digits: &str) -> Result<Self::Value, Fault> {
        let int = self.py.get_type::<PyInt>().call1((digits,));
        int.map_err(|error| {
            // The process may have set a lower limit (sys.set_int_max_str_digits).
            if error.is_instance_of::<PyValueError>(self.py) {
                Fault::Invalid(error.value(self.py).to_string())
            } else {
                Fault::Python(error)
            }
        })
    }

    fn float(&mut self, value: f64) -> Result<Self::Value, Fault> {
        Ok(PyFloat::new(self.py, value).into_any())
    }

    fn string(&mut self, value: &str) -> Result<Self::Value, Fault> {
        Ok(self.strings.get(self.py, value).into_any())
    }

    fn array(&mut self) -> Result<usize, Fault> {
        Ok(self.elements.len())
    }

    fn push(&mut self, _: &mut usize, value: Self::Value) -> Result<(), Fault> {
        self.elements.push(value);
        Ok(())
    }

    fn finish_array(&mut self, start: usize) -> Result<Self::Value, Fault> {
        let list = PyList::new(self.py, self.elements.drain(start..))?;
        match &self.frozen {
            None => Ok(list.into_any()),
            Some(frozen) => Ok(frozen.list(&list)?),
        }
    }

    fn object(&mut self) -> Result<Self::Object, Fault> {
        Ok(PyDict::new(self.py))
    }

    fn key(&mut self, name: &str) -> Result<Self::Key, Fault> {
        Ok(self.strings.get(self.py, name))
    }

    fn insert(
        &mut self,
        object: &mut Self::Object,
        key: Self::Key,
        value: Self::Value,
    ) -> Result<(), Fault> {
        Ok(object.set_item(key, value)?)
    }

    fn finish_object(&mut self, object: Self::Object) -> Result<Self::Value, Fault> {
        match &self.frozen {
            None => Ok(object.into_any()),
            Some(frozen) => Ok(frozen.dict(&object)?),
        }
    }
}
