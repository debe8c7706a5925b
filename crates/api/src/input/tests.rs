use actix_web::http::StatusCode;
use proptest::prelude::*;

use super::{Fields, Given, Node, boolean, integer, text};

fn fields(json: &str) -> Fields {
    match Node::parse(json.as_bytes()).unwrap() {
        Node::Object(entries) => Fields::new(entries),
        other => panic!("{other:?}"),
    }
}

#[test]
fn wrong_missing_repeated_and_unknown_fields_come_in_one_answer() {
    let mut fields =
        fields(r#"{"a": 1, "b": true, "b": false, "typo": 1, "n": 99, "z": "\u0000"}"#);
    assert_eq!(
        fields.required("a", |node| text(node).map(str::to_owned)),
        None
    );
    assert_eq!(fields.optional("b", boolean), Given::Wrong);
    assert_eq!(fields.required("c", boolean), None);
    assert_eq!(fields.optional("d", boolean).or(true), Some(true));
    assert_eq!(
        fields.optional("n", |node| integer(node, &(1..=60))),
        Given::Wrong
    );
    assert_eq!(
        fields.optional("z", |node| text(node).map(str::to_owned)),
        Given::Wrong
    );
    let problem = fields.finish().unwrap_err();
    let said: Vec<String> = problem
        .parts()
        .errors
        .iter()
        .map(|error| format!("{} {}", error.field, error.message))
        .collect();
    assert_eq!(
        said,
        [
            "a must be text, not a number",
            "b is given more than once",
            "c is required",
            "n must lie between 1 and 60",
            "z must not contain NUL characters",
            "typo is not a known field",
        ]
    );
}

#[test]
fn whole_numbers_are_whole_and_within_range() {
    let read = |json: &str| integer(&Node::parse(json.as_bytes()).unwrap(), &(1..=60));
    for (json, value) in [("60", 60), ("5.0", 5), ("1e1", 10), ("6e0", 6)] {
        assert_eq!(read(json), Ok(value), "{json}");
    }
    for wrong in [
        "0",
        "61",
        "1.5",
        "1e2",
        "1e300",
        "-1",
        "99999999999999999999",
        "\"5\"",
        "null",
    ] {
        assert!(read(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn only_what_is_not_json_is_malformed() {
    for bad in [
        "",
        "{",
        "{\"a\":}",
        "nul",
        "{} {}",
        "\u{feff}{}",
        "{\"a\": 1e400}",
        "{'a': 1}",
        "\"\\ud800\"",
        &"[".repeat(9),
        &format!("{}1{}", "[".repeat(100), "]".repeat(100)),
    ] {
        let problem = Node::parse(bad.as_bytes()).unwrap_err();
        assert_eq!(problem.parts().status, StatusCode::BAD_REQUEST, "{bad}");
    }
    assert!(Node::parse(b"\"\xff\"").is_err());
    assert!(Node::parse(format!("{}1{}", "[".repeat(8), "]".repeat(8)).as_bytes()).is_ok());
}

#[test]
fn queries_are_decoded_like_forms_or_refused() {
    let read = |query: &str| {
        Fields::from_query(query).map(|mut fields| {
            fields
                .required("q", |node| text(node).map(str::to_owned))
                .unwrap()
        })
    };
    assert_eq!(read("q=a+b%20%C3%A4").unwrap(), "a b ä");
    for bad in ["q=%", "q=%4", "q=%zz", "q=%ff"] {
        assert!(read(bad).is_err(), "{bad}");
    }
    assert!(Fields::from_query("").unwrap().finish().is_ok());
    assert!(Fields::from_query("limti=5").unwrap().finish().is_err());
}

proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        drop(Node::parse(&bytes));
        drop(Fields::from_query(&String::from_utf8_lossy(&bytes)));
    }
}
