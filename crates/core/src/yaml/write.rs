use std::fmt::Write as _;

use serde_json::{Map, Value};

/// Writes a value as YAML that every reader takes for the same value, those of YAML 1.1 included.
///
/// kubectl and the API server read YAML 1.1, to which `on`, `1_000` and `1:30` are no strings; writers for
/// YAML 1.2 leave such strings unquoted. Here a string is left unquoted only where no reader can see
/// anything else in it. Maps keep their order, lists stand at the indentation of their key.
pub fn write(value: &Value) -> String {
    let mut out = String::new();
    match value {
        Value::Object(map) if !map.is_empty() => write_map(map, 0, false, &mut out),
        Value::Array(items) if !items.is_empty() => write_list(items, 0, false, &mut out),
        scalar => {
            write_scalar(scalar, &mut out);
            out.push('\n');
        }
    }
    out
}

fn indent(columns: usize, out: &mut String) {
    out.extend(std::iter::repeat_n(' ', columns));
}

/// `inline` means that the first entry follows a dash in the same line.
fn write_map(map: &Map<String, Value>, column: usize, inline: bool, out: &mut String) {
    for (i, (key, value)) in map.iter().enumerate() {
        if i > 0 || !inline {
            indent(column, out);
        }
        let start = out.len();
        write_string(key, out);
        // YAML wants a key to end within 1,024 characters, unless it is announced.
        if out.len() - start > 1_000 {
            out.insert_str(start, "? ");
            out.push('\n');
            indent(column, out);
        }
        out.push(':');
        match value {
            Value::Object(map) if !map.is_empty() => {
                out.push('\n');
                write_map(map, column + 2, false, out);
            }
            Value::Array(items) if !items.is_empty() => {
                out.push('\n');
                write_list(items, column, false, out);
            }
            scalar => {
                out.push(' ');
                write_leaf(scalar, column + 2, out);
            }
        }
    }
}

fn write_list(items: &[Value], column: usize, inline: bool, out: &mut String) {
    for (i, item) in items.iter().enumerate() {
        if i > 0 || !inline {
            indent(column, out);
        }
        out.push_str("- ");
        match item {
            Value::Object(map) if !map.is_empty() => write_map(map, column + 2, true, out),
            Value::Array(items) if !items.is_empty() => write_list(items, column + 2, true, out),
            scalar => write_leaf(scalar, column + 2, out),
        }
    }
}

/// A scalar or an empty collection with its line feed; texts of several lines as a block at `column`.
fn write_leaf(value: &Value, column: usize, out: &mut String) {
    match value {
        Value::String(text) if is_block(text) => {
            out.push_str(if text.ends_with('\n') { "|\n" } else { "|-\n" });
            for line in text.lines() {
                if !line.is_empty() {
                    indent(column, out);
                    out.push_str(line);
                }
                out.push('\n');
            }
        }
        value => {
            write_scalar(value, out);
            out.push('\n');
        }
    }
}

fn write_scalar(value: &Value, out: &mut String) {
    match value {
        Value::String(text) => write_string(text, out),
        // JSON's null, booleans, numbers and empty collections are the same in YAML.
        other => {
            // Writing to a String cannot fail.
            let _ = write!(out, "{other}");
        }
    }
}

fn write_string(text: &str, out: &mut String) {
    if is_plain(text) {
        out.push_str(text);
        return;
    }
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            c if is_printable(c) => out.push(c),
            c => {
                // None of these is beyond 16 bits, so four digits are enough.
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
        }
    }
    out.push('"');
}

/// Whether no reader can take the unquoted text for anything but this string.
fn is_plain(text: &str) -> bool {
    const WORDS: [&str; 9] = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/' || c == '_')
        && text.chars().all(|c| c.is_ascii_alphanumeric() || " _-./@%+=,:()~*$".contains(c))
        && !text.ends_with([' ', ':'])
        && !text.contains(": ")
        && !WORDS.contains(&text.to_ascii_lowercase().as_str())
}

/// Whether a text is best read, and safely written, as a block of lines.
fn is_block(text: &str) -> bool {
    let body = text.strip_suffix('\n').unwrap_or(text);
    body.contains('\n')
        && !body.ends_with('\n')
        && !body.starts_with([' ', '\t', '\n'])
        && text.chars().all(|c| is_printable(c) || c == '\n' || c == '\t')
        && body.lines().all(|line| line.is_empty() || !line.trim().is_empty())
}

/// What YAML lets stand unescaped, less the separators and marks that readers disagree about.
fn is_printable(c: char) -> bool {
    !c.is_control() && !matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::yaml::load;

    fn read(text: &str) -> Value {
        let mut documents = load("a.yaml", text.as_bytes()).unwrap_or_else(|error| panic!("{error}\n{text}"));
        assert_eq!(documents.len(), 1, "{text}");
        documents.remove(0).value
    }

    #[test]
    fn it_reads_as_people_write_it() {
        let value = json!({
            "apiVersion": "v1", "kind": "ConfigMap",
            "metadata": {"name": "web", "annotations": {"a.example/b": "on"}, "labels": {}},
            "data": {"mode": "0644", "script": "#!/bin/sh\nexit 0\n", "no": "a: b", "empty": ""},
            "list": [{"name": "x", "args": ["--a=b", "c d"]}, [1, [true, null]], [], "two\nlines"],
        });
        let text = write(&value);
        assert_eq!(read(&text), value);
        insta::assert_snapshot!(text);
    }

    #[test]
    fn what_a_reader_of_yaml_1_1_takes_for_something_else_is_quoted() {
        for text in [
            "y",
            "N",
            "yes",
            "Off",
            "null",
            "~",
            "0644",
            "1_000",
            "0x1F",
            ".5",
            ".inf",
            "2020-01-01",
            "1:30",
            "=",
            "<<",
            "",
            " a",
            "a ",
            "- a",
            "a: b",
            "a:",
            "a #b",
            "*a",
            "&a",
            "!a",
            "%a",
            "@a",
            "{a",
            "[a",
            "|",
            ">",
            "? a",
            "---",
            "\u{feff}a",
            "a\u{85}b",
            "a\u{2028}b",
            "\u{7f}",
            "\u{fffe}",
            "\n",
            "a\r\nb",
            " a\nb",
            "a\n\n",
            "\ta\nb",
            "a\n \nb",
            "\n\na",
            "#a",
            "'a",
            "\"a",
            "`a",
            "e3",
            "\u{1F600}\n\u{1FFFE}",
        ] {
            let value = json!({"key": text, "list": [text, [text]], text: 1});
            assert_eq!(read(&write(&value)), value, "{text:?}");
        }
    }

    #[test]
    fn a_key_of_any_length_can_be_read() {
        let key = "k".repeat(3_000);
        let value = json!([{key.clone(): {"a": 1}}, {key.clone(): [1]}, {"a": {key: "two\nlines"}}]);
        assert_eq!(read(&write(&value)), value);
    }

    fn values() -> impl Strategy<Value = Value> {
        let text = prop_oneof![
            "[a-zA-Z0-9 :#.,_~*$()/=%@+-]{0,12}",
            "[ \\t\\n\\r a:#|>'\"\\\\-]{0,12}",
            "\\PC{0,6}",
            any::<String>()
        ];
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            any::<u64>().prop_map(Value::from),
            (-1.0e9..1.0e9).prop_map(|number: f64| Value::from(number.trunc() + 0.5)),
            text.clone().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 32, 5, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
                prop::collection::vec((text.clone(), inner), 0..5)
                    .prop_map(|entries| Value::Object(entries.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back_as_it_was(value in values()) {
            let text = write(&json!({"value": value.clone()}));
            prop_assert_eq!(read(&text), json!({"value": value}), "{}", text);
        }
    }
}
