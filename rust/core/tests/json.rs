//! The parser against `serde_json`, the validator against the parser, and the writers read back.
#![allow(missing_docs, clippy::unwrap_used)] // a failed unwrap is a failed test

use meshaccel_core::json::{
    Build, JsonError, MAX_DEPTH, NotFinite, parse, validate, write_float, write_int, write_string,
};
use proptest::prelude::*;
use serde_json::{Map, Number, Value};

/// Builds what `serde_json` builds.
struct Values;

impl Build for Values {
    type Value = Value;
    type Key = String;
    type Array = Vec<Value>;
    type Object = Map<String, Value>;
    type Error = JsonError;

    fn null(&mut self) -> Result<Value, JsonError> {
        Ok(Value::Null)
    }

    fn boolean(&mut self, value: bool) -> Result<Value, JsonError> {
        Ok(value.into())
    }

    fn int(&mut self, value: i64) -> Result<Value, JsonError> {
        Ok(value.into())
    }

    fn large_int(&mut self, digits: &str) -> Result<Value, JsonError> {
        assert!(digits.parse::<i64>().is_err());
        Ok(digits
            .parse::<u64>()
            .map_or_else(|_| digits.parse::<f64>().unwrap().into(), Into::into))
    }

    fn float(&mut self, value: f64) -> Result<Value, JsonError> {
        Ok(Number::from_f64(value).unwrap().into())
    }

    fn string(&mut self, value: &str) -> Result<Value, JsonError> {
        Ok(value.into())
    }

    fn array(&mut self) -> Result<Vec<Value>, JsonError> {
        Ok(Vec::new())
    }

    fn push(&mut self, array: &mut Vec<Value>, value: Value) -> Result<(), JsonError> {
        array.push(value);
        Ok(())
    }

    fn finish_array(&mut self, array: Vec<Value>) -> Result<Value, JsonError> {
        Ok(array.into())
    }

    fn object(&mut self) -> Result<Map<String, Value>, JsonError> {
        Ok(Map::new())
    }

    fn key(&mut self, name: &str) -> Result<String, JsonError> {
        Ok(name.to_owned())
    }

    fn insert(
        &mut self,
        object: &mut Map<String, Value>,
        key: String,
        value: Value,
    ) -> Result<(), JsonError> {
        object.insert(key, value);
        Ok(())
    }

    fn finish_object(&mut self, object: Map<String, Value>) -> Result<Value, JsonError> {
        Ok(object.into())
    }
}

/// `serde_json` reads -0 as a float, which for us is an integer as it says.
fn same(ours: &Value, theirs: &Value) -> bool {
    match (ours, theirs) {
        (Value::Number(ours), Value::Number(theirs)) => {
            ours == theirs || (ours.as_i64() == Some(0) && theirs.as_f64() == Some(0.0))
        }
        (Value::Array(ours), Value::Array(theirs)) => {
            ours.len() == theirs.len() && ours.iter().zip(theirs).all(|(a, b)| same(a, b))
        }
        (Value::Object(ours), Value::Object(theirs)) => {
            ours.len() == theirs.len()
                && ours
                    .iter()
                    .all(|(key, value)| theirs.get(key).is_some_and(|other| same(value, other)))
        }
        _ => ours == theirs,
    }
}

fn check(text: &[u8]) -> Result<(), TestCaseError> {
    let ours = parse(text, &mut Values);
    prop_assert_eq!(validate(text).is_ok(), ours.is_ok());
    match (&ours, serde_json::from_slice::<Value>(text)) {
        (Ok(ours), Ok(theirs)) => prop_assert!(same(ours, &theirs), "{ours} is not {theirs}"),
        (Err(error), Err(_)) => prop_assert!(error.position() <= text.len()),
        (ours, theirs) => prop_assert!(false, "{ours:?} is not {theirs:?}"),
    }
    Ok(())
}

fn json() -> impl Strategy<Value = String> {
    let number = "-?(0|[1-9][0-9]{0,22})(\\.[0-9]{1,22})?([eE][-+]?[0-9]{1,3})?";
    let string = prop::collection::vec(
        prop_oneof![
            "[^\"\\\\]{0,40}",
            r#"\\["\\/bfnrt]"#,
            r"\\u[0-9a-fA-F]{4}",
            r"\\ud[89ab][0-9a-f]{2}\\ud[c-f][0-9a-f]{2}",
        ],
        0..4,
    )
    .prop_map(|parts| format!("\"{}\"", parts.concat()));
    let leaf = prop_oneof![
        Just(String::from("null")),
        Just(String::from("true")),
        Just(String::from("false")),
        number,
        string,
    ];
    let space = "[ \t\r\n]{0,2}";
    leaf.prop_recursive(5, 30, 4, move |inner| {
        let array = (prop::collection::vec(inner.clone(), 0..4), space)
            .prop_map(|(parts, space)| format!("[{}{space}]", parts.join(&format!("{space},"))));
        let member = ("[ab]", space, inner)
            .prop_map(|(name, space, value)| format!("\"{name}\"{space}:{space}{value}"));
        let object = (prop::collection::vec(member, 0..4), space)
            .prop_map(|(parts, space)| format!("{{{space}{}}}", parts.join(",")));
        prop_oneof![array, object]
    })
}

proptest! {
    #[test]
    fn parses_as_serde_json(text in json()) {
        check(text.as_bytes())?;
    }

    #[test]
    fn refuses_as_serde_json(
        text in json(),
        at in any::<prop::sample::Index>(),
        removed in 0..3_usize,
        added in prop::collection::vec(any::<u8>(), 0..3),
    ) {
        let mut text = text.into_bytes();
        let start = at.index(text.len() + 1);
        let end = text.len().min(start + removed);
        text.splice(start..end, added);
        check(&text)?;
    }

    #[test]
    fn refuses_any_bytes_as_serde_json(text in prop::collection::vec(any::<u8>(), 0..40)) {
        check(&text)?;
    }

    #[test]
    fn strings_read_back(text in "(?s).{0,200}") {
        let mut out = b"x".to_vec();
        write_string(&mut out, &text);
        prop_assert_eq!(out[0], b'x');
        prop_assert_eq!(parse(&out[1..], &mut Values), Ok(Value::from(text.clone())));
        prop_assert_eq!(&out[1..], serde_json::to_vec(&text).unwrap());
    }

    #[test]
    fn escapes_are_found_at_any_place(before in 0..100_usize, byte in 0..128_u8, after in 0..70_usize) {
        let byte = char::from(byte);
        let text = format!("{}{byte}{}", "a".repeat(before), "é".repeat(after));
        let mut out = Vec::new();
        write_string(&mut out, &text);
        prop_assert_eq!(out, serde_json::to_vec(&text).unwrap());
    }

    #[test]
    fn numbers_read_back(int in any::<i64>(), bits in any::<u64>()) {
        let mut out = Vec::new();
        write_int(&mut out, int);
        prop_assert_eq!(parse(&out, &mut Values), Ok(Value::from(int)));

        let float = f64::from_bits(bits);
        out.clear();
        match write_float(&mut out, float) {
            Ok(()) => {
                let Ok(Value::Number(back)) = parse(&out, &mut Values) else {
                    return Err(TestCaseError::fail("no number"));
                };
                prop_assert!(back.is_f64(), "an integer");
                prop_assert_eq!(back.as_f64().map(f64::to_bits), Some(bits));
            }
            Err(NotFinite) => prop_assert!(!float.is_finite() && out.is_empty()),
        }
    }
}

#[test]
fn depth_is_limited_exactly() {
    for (open, close) in [("[", "]"), (r#"{"a":["#, "]}")] {
        let levels = if open == "[" { 1 } else { 2 };
        let nested = |depth: usize, inner: &str| {
            let repeat = depth / levels;
            format!("{}{inner}{}", open.repeat(repeat), close.repeat(repeat))
        };
        let whole = nested(MAX_DEPTH, "");
        assert!(validate(whole.as_bytes()).is_ok());
        assert!(parse(whole.as_bytes(), &mut Values).is_ok());
        for inner in ["[]", "{}", "[1]", r#"{"a":1}"#, "["] {
            let text = nested(MAX_DEPTH, inner);
            for error in [
                validate(text.as_bytes()).unwrap_err(),
                parse(text.as_bytes(), &mut Values).unwrap_err(),
            ] {
                assert_eq!(error.position(), open.len() * MAX_DEPTH / levels);
                assert!(
                    error
                        .to_string()
                        .starts_with("nested deeper than 200 levels")
                );
            }
        }
    }
}

#[test]
fn long_integers_are_exact_up_to_a_limit() {
    let whole = "9".repeat(4300);
    for text in [whole.clone(), format!("-{whole}")] {
        assert!(validate(text.as_bytes()).is_ok());
        let error = validate(format!("{text}9").as_bytes()).unwrap_err();
        assert_eq!(
            error.to_string().split(" at ").next(),
            Some("number out of range")
        );
    }
    // The digits arrive as they are written.
    let digits = format!("-{}", "1".repeat(25));
    let value = parse(digits.as_bytes(), &mut Values).unwrap();
    assert_eq!(value.as_f64(), digits.parse().ok());
}

#[test]
fn floats_beyond_the_largest_double_are_refused() {
    for text in ["1e400", "-1e400", "[1e309]", "1.8e308"] {
        assert!(validate(text.as_bytes()).is_err());
        assert!(parse(text.as_bytes(), &mut Values).is_err());
    }
    for text in ["1.7976931348623157e308", "1e-400", "5e-324"] {
        assert!(validate(text.as_bytes()).is_ok());
    }
}

proptest! {
    #[test]
    fn depth_is_that_of_the_value(text in json()) {
        fn depth(value: &Value) -> usize {
            match value {
                Value::Array(items) => 1 + items.iter().map(depth).max().unwrap_or(0),
                Value::Object(items) => 1 + items.values().map(depth).max().unwrap_or(0),
                _ => 0,
            }
        }
        let parsed = serde_json::from_str::<Value>(&text);
        prop_assume!(parsed.is_ok());
        let value = parsed.unwrap();
        let again = serde_json::to_string_pretty(&value).unwrap();
        prop_assert_eq!(meshaccel_core::json::depth(again.as_bytes()), depth(&value));
    }

    #[test]
    fn depth_of_other_bytes_is_no_panic(text in proptest::collection::vec(any::<u8>(), 0..100)) {
        prop_assert!(meshaccel_core::json::depth(&text) <= text.len());
    }
}
