//! `MetadataView`: a dict of the pool.

use meshaccel_core::digest::decode;
use pyo3::exceptions::{PyKeyError, PyValueError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyIterator, PyTuple};

use super::build;
use super::list::MetadataList;
use super::pool::private;
use super::shared::Handle;

/// A dict of a pool, which nobody can change.
#[pyclass(frozen, mapping, module = "meshaccel.metadata")]
pub struct MetadataView {
    handle: Handle,
}

impl MetadataView {
    pub fn of(handle: Handle) -> Self {
        Self { handle }
    }
}

/// The value that an object is a view of.
///
/// # Safety
/// The object is alive, and stays so for `'a`.
pub unsafe fn handle_of<'a>(py: Python<'_>, object: *mut ffi::PyObject) -> Option<&'a Handle> {
    // SAFETY: the object is alive.
    let object = unsafe { Borrowed::from_ptr(py, object) };
    let handle: *const Handle = if let Ok(view) = object.cast_exact::<MetadataView>() {
        &raw const view.get().handle
    } else {
        object.cast_exact::<MetadataList>().ok()?.get().handle()
    };
    // SAFETY: a view never changes, and lives for `'a`.
    Some(unsafe { &*handle })
}

#[pymethods]
impl MetadataView {
    fn __getitem__<'py>(&self, key: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let found = self.handle.field(key.py(), key)?;
        found.ok_or_else(|| PyKeyError::new_err((key.clone().unbind(),)))
    }

    fn __len__(&self) -> usize {
        self.handle.len()
    }

    fn __contains__(&self, key: &Bound<'_, PyAny>) -> PyResult<bool> {
        Ok(self.handle.field(key.py(), key)?.is_some())
    }

    fn __iter__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyIterator>> {
        self.handle.parts(py)?.try_iter()
    }

    /// Return the value of a key, or a default.
    #[pyo3(signature = (key, default=None, /))]
    fn get<'py>(
        &self,
        key: &Bound<'py, PyAny>,
        default: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        Ok(self.handle.field(key.py(), key)?.or(default))
    }

    /// The keys, as those of a dict.
    fn keys<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        collection_view(slf, "KeysView")
    }

    /// The values, as those of a dict; lists and dicts are views.
    fn values<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        collection_view(slf, "ValuesView")
    }

    /// The pairs of keys and values, as those of a dict.
    fn items<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        collection_view(slf, "ItemsView")
    }

    /// Return plain objects, which are the caller's.
    fn to_dict<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.handle.plain(py)
    }

    /// Return the dict as JSON, in UTF-8, without spaces.
    fn to_json<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        self.handle.json(py)
    }

    /// Return its digest, as `MetadataPool.digest` does.
    #[pyo3(signature = (algorithm="xxh3"))]
    fn digest(&self, algorithm: &str) -> PyResult<String> {
        self.handle.digest(algorithm)
    }

    /// Return the value at the end of a path of keys and indexes.
    #[pyo3(signature = (*path))]
    fn get_path<'py>(&self, path: &Bound<'py, PyTuple>) -> PyResult<Bound<'py, PyAny>> {
        self.handle.at(path)
    }

    fn __eq__<'py>(&self, other: &Bound<'py, PyAny>) -> Bound<'py, PyAny> {
        self.handle.equals(other)
    }

    fn __hash__(&self) -> u64 {
        self.handle.hash()
    }

    fn __repr__(&self, py: Python<'_>) -> PyResult<String> {
        Ok(format!("MetadataView({})", self.handle.plain(py)?.repr()?))
    }

    fn __copy__(slf: Py<Self>) -> Py<Self> {
        slf
    }

    fn __deepcopy__(slf: Py<Self>, _memo: &Bound<'_, PyAny>) -> Py<Self> {
        slf
    }

    fn __reduce__<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.handle.reduced(py)
    }
}

fn collection_view<'py>(
    view: &Bound<'py, MetadataView>,
    name: &str,
) -> PyResult<Bound<'py, PyAny>> {
    let abc = view.py().import("collections.abc")?;
    abc.getattr(name)?.call1((view,))
}

/// A view, in a pool of its own, of the value that `__reduce__` packed.
#[pyfunction]
#[pyo3(signature = (packed, /))]
pub fn restore_metadata<'py>(py: Python<'py>, packed: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    let refused = || PyValueError::new_err("these bytes are no packed metadata");
    let tape = decode(packed).ok_or_else(refused)?;
    let shared = private();
    let mut pool = shared.lock();
    let value = pool.hold(&tape).map_err(|_| refused())?;
    let view = build::view(py, &shared, &mut pool, value);
    pool.release_ref(value);
    view
}
