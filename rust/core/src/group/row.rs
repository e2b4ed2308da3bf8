//! What a fold asks a row.

/// One row as its caller holds it. Columns are positions in the row.
pub trait Row {
    /// What is kept of a record to compare later rows with.
    type Key;
    /// What may go wrong while reading and comparing values.
    type Error;

    /// Whether all these columns are NULL.
    ///
    /// # Errors
    /// Whatever reading a value may raise.
    fn all_null(&self, columns: &[usize]) -> Result<bool, Self::Error>;

    /// The row's key of a collection. Asked for new records only.
    ///
    /// # Errors
    /// Whatever reading a value may raise.
    fn key(&self, columns: &[usize]) -> Result<Self::Key, Self::Error>;

    /// Whether the row has this key for certain, as far as can be told at little cost.
    ///
    /// Asked about the record of the previous row before anything is hashed: `false` only
    /// means that it takes [`Row::hash`] and [`Row::has`] to find out.
    fn surely_has(&self, columns: &[usize], key: &Self::Key) -> bool;

    /// A hash of the value in a key column, equal for equal values; it may be a weak one.
    ///
    /// # Errors
    /// Whatever hashing a value may raise.
    fn hash(&self, column: usize) -> Result<u64, Self::Error>;

    /// Whether the row has this key. Asked about keys of equal hash only.
    ///
    /// # Errors
    /// Whatever comparing values may raise.
    fn has(&self, columns: &[usize], key: &Self::Key) -> Result<bool, Self::Error>;
}
