//! YAML with the semantics that Kubernetes users know: those of sigs.k8s.io/yaml (YAML 1.1 as Go's yaml.v2
//! reads it, then JSON), held by a golden table that the real library made.
//!
//! Text becomes [`events`] (libyaml), events become a tree of [`nodes`], and nodes are [`decode`]d to JSON
//! with Go's [`resolve`] table. [`lists`] looks for list entries that the API server could not merge.
//!
//! Text is taken as kubectl's reader takes it (see [`input`]). Deliberate differences: a key that stands twice
//! in a mapping is an error, sizes and nesting are bounded, and text that kubectl drops without a word (what
//! follows a document's end) is read or refused.

mod decode;
mod events;
mod explain;
mod input;
mod lists;
mod nodes;
mod resolve;
#[cfg(test)]
mod tests;
mod write;

use serde_json::Value;

pub use write::write;

/// Largest text in bytes.
pub const MAX_BYTES: usize = 4 << 20;
/// Deepest nesting of mappings and lists.
pub const MAX_DEPTH: usize = 100;
/// Most values of a stream, aliases counted as often as they are used.
pub const MAX_NODES: usize = 1_000_000;
/// Most bytes of text in a stream's values, aliases counted as often as they are used.
pub const MAX_TEXT: usize = 4 * MAX_BYTES;

/// One document of a YAML stream.
#[derive(Clone, Debug, PartialEq)]
pub struct Document {
    /// Its number in the stream, from 1; empty documents count and are left out of the result.
    pub number: usize,
    /// Line of its first token, from 1.
    pub line: usize,
    /// Its value.
    pub value: Value,
}

/// Where and why a text cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{file}:{line}:{column}: {message}")]
pub struct YamlError {
    /// The file as the caller named it.
    pub file: String,
    /// Number of the document, from 1.
    pub document: usize,
    /// Line in the file, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// What kind of mistake it is.
    pub kind: YamlErrorKind,
    /// What is wrong and what to do.
    pub message: String,
}

/// Kinds of mistakes that callers tell apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum YamlErrorKind {
    /// The text is no YAML, or its values cannot become JSON.
    Syntax,
    /// A key, or the key of a list entry, stands twice.
    Duplicate,
    /// A bound is exceeded.
    Limit,
}

/// What is wrong at a place in the text.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Problem {
    mark: Mark,
    kind: YamlErrorKind,
    message: String,
}

/// A place in the text; both numbers from 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Mark {
    line: usize,
    column: usize,
}

impl Problem {
    fn new(mark: Mark, kind: YamlErrorKind, message: impl Into<String>) -> Self {
        Self { mark, kind, message: message.into() }
    }

    fn syntax(mark: Mark, message: impl Into<String>) -> Self {
        Self::new(mark, YamlErrorKind::Syntax, message)
    }
}

/// Reads every document of a stream.
///
/// # Errors
/// The first [`YamlError`] of the stream.
pub fn load(file: &str, text: &[u8]) -> Result<Vec<Document>, YamlError> {
    let error = |document: usize, problem: Problem| YamlError {
        file: file.to_owned(),
        document,
        line: problem.mark.line,
        column: problem.mark.column,
        kind: problem.kind,
        message: problem.message,
    };
    if text.len() > MAX_BYTES {
        let start = Mark { line: 1, column: 1 };
        let message = format!("the file has {} bytes, at most {MAX_BYTES} are read; split it", text.len());
        return Err(error(1, Problem::new(start, YamlErrorKind::Limit, message)));
    }
    let text = input::prepare(text).map_err(|(document, problem)| error(document, problem))?;
    let mut parser = events::Parser::new(&text);
    let mut grown = decode::Grown::default();
    let mut documents = Vec::new();
    for number in 1.. {
        let Some(tree) = nodes::next_document(&mut parser).map_err(|p| error(number, p))? else { break };
        let value = decode::document(&tree, &mut grown).map_err(|p| error(number, p))?;
        lists::check(&tree, &value).map_err(|p| error(number, p))?;
        if !value.is_null() {
            documents.push(Document { number, line: tree.mark().line, value });
        }
    }
    Ok(documents)
}
