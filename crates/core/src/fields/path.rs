use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

/// Which field of an object: a JSON pointer (RFC 6901) in which items of a list are named by their key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Path(Vec<Segment>);

/// One step of a [`Path`].
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Segment {
    /// A field of a mapping, or a place in a list.
    Field(String),
    /// The item of a list that has these fields: `[name=web]`, `[containerPort=80,protocol=TCP]`.
    Item(BTreeMap<String, String>),
    /// The item of a list that is this value: `[=value]`.
    Value(String),
}

/// Why a text is no path.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// It is relative, or the whole object.
    #[error("{0:?} is no path of a field: it must begin with a slash and name a field")]
    Start(String),
    /// An item of a list is not named as `[key=value]`.
    #[error("{0:?}: {1:?} names no item of a list; write [key=value]")]
    Item(String, String),
    /// The field says which object it is.
    #[error("{0:?} cannot be left to others: it says which object this is and whose")]
    Identity(String),
}

impl Path {
    /// A path from its steps.
    pub fn new(segments: Vec<Segment>) -> Self {
        Self(segments)
    }

    /// Reads a path such as `/spec/template/spec/containers/[name=web]/image`. As in any JSON pointer, `~1`
    /// is a slash and `~0` a tilde.
    ///
    /// # Errors
    /// [`PathError`] says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        let start = || PathError::Start(text.to_owned());
        let rest = text.strip_prefix('/').filter(|rest| !rest.is_empty()).ok_or_else(start)?;
        rest.split('/').map(|step| segment(step, text)).collect::<Result<_, _>>().map(Self)
    }

    /// Reads a list of paths, separated by commas.
    ///
    /// # Errors
    /// [`PathError`] of the first that is none.
    pub fn parse_list(text: &str) -> Result<Vec<Self>, PathError> {
        let mut parts = vec![String::new()];
        let mut depth = 0_usize;
        for c in text.chars() {
            match c {
                '[' => depth += 1,
                ']' => depth = depth.saturating_sub(1),
                ',' if depth == 0 => {
                    parts.push(String::new());
                    continue;
                }
                _ => {}
            }
            if let Some(part) = parts.last_mut() {
                part.push(c);
            }
        }
        parts.iter().map(|part| part.trim()).filter(|part| !part.is_empty()).map(Self::parse).collect()
    }

    /// Refuses the fields by which an object is known, which can be left to nobody.
    ///
    /// # Errors
    /// [`PathError::Identity`].
    pub fn not_identity(self) -> Result<Self, PathError> {
        let fields: Vec<_> = self.0.iter().map(Segment::as_field).collect();
        let identity = match fields.as_slice() {
            [Some("apiVersion" | "kind" | "metadata")] => true,
            [Some("metadata"), Some("name" | "namespace" | "labels" | "annotations")] => true,
            [Some("metadata"), Some("labels" | "annotations"), Some(key), ..] => {
                *key == crate::api::APPLICATION_LABEL || *key == crate::api::OWNER_ANNOTATION
            }
            _ => false,
        };
        if identity { Err(PathError::Identity(self.to_string())) } else { Ok(self) }
    }

    /// The steps, from the object down.
    pub fn segments(&self) -> &[Segment] {
        &self.0
    }

    /// Whether `other` is this field or lies within it.
    pub fn covers(&self, other: &Self) -> bool {
        self.0.len() <= other.0.len() && self.0.iter().zip(&other.0).all(|(a, b)| a.names(b))
    }
}

impl Segment {
    /// The name of a field of a mapping.
    pub fn as_field(&self) -> Option<&str> {
        if let Self::Field(name) = self { Some(name) } else { None }
    }

    /// Whether this step leads to an item that `other` names as fully or more so.
    pub(super) fn names(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Item(keys), Self::Item(others)) => {
                keys.iter().all(|(key, value)| others.get(key) == Some(value))
            }
            _ => self == other,
        }
    }

    /// Whether `item` of a list is the one that this step names.
    pub(super) fn find_in(&self, item: &Value) -> bool {
        match self {
            Self::Field(_) => false,
            Self::Item(keys) => has(item, keys),
            Self::Value(value) => scalar(item).as_ref() == Some(value),
        }
    }

    /// Where in `parent` this step leads to.
    pub fn find<'v>(&self, parent: &'v Value) -> Option<&'v Value> {
        match (self, parent) {
            (Self::Field(name), Value::Object(map)) => map.get(name),
            (step, Value::Array(items)) => items.get(step.place(items)?),
            _ => None,
        }
    }

    /// At which place of a list the item is.
    pub fn place(&self, items: &[Value]) -> Option<usize> {
        match self {
            Self::Field(name) => name.parse().ok().filter(|place| *place < items.len()),
            Self::Item(_) | Self::Value(_) => items.iter().position(|item| self.find_in(item)),
        }
    }
}

/// Whether an item of a list has these fields. The protocol of a port is TCP where nothing else is said.
fn has(item: &Value, keys: &BTreeMap<String, String>) -> bool {
    keys.iter().all(|(key, wanted)| match item.get(key) {
        Some(value) => scalar(value).as_ref() == Some(wanted),
        None => key == "protocol" && wanted == "TCP" && item.is_object(),
    })
}

/// A scalar as text; `None` for a mapping or a list.
pub(super) fn scalar(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) | Value::Null => Some(value.to_string()),
        Value::Array(_) | Value::Object(_) => None,
    }
}

fn segment(step: &str, whole: &str) -> Result<Segment, PathError> {
    let Some(inner) = step.strip_prefix('[').and_then(|step| step.strip_suffix(']')) else {
        return Ok(Segment::Field(unescape(step)));
    };
    let wrong = || PathError::Item(whole.to_owned(), step.to_owned());
    if let Some(value) = inner.strip_prefix('=') {
        return Ok(Segment::Value(unescape(value)));
    }
    let pair = |pair: &str| {
        let (key, value) = pair.split_once('=').filter(|(key, _)| !key.trim().is_empty())?;
        Some((unescape(key.trim()), unescape(value.trim())))
    };
    inner.split(',').map(|text| pair(text).ok_or_else(wrong)).collect::<Result<_, _>>().map(Segment::Item)
}

fn unescape(text: &str) -> String {
    text.replace("~1", "/").replace("~0", "~")
}

fn escape(text: &str) -> String {
    text.replace('~', "~0").replace('/', "~1")
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Field(name) => f.write_str(&escape(name)),
            Self::Value(value) => write!(f, "[={}]", escape(value)),
            Self::Item(keys) => {
                let pairs: Vec<_> =
                    keys.iter().map(|(key, value)| format!("{}={}", escape(key), escape(value))).collect();
                write!(f, "[{}]", pairs.join(","))
            }
        }
    }
}

impl fmt::Display for Path {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|segment| write!(f, "/{segment}"))
    }
}
