mod golden;

use proptest::prelude::*;
use rstest::rstest;
use serde_json::{Value, json};

use super::*;

fn one(text: &str) -> Value {
    let mut documents = load("a.yaml", text.as_bytes()).unwrap();
    assert_eq!(documents.len(), 1, "{text:?}");
    documents.remove(0).value
}

fn refusal(text: &str) -> String {
    load("a.yaml", text.as_bytes()).unwrap_err().to_string()
}

#[rstest]
#[case("0644", json!(420))]
#[case("0o17", json!(15))]
#[case("0x1F", json!(31))]
#[case("-0x1F", json!(-31))]
#[case("0b101", json!(5))]
#[case("1_000", json!(1000))]
#[case("0899", json!(899))]
#[case("1e3", json!(1000))]
#[case("1e18", json!(1_000_000_000_000_000_000_i64))]
#[case("1.0", json!(1))]
#[case(".5", json!(0.5))]
#[case("+5", json!(5))]
#[case("18446744073709551616", json!(18_446_744_073_709_551_616.0))]
#[case("18446744073709551615", json!(u64::MAX))]
#[case("1e400", json!("1e400"))]
#[case("2001-01-01", json!("2001-01-01"))]
#[case("1:30", json!("1:30"))]
#[case("tRue", json!("tRue"))]
#[case("'on'", json!("on"))]
#[case("!!str 12", json!("12"))]
#[case("!!binary aGk=", json!("hi"))]
fn scalars_mean_what_go_says(#[case] text: &str, #[case] value: Value) {
    assert_eq!(one(&format!("a: {text}\n")), json!({"a": value}));
}

#[test]
fn documents_have_their_number_and_line() {
    let text = "# nothing\n---\n---\na: 1\n---\n# b\nb: 2\n";
    let documents = load("a.yaml", text.as_bytes()).unwrap();
    let seen: Vec<_> = documents.iter().map(|d| (d.number, d.line)).collect();
    assert_eq!(seen, [(2, 4), (3, 7)]);
}

#[test]
fn a_separator_with_text_beside_it_has_its_place() {
    let error = load("a.yaml", b"# c\n---\na: 1\n---\nb: 1\n--- {c: 1}\n").unwrap_err();
    assert_eq!((error.document, error.line), (3, 6), "{error}");
    let error = load("a.yaml", b"a: 1\n---b: 1\n").unwrap_err();
    assert_eq!((error.document, error.line), (2, 2), "{error}");
}

#[test]
fn merges_follow_their_position() {
    let base = "x: &x {a: 1, b: 2}\n";
    assert_eq!(one(&format!("{base}m: {{<<: *x, a: 9}}\n"))["m"], json!({"a": 9, "b": 2}));
    assert_eq!(one(&format!("{base}m: {{a: 9, <<: *x}}\n"))["m"], json!({"a": 1, "b": 2}));
    assert_eq!(one(&format!("{base}m: {{<<: [{{a: 5}}, *x]}}\n"))["m"], json!({"a": 5, "b": 2}));
}

#[test]
fn a_byte_order_mark_hides_no_key() {
    assert_eq!(one("\u{feff}a: 1\nb: 2\n"), json!({"a": 1, "b": 2}));
}

#[test]
fn refusals_name_the_place() {
    let refusals = [
        "a: 1\nb: 2\na: 3\n",
        "a: [1\n",
        "a: *b\n",
        "a: &a [*a]\n",
        "~: 1\n",
        "a: .inf\n",
        "a: !!int x\n",
        "a:\n\t- b\n",
        "a: 1\n---\nb: {c: 1, c: 2}\n",
        "a: 1\n---b: 2\n",
        "a: {{ .Values.x }}\n",
        "a: 1\nb: b: c\n",
        "a:\n    b: 1\n  c: 2\n",
        "a: 1\nb\nc: 2\n",
        "a: 1\nb: 'c\nd: 2\n",
        "  a: 1\nb: 2\n",
        "a: @b\n",
        "a: \"\\d+\"\n",
        "a: 1\nb: ä\u{1}\n",
        "%YAML 1.2\n---\na: 1\n",
        "apiVersion: v1\nkind: Pod\nspec:\n  containers:\n  - env:\n    - name: A\n    - name: B\n    - name: A\n",
        "apiVersion: v1\nkind: Service\nspec:\n  ports:\n  - port: 80\n  - {port: 80, protocol: TCP}\n",
    ];
    insta::assert_snapshot!(refusals.map(refusal).join("\n"));
}

#[test]
fn what_is_not_utf8_has_a_place() {
    let error = load("a.yaml", b"a: 1\nb: \xff\n").unwrap_err();
    assert_eq!((error.line, error.column), (2, 4), "{error}");
}

#[test]
fn equal_ports_of_other_protocols_and_custom_lists_are_fine() {
    one("apiVersion: v1\nkind: Service\nspec:\n  ports:\n  - port: 80\n  - {port: 80, protocol: UDP}\n");
    one("apiVersion: example.com/v1\nkind: W\nspec:\n  ports:\n  - port: 80\n  - port: 80\n");
}

#[test]
fn bounds_stop_bombs_early() {
    let bomb = (0..9).fold("a0: &a0 [x,x,x,x,x,x,x,x,x]\n".to_owned(), |text, i| {
        let row = vec![format!("*a{i}"); 9].join(",");
        format!("{text}a{}: &a{} [{row}]\n", i + 1, i + 1)
    });
    // A short file whose aliases nest, one whose aliases repeat a long text, and one of many such documents.
    let chain = (1..400).fold("a0: &a0 x\n".to_owned(), |text, i| {
        format!("{text}a{i}: &a{i} {}*a{}{}\n", "[".repeat(90), i - 1, "]".repeat(90))
    });
    let repeated = format!("s: &s {}\nl: [{}]\n", "x".repeat(1 << 20), vec!["*s"; 900].join(","));
    let row = |item| vec![item; 50].join(",");
    let document = format!("---\ns: &s [{}]\nl: [{}]\n", row("x"), row("*s"));
    for (text, bound) in [
        (bomb, "by its aliases"),
        ("[".repeat(100_000), "deeper than 100"),
        (chain, "deeper than 100"),
        (repeated, "by its aliases"),
        (document.repeat(500), "by its aliases"),
    ] {
        let error = load("a.yaml", text.as_bytes()).unwrap_err();
        assert_eq!(error.kind, YamlErrorKind::Limit);
        assert!(error.message.contains(bound), "{error}");
    }
    assert!(load("a.yaml", &vec![b' '; MAX_BYTES + 1]).is_err());
}

#[rstest]
#[case("volumes: [{name: a}, {name: a}]", "volume a appears twice")]
#[case("containers: [{name: a}, {name: a}]", "container a appears twice")]
#[case(
    "containers: [{name: a, volumeMounts: [{mountPath: /a}, {mountPath: /a}]}]",
    "mount path /a appears twice"
)]
#[case("initContainers: [{name: a, env: [{name: A}, {name: A}]}]", "environment variable A appears twice")]
fn an_entry_that_stands_twice_is_told(#[case] pod: &str, #[case] told: &str) {
    let text = format!("{{apiVersion: v1, kind: Pod, metadata: {{name: a}}, spec: {{{pod}}}}}");
    assert!(refusal(&text).contains(told));
}

#[test]
fn each_item_of_a_list_is_judged_as_its_own_kind() {
    let list = |item: &str| format!("apiVersion: v1\nkind: List\nitems:\n- {item}\n");
    let rule = "{ports: [{port: 80, endPort: 90}, {port: 80, endPort: 99}]}";
    one(&list(&format!(
        "{{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, spec: {{egress: [{rule}]}}}}"
    )));
    let ports = "[{name: a, port: 80}, {name: b, port: 80}]";
    let service = format!("{{apiVersion: v1, kind: Service, spec: {{ports: {ports}}}}}");
    assert!(refusal(&list(&service)).contains("port 80/TCP appears twice"));
}

#[test]
fn pairs_of_escapes_are_one_character_in_json_only() {
    assert_eq!(
        one(r#"{"a": "x\ud83d\ude00", "b": "\\ud83d\\ude00"}"#),
        json!({"a": "x😀", "b": r"\ud83d\ude00"})
    );
    assert!(refusal(r#"{"a": "\ud83d"}"#).contains("half a character"));
    assert_eq!(one(r"{a: '\ud83d\ude00'}"), json!({"a": r"\ud83d\ude00"}));
}

/// A text with some of its characters dropped, doubled or replaced.
fn mutated() -> impl Strategy<Value = String> {
    let edits = prop::collection::vec(
        (any::<prop::sample::Index>(), 0..3_u8, "[-a1:{}\\[\\],&*!|>'\"%#?~ \n\t\r]"),
        1..6,
    );
    (prop::sample::select(golden::inputs()), edits).prop_map(|(input, edits)| {
        let mut text: Vec<char> = input.chars().collect();
        for (at, what, other) in edits {
            if text.is_empty() {
                break;
            }
            let at = at.index(text.len());
            match what {
                0 => drop(text.remove(at)),
                1 => text.insert(at, text[at]),
                _ => text.splice(at..=at, other.chars()).for_each(drop),
            }
        }
        text.into_iter().collect()
    })
}

proptest! {
    #[test]
    fn no_mutated_text_panics_and_what_is_read_is_written_as_it_was(text in mutated()) {
        for document in load("a.yaml", text.as_bytes()).unwrap_or_default() {
            let written = write(&document.value);
            prop_assert_eq!(one(&written), document.value, "{}", written);
        }
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = load("a.yaml", &bytes);
    }

    #[test]
    fn no_text_of_yaml_characters_panics(text in "[-a-c0-9:{}\\[\\],&*!|>'\"%#?~ \n\t]{0,80}") {
        let _ = load("a.yaml", text.as_bytes());
    }

    #[test]
    fn json_reads_as_itself(
        numbers in prop::collection::vec(any::<i64>(), 0..5),
        texts in prop::collection::vec("[ -~äß\n\t]{0,20}", 1..5),
    ) {
        let value = json!({"numbers": numbers, "texts": texts, "nested": {"a": [null, true, {"b": texts}]}});
        prop_assert_eq!(one(&value.to_string()), value);
    }
}
