//! Long native loops that let the rest of the process live.

use std::thread;
use std::time::{Duration, Instant};

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyDict;

/// How often others get a chance: an event loop should not feel more than this.
const INTERVAL: Duration = Duration::from_millis(1);

/// How long they have to take it. Whoever waits for the GIL sleeps, and needs some 30 us to wake
/// up when it is released; a release of no time at all only robs him of his turn.
const CHANCE: Duration = Duration::from_micros(50);

/// The clock is read once in so many steps, which take a microsecond or less each.
const STEPS: u32 = 64;

/// Lets signal handlers and other threads run about every millisecond.
///
/// A loop in Python would hand the GIL over too, but only to who has waited for
/// `sys.getswitchinterval()`, which is 5 ms: too long for an event loop whose worker this is.
/// Measured while 100,000 rows were grouped in a worker, a loop that ticks every millisecond
/// came late by this many milliseconds (median of the ticks; worst tick, median of 7 to 15 runs;
/// each the range of several such measurements on two cores that others kept busy):
///
/// | how                                            | late       | at worst |
/// |------------------------------------------------|------------|----------|
/// | not before the switch interval                 | 5 to 9     | 9 to 19  |
/// | release every millisecond, take it back        | 1 to 3     | 16 to 28 |
/// | release, yield the processor once              | 1 to 3     | 7 to 13  |
/// | release, yield the processor for 50 us         | 0.1 to 0.2 | 3 to 15  |
///
/// So a twentieth of the time is spent on chances, unless there is no other thread to take them.
pub struct Breath<'py> {
    py: Python<'py>,
    steps: u32,
    last: Instant,
}

impl<'py> Breath<'py> {
    /// The first millisecond begins.
    pub fn new(py: Python<'py>) -> Self {
        Self {
            py,
            steps: 0,
            last: Instant::now(),
        }
    }

    /// Count a step. Fails with what a signal handler raises, such as `KeyboardInterrupt`.
    pub fn step(&mut self) -> PyResult<()> {
        self.steps += 1;
        if self.steps == STEPS {
            self.steps = 0;
            self.long_step()?;
        }
        Ok(())
    }

    /// Let others run if it is time. For steps that take some ten microseconds each.
    pub fn long_step(&mut self) -> PyResult<()> {
        if self.last.elapsed() >= INTERVAL {
            self.breathe()?;
            self.last = Instant::now();
        }
        Ok(())
    }

    #[cold]
    fn breathe(&self) -> PyResult<()> {
        if is_only_thread(self.py)? {
            // There may be others that Python has not started. Calling any Python function
            // serves them as a loop in Python would, and signal handlers too.
            nothing(self.py)?.call0()?;
            return Ok(());
        }
        self.py.check_signals()?;
        self.py.detach(|| {
            let start = Instant::now();
            while start.elapsed() < CHANCE {
                thread::yield_now();
            }
        });
        Ok(())
    }
}

fn is_only_thread(py: Python<'_>) -> PyResult<bool> {
    static ACTIVE_COUNT: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let count = ACTIVE_COUNT.import(py, "threading", "active_count")?;
    Ok(count.call0()?.extract::<usize>()? <= 1)
}

fn nothing(py: Python<'_>) -> PyResult<&Bound<'_, PyAny>> {
    static NOTHING: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    let nothing = NOTHING.get_or_try_init(py, || {
        py.eval(c"lambda: None", Some(&PyDict::new(py)), None)
            .map(Bound::unbind)
    })?;
    Ok(nothing.bind(py))
}
