//! Log lines for people. A process that does not write to a terminal writes JSON; its output goes
//! through us to one, so we turn it back into a sentence.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde_json::{Map, Value};

/// Fields that stand at the head of the line, or say nothing on a console.
const NOT_REPEATED: [&str; 6] = ["timestamp", "level", "message", "target", "span", "spans"];

/// The line as `12:34:56 INFO message field=value`; any line that is not such a record as it is.
pub(super) fn readable(line: &str) -> Cow<'_, str> {
    if !line.starts_with('{') {
        return line.into();
    }
    match serde_json::from_str(line) {
        Ok(Value::Object(record)) if record.contains_key("level") => sentence(&record).into(),
        _ => line.into(),
    }
}

fn sentence(record: &Map<String, Value>) -> String {
    let text = |key: &str| record.get(key).and_then(Value::as_str).unwrap_or_default();
    let time = text("timestamp").get(11..19).unwrap_or_default();
    let mut line = format!("{time} {:<5} {}", text("level"), text("message"));
    for (name, value) in record {
        if NOT_REPEATED.contains(&name.as_str()) {
            continue;
        }
        let written = match value {
            Value::String(text) => write!(line, " {name}={text}"),
            other => write!(line, " {name}={other}"),
        };
        if written.is_err() {
            break; // Writing to a String does not fail.
        }
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_becomes_a_sentence_with_its_fields() {
        let line = r#"{"timestamp":"2026-01-31T12:00:01.123456Z","level":"WARN","message":"broker is away","target":"bus","attempt":3,"service.id":"x"}"#;
        assert_eq!(
            readable(line),
            "12:00:01 WARN  broker is away attempt=3 service.id=x"
        );
    }

    #[test]
    fn any_other_line_stays_as_it_is() {
        for line in ["panicked at …", "{not json", r#"{"a":1}"#, ""] {
            assert_eq!(readable(line), line);
        }
    }
}
