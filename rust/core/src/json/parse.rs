use jiter::{Jiter, Peek};

use super::error::{JsonError, Reason};
use super::number::{Number, number};
use super::{Build, MAX_DEPTH};

/// Build what a document says. Takes O(length) time beyond that of the builder.
///
/// # Errors
/// The first fault of the text, or the first error of the builder.
pub fn parse<B: Build>(text: &[u8], build: &mut B) -> Result<B::Value, B::Error> {
    let mut parser = Parser {
        tokens: Jiter::new(text),
        build,
        depth: 0,
    };
    let value = parser.next_value()?;
    parser.tokens.finish().map_err(JsonError::from)?;
    Ok(value)
}

struct Parser<'a, B> {
    tokens: Jiter<'a>,
    build: &'a mut B,
    depth: usize,
}

impl<B: Build> Parser<'_, B> {
    fn next_value(&mut self) -> Result<B::Value, B::Error> {
        let peek = self.tokens.peek().map_err(JsonError::from)?;
        self.value(peek)
    }

    fn value(&mut self, peek: Peek) -> Result<B::Value, B::Error> {
        match peek {
            Peek::String => {
                let text = self.tokens.known_str().map_err(JsonError::from)?;
                self.build.string(text)
            }
            Peek::Object => self.object(),
            Peek::Array => self.array(),
            Peek::True | Peek::False => {
                let value = self.tokens.known_bool(peek).map_err(JsonError::from)?;
                self.build.boolean(value)
            }
            Peek::Null => {
                self.tokens.known_null().map_err(JsonError::from)?;
                self.build.null()
            }
            _ => self.number(peek),
        }
    }

    fn enter(&mut self) -> Result<(), JsonError> {
        if self.depth == MAX_DEPTH {
            return Err(JsonError::new(Reason::TooDeep, self.tokens.current_index()));
        }
        self.depth += 1;
        Ok(())
    }

    fn array(&mut self) -> Result<B::Value, B::Error> {
        self.enter()?;
        let mut array = self.build.array()?;
        let mut next = self.tokens.known_array().map_err(JsonError::from)?;
        while let Some(peek) = next {
            let value = self.value(peek)?;
            self.build.push(&mut array, value)?;
            next = self.tokens.array_step().map_err(JsonError::from)?;
        }
        self.depth -= 1;
        self.build.finish_array(array)
    }

    fn object(&mut self) -> Result<B::Value, B::Error> {
        self.enter()?;
        let mut object = self.build.object()?;
        let mut next = self.tokens.known_object().map_err(JsonError::from)?;
        while let Some(name) = next {
            let key = self.build.key(name)?;
            let value = self.next_value()?;
            self.build.insert(&mut object, key, value)?;
            next = self.tokens.next_key().map_err(JsonError::from)?;
        }
        self.depth -= 1;
        self.build.finish_object(object)
    }

    fn number(&mut self, peek: Peek) -> Result<B::Value, B::Error> {
        match number(&mut self.tokens, peek)? {
            Number::Int(value) => self.build.int(value),
            Number::Large(digits) => self.build.large_int(digits),
            Number::Float(value) => self.build.float(value),
        }
    }
}
