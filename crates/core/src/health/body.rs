//! Reading a body that may have anything anywhere.

use serde_json::Value;

/// An object's body, or a part of it. Paths are JSON pointers (RFC 6901). What is not of the expected type
/// is taken to be absent.
#[derive(Clone, Copy)]
pub(crate) struct Body<'a>(pub(crate) &'a Value);

/// Status of a condition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Truth {
    True,
    False,
    Unknown,
}

/// One entry of a `conditions` list.
#[derive(Clone, Copy)]
pub(crate) struct Condition<'a> {
    pub(crate) kind: &'a str,
    pub(crate) truth: Truth,
    pub(crate) reason: &'a str,
    pub(crate) message: &'a str,
    /// The generation that it was written for, where it says so.
    pub(crate) observed: Option<i64>,
}

impl<'a> Body<'a> {
    pub(crate) fn has(self, path: &str) -> bool {
        self.0.pointer(path).is_some_and(|value| !value.is_null())
    }

    pub(crate) fn text(self, path: &str) -> &'a str {
        self.0.pointer(path).and_then(Value::as_str).unwrap_or_default()
    }

    pub(crate) fn int(self, path: &str) -> Option<i64> {
        self.0.pointer(path).and_then(Value::as_i64)
    }

    /// A number of things: never negative, so that differences of two counts cannot overflow.
    pub(crate) fn count(self, path: &str) -> Option<i64> {
        self.int(path).map(|count| count.max(0))
    }

    pub(crate) fn flag(self, path: &str) -> Option<bool> {
        self.0.pointer(path).and_then(Value::as_bool)
    }

    pub(crate) fn list(self, path: &str) -> &'a [Value] {
        self.0.pointer(path).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }

    pub(crate) fn parts(self, path: &str) -> impl Iterator<Item = Body<'a>> {
        self.list(path).iter().map(Body)
    }

    /// The `conditions` of the object at `path`.
    pub(crate) fn conditions(self, path: &str) -> impl Iterator<Item = Condition<'a>> + use<'a> {
        self.list(&format!("{path}/conditions")).iter().map(Body).map(|condition| Condition {
            kind: condition.text("/type"),
            truth: match condition.text("/status") {
                "True" => Truth::True,
                "False" => Truth::False,
                _ => Truth::Unknown,
            },
            reason: condition.text("/reason"),
            message: condition.text("/message"),
            observed: condition.int("/observedGeneration"),
        })
    }

    /// The first condition of `status.conditions` that has this type.
    pub(crate) fn condition(self, kind: &str) -> Option<Condition<'a>> {
        self.conditions("/status").find(|condition| condition.kind == kind)
    }
}

impl Condition<'_> {
    /// Reason and message, as far as there are any and the second does not repeat the first.
    pub(crate) fn cause(&self) -> String {
        let message = one_line(self.message);
        match (self.reason, message.as_str()) {
            ("", "") => match self.truth {
                Truth::True => self.kind.to_owned(),
                Truth::False => format!("not {}", self.kind),
                Truth::Unknown => format!("{} is unknown", self.kind),
            },
            ("", message) => message.to_owned(),
            (reason, "") => reason.to_owned(),
            (reason, message) if message.contains(reason) => message.to_owned(),
            (reason, message) => format!("{reason}: {message}"),
        }
    }

    /// Whether it was written for an older generation of the object.
    pub(crate) fn is_stale(&self, generation: Option<i64>) -> bool {
        matches!((self.observed, generation), (Some(observed), Some(generation)) if observed < generation)
    }
}

/// Text that other programs wrote, as part of a sentence: on one line and short enough to leave room for
/// the rest.
pub(crate) fn one_line(text: &str) -> String {
    clipped(text, 400)
}

/// `text` on one line, without control characters and cut to `longest` bytes.
pub(crate) fn clipped(text: &str, longest: usize) -> String {
    let mut line = String::new();
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()) {
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
        if line.len() > longest {
            line.truncate(line.floor_char_boundary(longest));
            line.push('…');
            break;
        }
    }
    line
}

/// `1 pod`, `2 pods`.
pub(crate) fn plural(count: i64, thing: &str) -> String {
    if count == 1 { format!("1 {thing}") } else { format!("{count} {thing}s") }
}
