//! A pool that Python objects share.

use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};

use meshaccel_core::intern::{Pool, Ref};

/// A pool, and values whose owners went while it was locked.
pub struct Shared {
    pool: Mutex<Pool>,
    dropped: Mutex<Vec<Ref>>,
    /// Whether there may be any.
    any_dropped: AtomicBool,
}

impl Shared {
    pub fn new(pool: Pool) -> Arc<Self> {
        Arc::new(Self {
            pool: Mutex::new(pool),
            dropped: Mutex::new(Vec::new()),
            any_dropped: AtomicBool::new(false),
        })
    }

    /// The pool. No Python code may run until the guard is dropped.
    pub fn lock(&self) -> Locked<'_> {
        let mut pool = self.pool.lock().unwrap_or_else(PoisonError::into_inner);
        if self.any_dropped.load(Ordering::Acquire) {
            self.release_dropped(&mut pool);
        }
        Locked(pool)
    }

    /// Give back a value, now or at the next chance. Runs in finalizers, so it never waits.
    fn release(&self, value: Ref) {
        match self.pool.try_lock() {
            Ok(mut pool) => pool.release_ref(value),
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner().release_ref(value),
            Err(TryLockError::WouldBlock) => {
                self.dropped().push(value);
                self.any_dropped.store(true, Ordering::Release);
            }
        }
    }

    fn release_dropped(&self, pool: &mut Pool) {
        self.any_dropped.store(false, Ordering::Release);
        let dropped = std::mem::take(&mut *self.dropped());
        for value in dropped {
            pool.release_ref(value);
        }
    }

    fn dropped(&self) -> MutexGuard<'_, Vec<Ref>> {
        self.dropped.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The pool, for the one who has locked it.
pub struct Locked<'a>(MutexGuard<'a, Pool>);

impl Deref for Locked<'_> {
    type Target = Pool;

    fn deref(&self) -> &Pool {
        &self.0
    }
}

impl DerefMut for Locked<'_> {
    fn deref_mut(&mut self) -> &mut Pool {
        &mut self.0
    }
}

/// A value that stays in its pool as long as this lives.
pub struct Handle {
    pub shared: Arc<Shared>,
    pub value: Ref,
}

impl Handle {
    /// Keep a value, in a pool that is locked already.
    pub fn new(shared: &Arc<Shared>, pool: &mut Pool, value: Ref) -> Self {
        pool.retain_ref(value);
        Self {
            shared: Arc::clone(shared),
            value,
        }
    }

    /// Take over a value that is kept for us.
    pub fn taken(shared: Arc<Shared>, value: Ref) -> Self {
        Self { shared, value }
    }

    /// Whether it is the same value of the same pool.
    pub fn is(&self, other: &Self) -> bool {
        self.is_of(&other.shared) && self.value == other.value
    }

    /// Whether it is in this pool.
    pub fn is_of(&self, shared: &Arc<Shared>) -> bool {
        Arc::ptr_eq(&self.shared, shared)
    }
}

impl Drop for Handle {
    fn drop(&mut self) {
        self.shared.release(self.value);
    }
}
