//! Python values as JSON.

use meshaccel_core::json::{MAX_DEPTH, write_float, write_int, write_string};
use pyo3::exceptions::{PyOverflowError, PyUnicodeEncodeError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{
    PyAnyMethods, PyBool, PyDict, PyFloat, PyInt, PyList, PyString, PyTuple, PyType,
};

use crate::error::{json_value, type_name};

/// Append any plain value as JSON: those of json, UUIDs, dates and times, and whatever `default`
/// makes of others. Subclasses are written as what they extend.
///
/// After an error `out` is as it was.
pub fn write_value(
    out: &mut Vec<u8>,
    value: &Bound<'_, PyAny>,
    column: &str,
    default: Option<&Bound<'_, PyAny>>,
) -> PyResult<()> {
    let start = out.len();
    let mut writer = Writer {
        out,
        column,
        default,
        depth: 0,
    };
    let written = writer.value(value);
    if written.is_err() {
        out.truncate(start);
    }
    written
}

struct Writer<'a, 'py> {
    out: &'a mut Vec<u8>,
    /// Label of the column, for messages.
    column: &'a str,
    default: Option<&'a Bound<'py, PyAny>>,
    /// How many containers are open, and how many calls of `default` are being answered.
    depth: usize,
}

impl<'py> Writer<'_, 'py> {
    fn value(&mut self, value: &Bound<'py, PyAny>) -> PyResult<()> {
        if let Ok(text) = value.cast_exact::<PyString>() {
            self.text(text)
        } else if value.is_none() {
            self.out.extend_from_slice(b"null");
            Ok(())
        } else if let Ok(int) = value.cast_exact::<PyInt>() {
            self.int(int)
        } else if let Ok(flag) = value.cast_exact::<PyBool>() {
            let literal: &[u8] = if flag.is_true() { b"true" } else { b"false" };
            self.out.extend_from_slice(literal);
            Ok(())
        } else if let Ok(float) = value.cast_exact::<PyFloat>() {
            self.float(float)
        } else if let Ok(dict) = value.cast_exact::<PyDict>() {
            self.nested(value, |writer| writer.dict(dict.items().iter()))
        } else if let Ok(list) = value.cast_exact::<PyList>() {
            self.nested(value, |writer| writer.array(list.iter()))
        } else if let Ok(tuple) = value.cast_exact::<PyTuple>() {
            self.nested(value, |writer| writer.array(tuple.iter()))
        } else {
            self.other(value)
        }
    }

    /// A value of none of the exact types that JSON has.
    fn other(&mut self, value: &Bound<'py, PyAny>) -> PyResult<()> {
        if let Some(text) = well_known(value)? {
            return match text.cast::<PyString>() {
                Ok(text) => self.text(text),
                Err(_) => Err(self.refuse(value)),
            };
        }
        if let Ok(text) = value.cast::<PyString>() {
            self.text(text)
        } else if let Ok(int) = value.cast::<PyInt>() {
            self.int(int)
        } else if let Ok(float) = value.cast::<PyFloat>() {
            self.float(float)
        } else if value.is_instance_of::<PyDict>() {
            self.nested(value, |writer| {
                // An OrderedDict has an order of its own, which only its own method tells.
                let items = value.call_method0("items")?;
                let items: Vec<_> = items.try_iter()?.collect::<PyResult<_>>()?;
                writer.dict(items.into_iter())
            })
        } else if let Ok(list) = value.cast::<PyList>() {
            self.nested(value, |writer| writer.array(list.iter()))
        } else if let Ok(tuple) = value.cast::<PyTuple>() {
            self.nested(value, |writer| writer.array(tuple.iter()))
        } else if let Some(default) = self.default {
            self.nested(value, |writer| writer.value(&default.call1((value,))?))
        } else {
            Err(self.refuse(value))
        }
    }

    /// Bounds our own stack, and ends what would never end: cycles.
    fn nested(
        &mut self,
        value: &Bound<'py, PyAny>,
        write: impl FnOnce(&mut Self) -> PyResult<()>,
    ) -> PyResult<()> {
        if self.depth == MAX_DEPTH {
            let name = type_name(value);
            let what = format!("{name} nested deeper than {MAX_DEPTH} levels");
            return Err(json_value(self.column, what));
        }
        self.depth += 1;
        write(self)?;
        self.depth -= 1;
        Ok(())
    }

    fn dict(&mut self, items: impl Iterator<Item = Bound<'py, PyAny>>) -> PyResult<()> {
        self.out.push(b'{');
        for (index, item) in items.enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            let (key, value): (Bound<'py, PyAny>, Bound<'py, PyAny>) = item.extract()?;
            let Ok(name) = key.cast::<PyString>() else {
                let what = format!("dict with a key of type {}", type_name(&key));
                return Err(json_value(self.column, what));
            };
            self.text(name)?;
            self.out.push(b':');
            self.value(&value)?;
        }
        self.out.push(b'}');
        Ok(())
    }

    fn array(&mut self, elements: impl Iterator<Item = Bound<'py, PyAny>>) -> PyResult<()> {
        self.out.push(b'[');
        for (index, element) in elements.enumerate() {
            if index > 0 {
                self.out.push(b',');
            }
            self.value(&element)?;
        }
        self.out.push(b']');
        Ok(())
    }

    fn text(&mut self, text: &Bound<'py, PyString>) -> PyResult<()> {
        match text.to_str() {
            Ok(content) => {
                write_string(self.out, content);
                Ok(())
            }
            Err(error) if error.is_instance_of::<PyUnicodeEncodeError>(text.py()) => {
                Err(self.refuse(text)) // a lone surrogate
            }
            Err(error) => Err(error),
        }
    }

    fn int(&mut self, int: &Bound<'py, PyInt>) -> PyResult<()> {
        let py = int.py();
        match int.extract::<i64>() {
            Ok(value) => {
                write_int(self.out, value);
                return Ok(());
            }
            Err(error) if error.is_instance_of::<PyOverflowError>(py) => {}
            Err(error) => return Err(error),
        }
        // A subclass such as an enum has a repr of its own.
        match py.get_type::<PyInt>().call_method1("__repr__", (int,)) {
            Ok(digits) => {
                let digits = digits.cast::<PyString>()?.to_str()?;
                self.out.extend_from_slice(digits.as_bytes());
                Ok(())
            }
            // More digits than Python converts.
            Err(error) if error.is_instance_of::<PyValueError>(py) => Err(self.refuse(int)),
            Err(error) => Err(error),
        }
    }

    fn float(&mut self, float: &Bound<'py, PyFloat>) -> PyResult<()> {
        write_float(self.out, float.value()).map_err(|_| self.refuse(float))
    }

    fn refuse(&self, value: &Bound<'py, PyAny>) -> PyErr {
        json_value(self.column, type_name(value))
    }
}

/// The text of a UUID, date or time, as the value itself words it.
fn well_known<'py>(value: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
    static UUID: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    static DATE: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    static TIME: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    let py = value.py();
    if value.is_instance(UUID.import(py, "uuid", "UUID")?)? {
        return Ok(Some(value.str()?.into_any()));
    }
    // A datetime is a date.
    if value.is_instance(DATE.import(py, "datetime", "date")?)?
        || value.is_instance(TIME.import(py, "datetime", "time")?)?
    {
        return value.call_method0("isoformat").map(Some);
    }
    Ok(None)
}
