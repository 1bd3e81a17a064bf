//! What is read of a stream of objects: exactly what is kept, however the stream is cut into pieces, and never more than is
//! allowed.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used, missing_docs)]

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use singleton_guard::cluster::sieve::{BEYOND, Keep, Malformed, Part, Sieve};

/// What comes out of a stream that arrives in pieces of this size.
fn sieved(keep: &Keep, stream: &str, size: usize) -> Result<(Vec<String>, bool), Malformed> {
    let (mut sieve, mut parts) = (Sieve::new(keep), Vec::new());
    for piece in stream.as_bytes().chunks(size.max(1)) {
        sieve.push(piece, |part| {
            parts.push(match part {
                Part::Item(item) => format!("item {}", std::str::from_utf8(item).unwrap()),
                Part::Value(value) => std::str::from_utf8(value).unwrap().to_owned(),
            });
            Ok::<(), Malformed>(())
        })?;
    }
    Ok((parts, sieve.is_between_values()))
}

/// Every way to cut it.
fn always(keep: &Keep, stream: &str) -> Vec<String> {
    let whole = sieved(keep, stream, stream.len()).unwrap();
    for size in 1..stream.len().min(80) {
        assert_eq!(sieved(keep, stream, size).unwrap(), whole, "{stream} in pieces of {size}");
    }
    whole.0
}

fn named() -> Keep {
    Keep::fields([
        ("a", Keep::short()),
        ("b", Keep::fields([("c", Keep::whole(20))])),
        ("l", Keep::items(Keep::fields([("n", Keep::short())]), 30)),
    ])
}

#[test]
fn only_what_is_kept_comes_out() {
    for (stream, expected) in [
        (r#"{"a":1,"z":2}"#, r#"{"a":1}"#),
        (r#" { "z" : [ { "a" : 1 } , "}" ] , "a" : "x\"}" } "#, r#"{"a":"x\"}"}"#),
        (r#"{"b":{"d":{"c":1},"c":{"e":[1,2]}},"a":null}"#, r#"{"b":{"c":{"e":[1,2]}},"a":null}"#),
        (r#"{"l":[{"n":1,"m":{}},{},{"m":"n"},{"n":"2"}]}"#, r#"{"l":[{"n":1},{},{},{"n":"2"}]}"#),
        // The same key, written in another way.
        (r#"{"\u0061":true,"\u0062":0}"#, r#"{"\u0061":true,"\u0062":0}"#),
        // Of another type than was expected: as it is, for the reader to decide.
        (r#"{"b":"text","l":{"n":1}}"#, r#"{"b":"text","l":{"n":1}}"#),
        (r"{}", r"{}"),
    ] {
        assert_eq!(always(&named(), stream), [expected], "{stream}");
    }
    assert_eq!(always(&named(), "{\"a\":1}\n{\"a\":2}\n"), [r#"{"a":1}"#, r#"{"a":2}"#]);
}

#[test]
fn of_what_is_only_looked_for_comes_out_that_it_is_there() {
    let keep = Keep::fields([
        ("a", Keep::presence()),
        ("l", Keep::items(Keep::fields([("b", Keep::presences(["c", "d"]))]), 60)),
    ]);
    for (stream, expected) in [
        (r#"{"z":1}"#, r"{}"),
        (r#"{"a":{"x":["}"]},"z":1}"#, r#"{"a":true}"#),
        (r#"{"a":null}"#, r#"{"a":true}"#),
        (r#"{"a":[[{}]] , "z":{}}"#, r#"{"a":true}"#),
        (
            r#"{"a":"\"}" , "l":[{"b":{"c":{".":{}},"e":{}}},{"b":{"d":7}},{"b":{}}]}"#,
            r#"{"a":true,"l":[{"b":{"c":true}},{"b":{"d":true}},{"b":{}}]}"#,
        ),
    ] {
        assert_eq!(always(&keep, stream), [expected], "{stream}");
    }
    // However large it is and however deep it nests.
    let deep = format!(r#"{{"a":{}{},"l":[]}}"#, "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(sieved(&keep, &deep, 4_096).unwrap().0, [r#"{"a":true,"l":[]}"#]);
    let many = [r#"{"b":{"c":{}}}"#; 9].join(",");
    assert_eq!(always(&keep, &format!(r#"{{"l":[{many}]}}"#)), [format!(r#"{{"l":{BEYOND}}}"#)]);
}

#[test]
fn a_list_comes_item_by_item() {
    let keep = Keep::fields([
        ("metadata", Keep::fields([("resourceVersion", Keep::short())])),
        ("items", Keep::each(Keep::fields([("n", Keep::short())]))),
    ]);
    let stream = r#"{"kind":"List","metadata":{"resourceVersion":"7"},"items":[{"n":1,"x":[[]]},{"x":2},{"n":3}]}"#;
    let rest = r#"{"metadata":{"resourceVersion":"7"},"items":[]}"#;
    assert_eq!(always(&keep, stream), [r#"item {"n":1}"#, "item {}", r#"item {"n":3}"#, rest]);
    assert_eq!(always(&keep, r#"{"items":null,"metadata":{}}"#), [r#"{"items":null,"metadata":{}}"#]);
}

#[test]
fn what_is_too_large_is_said_to_be_and_takes_nothing_along() {
    let long = "x".repeat(40);
    let (text, map) =
        (format!(r#"{{"b":{{"c":"{long}"}},"a":1}}"#), format!(r#"{{"b":{{"c":{{"k":"{long}"}}}},"a":1}}"#));
    for stream in [text, map] {
        assert_eq!(always(&named(), &stream), [format!(r#"{{"b":{{"c":{BEYOND}}},"a":1}}"#)], "{stream}");
    }
    let items: Vec<_> = (0..9).map(|n| format!(r#"{{"n":{n},"m":[{{}}]}}"#)).collect();
    let stream = format!(r#"{{"l":[{}],"a":1}}"#, items.join(","));
    assert_eq!(always(&named(), &stream), [format!(r#"{{"l":{BEYOND},"a":1}}"#)]);
    // However deep it nests.
    let deep = format!(r#"{{"z":{}{},"a":1}}"#, "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(sieved(&named(), &deep, 4_096).unwrap().0, [r#"{"a":1}"#]);
}

#[test]
fn what_is_not_json_is_an_error_or_not_over() {
    for stream in ["{]", "{1:2}", r#"{"a"}"#, r#"{"a":}"#, r#"{"a",}"#, "}", "]"] {
        assert_eq!(sieved(&named(), stream, 1), Err(Malformed), "{stream}");
    }
    for stream in ["{", r#"{"a"#, r#"{"a":"#, r#"{"a":"x"#, r#"{"l":[{"#, r#"{"z":[[]"#] {
        assert_eq!(
            sieved(&named(), stream, 1).map(|(parts, is_over)| (parts.len(), is_over)),
            Ok((0, false)),
            "{stream}"
        );
    }
}

/// The same by a general parser.
fn restricted(value: &Value) -> Value {
    let Value::Object(object) = value else { return value.clone() };
    let mut kept = Map::new();
    for (key, value) in object {
        let value = match (key.as_str(), value) {
            ("b", Value::Object(b)) => {
                json!(b.iter().filter(|(key, _)| *key == "c").collect::<std::collections::BTreeMap<_, _>>())
            }
            ("l", Value::Array(items)) => items
                .iter()
                .map(|item| match item {
                    Value::Object(item) => {
                        json!(item.iter().filter(|(key, _)| *key == "n").collect::<std::collections::BTreeMap<_, _>>())
                    }
                    item => item.clone(),
                })
                .collect(),
            // Of another type than is expected it comes out as it is.
            ("a" | "b" | "l", value) => value.clone(),
            _ => continue,
        };
        kept.insert(key.clone(), value);
    }
    Value::Object(kept)
}

fn any_value() -> impl Strategy<Value = Value> {
    let text = prop::sample::select(vec!["", "a", "x\"y", "\\", "\u{1}<", "ä🦀", "}]"]);
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i16>().prop_map(Value::from),
        text.prop_map(Value::from)
    ];
    let key = prop::sample::select(vec!["a", "b", "c", "l", "n", "z", "q\"", "ü"]);
    leaf.prop_recursive(5, 60, 5, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::vec((key.clone(), inner), 0..5).prop_map(|fields| {
                Value::Object(fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
            }),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_json_comes_out_as_a_general_parser_would_restrict_it(values in prop::collection::vec(any_value(), 1..4), size in 1_usize..40, pretty in any::<bool>()) {
        let large = 1 << 20;
        let keep = Keep::fields([
            ("a", Keep::whole(large)),
            ("b", Keep::fields([("c", Keep::whole(large))])),
            ("l", Keep::items(Keep::fields([("n", Keep::whole(large))]), large)),
        ]);
        let written = |value: &Value| if pretty { serde_json::to_string_pretty(value) } else { serde_json::to_string(value) };
        let stream: String = values.iter().map(|value| written(value).unwrap() + "\n").collect();
        let (parts, is_over) = sieved(&keep, &stream, size).unwrap();
        let read: Vec<Value> = parts.iter().map(|part| serde_json::from_str(part).unwrap()).collect();
        let expected: Vec<Value> = values.iter().map(restricted).collect();
        prop_assert_eq!(read, expected);
        prop_assert!(is_over);
    }

    #[test]
    fn no_bytes_make_it_panic_or_grow(bytes in prop::collection::vec(prop::sample::select(b"{}[]\",:\\ab1l n".to_vec()), 0..300), size in 1_usize..20) {
        let keep = named();
        let mut sieve = Sieve::new(&keep);
        for piece in bytes.chunks(size) {
            let pushed = sieve.push(piece, |part| {
                let (Part::Item(part) | Part::Value(part)) = part;
                assert!(part.len() < 2_500);
                Ok::<(), Malformed>(())
            });
            if pushed.is_err() {
                break;
            }
        }
    }
}
