//! Templates that want to hang or crash the process.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use rstest::rstest;
use serde_json::json;

use super::*;

/// Far above what any of these takes in an unoptimised build.
const SOON: Duration = Duration::from_secs(20);

fn soon<T>(work: impl FnOnce() -> T) -> T {
    let start = Instant::now();
    let result = work();
    assert!(start.elapsed() < SOON, "{:?}", start.elapsed());
    result
}

#[test]
fn partials_that_include_each_other_are_found_before_they_run() {
    insta::assert_snapshot!(
        [
            told(render(&[
                ("app/_a.hbs", "x\n{{> b}}"),
                ("app/_b.hbs", "{{#if x}}{{> a}}{{/if}}"),
                ("app/t.hbs", "{{> a}}")
            ])),
            told(render(&[("app/_a.hbs", "{{> a}}")])),
            told(render(&[
                ("app/_a.hbs", "{{> b}}"),
                ("app/_b.hbs", "{{#> c}}{{/c}}"),
                ("app/_c.hbs", "{{#each x}}{{else}}{{> b}}{{/each}}")
            ])),
            told(render(&[("app/_a.hbs", "{{#> b}}{{> a}}{{/b}}"), ("app/_b.hbs", "{{> @partial-block}}")])),
        ]
        .join("\n")
    );
}

#[rstest]
#[case::silent("{{#each list}}{{#each @root.list}}{{#each @root.list}}{{/each}}{{/each}}{{/each}}")]
#[case::writing("{{#each list}}{{#each @root.list}}{{#each @root.list}}x{{/each}}{{/each}}{{/each}}")]
#[case::calling(
    "{{#each list}}{{#each @root.list}}{{#if (sha256 (toYaml @root.list))}}{{/if}}{{/each}}{{/each}}"
)]
#[case::copying(
    "{{#each list}}{{#each @root.list}}{{#with (default @root.list 1)}}{{/with}}{{/each}}{{/each}}"
)]
fn loops_are_stopped(#[case] text: &str) {
    let told = soon(|| told(template(text, json!({"list": vec![0; 1000]}))));
    assert!(told.starts_with("TemplateLimit: app/t.hbs:1:"), "{told}");
    assert!(told.ends_with(
        "rendering the template takes more than 1000000 steps; are loops nested over long lists?"
    ));
}

#[test]
fn output_is_bounded() {
    let text = format!("{{{{#each list}}}}{}{{{{/each}}}}", "x".repeat(100_000));
    insta::assert_snapshot!(soon(|| told(template(&text, json!({"list": vec![0; 1000]})))));
}

#[test]
fn partials_that_multiply_are_stopped() {
    let names: Vec<_> = (0..40).map(|i| format!("app/_p{i}.hbs")).collect();
    let texts: Vec<_> = (1..41).map(|i| format!("{{{{> p{i}}}}}{{{{> p{i}}}}}")).collect();
    let mut files: Vec<_> = names.iter().map(String::as_str).zip(texts.iter().map(String::as_str)).collect();
    files.push(("app/_p40.hbs", ""));
    files.push(("app/t.hbs", "{{> p0}}"));
    insta::assert_snapshot!(soon(|| told(render(&files))));
}

#[test]
fn a_long_chain_of_partials_is_refused() {
    let names: Vec<_> = (0..200).map(|i| format!("app/_p{i}.hbs")).collect();
    let texts: Vec<_> = (1..201).map(|i| format!("{{{{> p{i}}}}}")).collect();
    let mut files: Vec<_> = names.iter().map(String::as_str).zip(texts.iter().map(String::as_str)).collect();
    files.push(("app/_p200.hbs", ""));
    assert!(told(render(&files)).starts_with("TemplateLimit: app/_p"));
}

#[test]
fn the_deepest_nesting_allowed_renders() {
    let blocks = |depth: usize| format!("{}out: 1{}", "{{#if on}}".repeat(depth), "{{/if}}".repeat(depth));
    assert_eq!(template(&blocks(60), json!({"on": true})), Ok(json!(1)));
    insta::assert_snapshot!(soon(|| told(template(&blocks(20_000), json!({"on": true})))));
    let calls = format!("out: {}1{}", "(not ".repeat(20_000), ")".repeat(20_000)).replacen('(', "{{(", 1);
    insta::assert_snapshot!(soon(|| told(template(&calls, json!({})))));
    let branches = format!("{{{{#if off}}}}{}out: 1{{{{/if}}}}", "{{else if on}}".repeat(4_990));
    insta::assert_snapshot!(soon(|| told(template(&branches, json!({"on": true, "off": false})))));
}

#[test]
fn many_tags_are_refused_or_parsed_soon() {
    insta::assert_snapshot!(
        [
            soon(|| told(template(&"{{".repeat(512 << 10), json!({})))),
            soon(|| told(template(&"{{".repeat(128 << 10), json!({})))),
            soon(|| told(template(&"{{{{".repeat(64 << 10), json!({})))),
            soon(|| told(template(&"{{a}}".repeat(6_000), json!({})))),
            soon(|| told(template(&format!("{}{{{{a}}}}", " \n".repeat(120_000)), json!({})))),
        ]
        .join("\n")
    );
    let long = format!("# {}\n{}out: 1", "x".repeat(200_000), "{{#if t}}{{/if}}".repeat(2_400));
    assert_eq!(soon(|| template(&long, json!({"t": true}))), Ok(json!(1)));
}

/// The engine's parser tries again what it could not finish, and may do so for every level.
#[rstest]
#[case::calls("{{a ", "(b ", "", 16)]
#[case::calls_closed("{{a ", "(b ", "))))))))))))))))", 16)]
#[case::calls_with_names("{{a ", "x=(b ", "", 16)]
#[case::names("{{", "(", "a", 16)]
#[case::lists("{{a ", "[", "", 16)]
#[case::lists_of_lists("{{a ", "[[1],", "", 15)]
#[case::maps("{{a ", "{\"a\":", "", 16)]
#[case::blocks("", "{{#if (a (b c))}}", "{{x", 64)]
#[case::chains("{{#if a}}", "{{else if b}}", "{{x", 2000)]
#[case::partials("", "{{#> a}}", "{{x", 64)]
#[case::decorators("", "{{#*a}}", "{{x", 64)]
#[case::raw("", "{{{{raw}}}}", "", 64)]
#[case::escapes("", "\\\\{{", "", 4000)]
fn what_cannot_be_parsed_is_told_soon(
    #[case] start: &str,
    #[case] piece: &str,
    #[case] end: &str,
    #[case] times: usize,
) {
    let text = format!("{start}{}{end}", piece.repeat(times));
    soon(|| template(&text, json!({})).unwrap_err());
}

/// Blocks that a naive look at the text does not see.
#[rstest]
#[case::after_a_backslash("", "\\\\{{#if a}}", "{{/if}}")]
#[case::after_half_a_comment("{{!-- }}", "{{#if a}}", "{{/if}}")]
#[case::with_text_that_closes("", "{{#if (not \"{{/if}}\")}}", "{{/if}}")]
#[case::after_half_a_spaced_comment("", "{{#if a}}{{! -- }}{{/if}}--}}", "{{/if}}")]
#[case::with_a_list_that_closes("", "{{#if [\"]}}{{/if}}\"]}}", "{{/if}}")]
#[case::with_quotes_that_hide("", "{{#if [\"'\", ']}}{{/if}}']}}", "{{/if}}")]
#[case::with_a_map_that_closes("", "{{#if (not {\"a\":{\"b\":1}} \"{{/if}}\")}}", "{{/if}}")]
#[case::with_a_name_that_closes("", "{{#if a.[}}{{/if}}]}}", "{{/if}}")]
#[case::after_raw("", "{{#if a}}{{{{raw}}}}{{/if}}{{{{/raw}}}}", "{{/if}}")]
#[case::after_raw_with_text("", "{{#if a}}{{{{raw \"}}}}{{{{/raw}}}}{{/if}}\"}}}}{{{{/raw}}}}", "{{/if}}")]
#[case::after_an_escape("", "{{#if a}}\\{{{{/if}}", "{{/if}}")]
#[case::inverted("", "{{^if a}}", "{{/if}}")]
#[case::trimmed("", "{{~#if a}}", "{{/if}}")]
#[case::branches("{{#if a}}", "{{~else if a}}", "")]
#[case::spaced("", "{{ ~ # if a}}", "{{/if}}")]
#[case::spaced_branches("{{#if a}}", "{{ else if a}}", "")]
#[case::partials("", "{{#> a}}", "{{/a}}")]
fn nesting_is_seen_however_it_is_written(#[case] start: &str, #[case] open: &str, #[case] close: &str) {
    let end = if close.is_empty() { "{{/if}}" } else { "" };
    let text = format!("{start}{}{}{end}", open.repeat(2_400), close.repeat(2_400));
    let deep = told(soon(|| template(&text, json!({"a": true}))));
    let reason = deep.split(": app/t.hbs:1:").next().unwrap();
    assert!(matches!(reason, "TemplateLimit" | "InvalidTemplate"), "{deep}");
}

#[test]
fn large_values_are_refused() {
    insta::assert_snapshot!(told(template("", json!({"a": "x".repeat(2 << 20)}))));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_a_template_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let tree = MemoryTree([("app/t.hbs".to_owned(), bytes)].into());
        let _: Result<_, _> = render_tree(&tree, "app", json!({"auto": {}}));
    }

    #[test]
    fn any_pieces_of_templates_are_a_template_or_an_error(pieces in proptest::collection::vec(piece(), 0..24)) {
        let text = pieces.concat();
        let files = [("app/t.hbs", text.as_str()), ("app/_p.hbs", "p")];
        let first = render(&files);
        prop_assert_eq!(render(&files), first);
    }

    /// The look at the text must find the nesting; when the rewrite of the parsed template finds it, it may be
    /// too late.
    #[test]
    fn no_nesting_hides(
        open in proptest::collection::vec(piece(), 0..8),
        close in proptest::collection::vec(piece(), 0..4),
        quoted in proptest::collection::vec(piece(), 0..3),
    ) {
        let open = format!("{{{{#if (not \"{}\")}}}}{}", quoted.concat(), open.concat());
        let text = format!("{}{}", open.repeat(70), format!("{}{{{{/if}}}}", close.concat()).repeat(70));
        if let Err(failure) = render(&[("app/t.hbs", &text), ("app/_p.hbs", "p")]) {
            prop_assert!(!failure.message.contains("blocks are nested"), "{}", failure.message);
        }
    }
}

fn piece() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "{{",
        "}}",
        "{{{",
        "}}}",
        "{{{{",
        "}}}}",
        "{{#",
        "{{/",
        "{{^",
        "{{else",
        "{{else}}",
        "{{~",
        "~}}",
        "{{!",
        "{{!--",
        "--}}",
        "{{>",
        "{{#>",
        "{{*",
        "{{#*",
        "if",
        "each",
        "with",
        "raw",
        "p",
        "inline",
        "this",
        ".",
        "../",
        "@index",
        "@root",
        "@partial-block",
        "windlass",
        ".app",
        " ",
        "\n",
        "(",
        ")",
        "[",
        "]",
        "|",
        " as |x|",
        "=",
        "\"",
        "'",
        "\\",
        "1",
        "null",
        "[1, 2]",
        "{\"a\": 1}",
        "default",
        "not",
        "é",
        "a: ",
        "- ",
        "&",
        "{{#if windlass.app}}",
        "{{/if}}",
        "{{#each windlass}}",
        "{{/each}}",
        "{{windlass.app}}",
        "{{> p}}",
    ])
}
