//! The parser's complaints in words that say what to do.

use super::{Mark, Problem};

/// What the parser says about a text it cannot read.
pub(super) struct Failure {
    /// Its problem, in libyaml's words.
    pub(super) problem: String,
    /// Where that is.
    pub(super) mark: Mark,
    /// What it was doing, in libyaml's words; empty if it does not say.
    pub(super) context: String,
    /// Where what it was doing began.
    pub(super) context_line: usize,
}

impl Failure {
    /// The same for people. What has no entry here keeps libyaml's words.
    pub(super) fn explain(&self, text: &[u8]) -> Problem {
        let begun = self.context_line;
        let message = match (self.problem.as_str(), self.context.as_str()) {
            ("mapping values are not allowed in this context", _) => {
                "a second \": \" in one value; quote the value, or check the indentation".into()
            }
            ("did not find expected key", _) => format!(
                "the indentation fits neither the mapping that begins on line {begun} nor what is around it; \
                 align the line with its neighbours"
            ),
            ("did not find expected '-' indicator", _) => format!(
                "the list that begins on line {begun} has no \"- \" here; add it, or check the indentation"
            ),
            ("could not find expected ':'", _) => format!(
                "the text on line {begun} stands where a key is expected; write `key: value`, or indent it to \
                 continue the value above"
            ),
            ("did not find expected ',' or ']'", _) => {
                format!("the list that begins with [ on line {begun} needs a \",\" or \"]\" here")
            }
            ("did not find expected ',' or '}'", _) => format!(
                "the mapping that begins with {{ on line {begun} needs a \",\" or \"}}\" here; quote a value \
                 that begins with {{"
            ),
            ("did not find expected <document start>", _) => {
                "text after the end of the document; align it with the document's first line, or put a line \
                 --- between documents"
                    .into()
            }
            ("found unexpected end of stream", "while scanning a quoted scalar") => {
                format!("the quote that opens on line {begun} is never closed")
            }
            ("found unexpected document indicator", _) => {
                format!("a line --- or ... inside the quotes that open on line {begun}; close them")
            }
            ("found unknown escape character", _) => {
                "no such escape in double quotes; write \\\\ for a backslash, or use single quotes".into()
            }
            ("found invalid Unicode character escape code", _) => {
                "half a character: only JSON has escapes in two halves; write the character itself".into()
            }
            ("found character that cannot start any token", _) => cannot_start(self.mark, text),
            ("found a tab character where an indentation space is expected", _)
            | ("found a tab character that violates indentation", _) => {
                "a tab in the indentation; indent with spaces".into()
            }
            ("control characters are not allowed", _) => {
                "a control character; remove it, or write it as an escape in double quotes".into()
            }
            (problem, _) if problem.contains("UTF-8") || problem == "invalid Unicode character" => {
                "the file is not UTF-8 here; save it as UTF-8".into()
            }
            (problem, "") => problem.into(),
            (problem, context) => format!("{problem} ({context})"),
        };
        Problem::syntax(self.mark, message)
    }
}

fn cannot_start(mark: Mark, text: &[u8]) -> String {
    let line = text.split(|b| *b == b'\n').nth(mark.line - 1).unwrap_or_default();
    match String::from_utf8_lossy(line).chars().nth(mark.column - 1) {
        Some('\t') => "a tab in the indentation; indent with spaces".into(),
        Some(c) => format!("a value cannot begin with {c}; quote it"),
        None => "a value cannot begin here; quote it".into(),
    }
}
