//! JSON text to a tape.

use bumpalo::Bump;

use super::{Sink, Tape, big};
use crate::json::{Build, JsonError, parse};

/// The value that a JSON text says. Strings are copied into the store.
///
/// Of the values of one name in an object, the last one counts.
///
/// # Errors
/// The first fault of the text.
pub fn from_json<'a>(text: &[u8], store: &'a Bump) -> Result<Tape<'a>, JsonError> {
    let mut builder = Builder {
        tape: Tape::default(),
        store,
    };
    parse(text, &mut builder)?;
    Ok(builder.tape)
}

struct Builder<'a> {
    tape: Tape<'a>,
    store: &'a Bump,
}

impl Build for Builder<'_> {
    type Value = ();
    type Key = ();
    type Array = ();
    type Object = ();
    type Error = JsonError;

    fn null(&mut self) -> Result<(), JsonError> {
        self.tape.null();
        Ok(())
    }

    fn boolean(&mut self, value: bool) -> Result<(), JsonError> {
        self.tape.boolean(value);
        Ok(())
    }

    fn int(&mut self, value: i64) -> Result<(), JsonError> {
        self.tape.int(value);
        Ok(())
    }

    fn large_int(&mut self, digits: &str) -> Result<(), JsonError> {
        // The parser lets only integers pass, so this never is the zero.
        let bytes = big::from_decimal(digits).unwrap_or_default();
        self.tape.big(self.store.alloc_slice_copy(&bytes));
        Ok(())
    }

    fn float(&mut self, value: f64) -> Result<(), JsonError> {
        self.tape.float(value);
        Ok(())
    }

    fn string(&mut self, value: &str) -> Result<(), JsonError> {
        self.tape.text(self.store.alloc_str(value).as_bytes());
        Ok(())
    }

    fn array(&mut self) -> Result<(), JsonError> {
        self.tape.open_list();
        Ok(())
    }

    fn push(&mut self, (): &mut (), (): ()) -> Result<(), JsonError> {
        Ok(())
    }

    fn finish_array(&mut self, (): ()) -> Result<(), JsonError> {
        self.tape.close();
        Ok(())
    }

    fn object(&mut self) -> Result<(), JsonError> {
        self.tape.open_dict();
        Ok(())
    }

    fn key(&mut self, name: &str) -> Result<(), JsonError> {
        self.tape.key(self.store.alloc_str(name).as_bytes());
        Ok(())
    }

    fn insert(&mut self, (): &mut (), (): (), (): ()) -> Result<(), JsonError> {
        Ok(())
    }

    fn finish_object(&mut self, (): ()) -> Result<(), JsonError> {
        self.tape.close_repetitive();
        Ok(())
    }
}
