use super::JsonError;

/// Makes the values of a document while it is parsed, innermost first.
///
/// # Errors
/// Each method may fail with whatever building raises, which ends the parse.
#[expect(
    clippy::missing_errors_doc,
    reason = "all are the same, and said above"
)]
pub trait Build {
    /// Any finished value.
    type Value;
    /// The name of a member.
    type Key;
    /// An array that is not finished.
    type Array;
    /// An object that is not finished.
    type Object;
    /// Whatever goes wrong, in the document or while building.
    type Error: From<JsonError>;

    /// `null`
    fn null(&mut self) -> Result<Self::Value, Self::Error>;

    /// `true` or `false`
    fn boolean(&mut self, value: bool) -> Result<Self::Value, Self::Error>;

    /// An integer of 64 bits.
    fn int(&mut self, value: i64) -> Result<Self::Value, Self::Error>;

    /// A larger integer: an optional minus sign and decimal digits.
    fn large_int(&mut self, digits: &str) -> Result<Self::Value, Self::Error>;

    /// A finite number with a fraction or an exponent.
    fn float(&mut self, value: f64) -> Result<Self::Value, Self::Error>;

    /// A string, without its escapes.
    fn string(&mut self, value: &str) -> Result<Self::Value, Self::Error>;

    /// An array begins.
    fn array(&mut self) -> Result<Self::Array, Self::Error>;

    /// Its next element is complete.
    fn push(&mut self, array: &mut Self::Array, value: Self::Value) -> Result<(), Self::Error>;

    /// It ends.
    fn finish_array(&mut self, array: Self::Array) -> Result<Self::Value, Self::Error>;

    /// An object begins.
    fn object(&mut self) -> Result<Self::Object, Self::Error>;

    /// The name of its next member.
    fn key(&mut self, name: &str) -> Result<Self::Key, Self::Error>;

    /// Its next member is complete; an earlier one may have the same name.
    fn insert(
        &mut self,
        object: &mut Self::Object,
        key: Self::Key,
        value: Self::Value,
    ) -> Result<(), Self::Error>;

    /// It ends.
    fn finish_object(&mut self, object: Self::Object) -> Result<Self::Value, Self::Error>;
}
