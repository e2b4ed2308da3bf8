//! The read-only containers of `meshaccel.frozen`.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyList, PyType};

/// Makes them without running their `__init__`, which takes longer than all the rest.
pub struct Frozen<'py> {
    dict: Class<'py>,
    list: Class<'py>,
}

impl<'py> Frozen<'py> {
    pub fn import(py: Python<'py>) -> PyResult<Self> {
        static DICT: PyOnceLock<Py<PyType>> = PyOnceLock::new();
        static LIST: PyOnceLock<Py<PyType>> = PyOnceLock::new();
        Ok(Self {
            dict: Class::of(DICT.import(py, "meshaccel.frozen", "FrozenDict")?)?,
            list: Class::of(LIST.import(py, "meshaccel.frozen", "FrozenList")?)?,
        })
    }

    pub fn dict(&self, items: &Bound<'py, PyDict>) -> PyResult<Bound<'py, PyAny>> {
        let frozen = self.dict.empty()?;
        frozen.cast::<PyDict>()?.update(items.as_mapping())?;
        seal(frozen)
    }

    pub fn list(&self, elements: &Bound<'py, PyList>) -> PyResult<Bound<'py, PyAny>> {
        let frozen = self.list.empty()?;
        frozen.cast::<PyList>()?.set_slice(0, 0, elements)?;
        seal(frozen)
    }
}

struct Class<'py> {
    class: Bound<'py, PyType>,
    new: Bound<'py, PyAny>,
}

impl<'py> Class<'py> {
    fn of(class: &Bound<'py, PyType>) -> PyResult<Self> {
        Ok(Self {
            class: class.clone(),
            new: class.getattr(intern!(class.py(), "__new__"))?,
        })
    }

    fn empty(&self) -> PyResult<Bound<'py, PyAny>> {
        self.new.call1((&self.class,))
    }
}

/// From now on `__init__` refuses to fill it, too.
fn seal(frozen: Bound<'_, PyAny>) -> PyResult<Bound<'_, PyAny>> {
    frozen.setattr(intern!(frozen.py(), "_filled"), true)?;
    Ok(frozen)
}
