//! Long native loops that let the rest of the process live.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyDict;

/// A breath costs some 50 ns, so a row of some 500 ns does not feel one in 64 of them.
const STEPS: u32 = 64;

/// Lets signal handlers and other threads run, as often as a loop in Python would.
///
/// A breath is a call of a Python function that does nothing: on its way the interpreter does
/// what it does between any two instructions. Whoever has waited for the GIL longer than
/// `sys.getswitchinterval()` gets it. Releasing the GIL every millisecond ourselves is worse:
/// each release restarts the patience of those waiting, and before they are awake we have
/// taken it back, so they starve.
pub struct Breath<'py> {
    nothing: Bound<'py, PyAny>,
    steps: u32,
}

impl<'py> Breath<'py> {
    /// Nothing is run yet.
    pub fn new(py: Python<'py>) -> PyResult<Self> {
        static NOTHING: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        let nothing = NOTHING.get_or_try_init(py, || {
            py.eval(c"lambda: None", Some(&PyDict::new(py)), None)
                .map(Bound::unbind)
        })?;
        Ok(Self {
            nothing: nothing.bind(py).clone(),
            steps: 0,
        })
    }

    /// Count a step. Fails with what a signal handler raises, such as `KeyboardInterrupt`.
    pub fn step(&mut self) -> PyResult<()> {
        self.steps += 1;
        if self.steps == STEPS {
            self.steps = 0;
            self.take()?;
        }
        Ok(())
    }

    /// Let others run now. Fails as `step` does.
    pub fn take(&self) -> PyResult<()> {
        self.nothing.call0().map(drop)
    }
}
