//! From nodes to JSON: aliases, merge keys and keys that are not strings.

use std::collections::HashMap;

use serde_json::{Map, Number, Value};

use super::nodes::{Node, NodeId, NodeKind, Tree};
use super::resolve::{Scalar, resolve};
use super::{MAX_DEPTH, MAX_NODES, MAX_TEXT, Mark, Problem, YamlErrorKind};

const MERGE_TAG: &str = "tag:yaml.org,2002:merge";

/// What has been decoded of a stream so far. One for all its documents: each of them may grow by aliases.
#[derive(Default)]
pub(super) struct Grown {
    nodes: usize,
    text: usize,
}

/// The value of a document.
pub(super) fn document(tree: &Tree, grown: &mut Grown) -> Result<Value, Problem> {
    let mut decoder =
        Decoder { tree, grown, open: Vec::new(), depth: 0, decoded: 0, by_alias: 0, alias_depth: 0 };
    decoder.value(tree.root())
}

struct Decoder<'a> {
    tree: &'a Tree,
    grown: &'a mut Grown,
    /// Mappings and lists around the value being decoded. The tree is bounded as it is written; by aliases
    /// it may still unfold to any depth.
    depth: usize,
    /// Anchors whose value is being decoded.
    open: Vec<NodeId>,
    decoded: usize,
    by_alias: usize,
    alias_depth: usize,
}

impl Decoder<'_> {
    fn value(&mut self, id: NodeId) -> Result<Value, Problem> {
        let node = self.tree.get(id);
        self.count(node)?;
        match &node.kind {
            NodeKind::Alias(target) => {
                if self.open.contains(target) {
                    return Err(Problem::syntax(node.mark, "an anchor's value contains itself"));
                }
                self.open.push(*target);
                self.alias_depth += 1;
                let value = self.value(*target);
                self.alias_depth -= 1;
                self.open.pop();
                value
            }
            NodeKind::Scalar { tag, plain, value } => {
                let scalar = resolve(tag, *plain, value).map_err(|m| Problem::syntax(node.mark, m))?;
                json(scalar).map_err(|m| Problem::syntax(node.mark, m))
            }
            NodeKind::Sequence(items) => {
                self.enter(node.mark)?;
                let items = items.iter().map(|item| self.value(*item)).collect::<Result<Vec<_>, _>>()?;
                self.depth -= 1;
                Ok(Value::Array(items))
            }
            NodeKind::Mapping(pairs) => {
                self.enter(node.mark)?;
                let mut map = Map::new();
                self.mapping(pairs, &mut map)?;
                self.depth -= 1;
                Ok(Value::Object(map))
            }
        }
    }

    fn mapping(&mut self, pairs: &[(NodeId, NodeId)], map: &mut Map<String, Value>) -> Result<(), Problem> {
        let mut first: HashMap<String, Mark> = HashMap::new();
        for (key, value) in pairs {
            if self.is_merge(*key) {
                self.merge(*value, map)?;
                continue;
            }
            let mark = self.tree.get(*key).mark;
            let name = self.key(*key)?;
            if let Some(before) = first.insert(name.clone(), mark) {
                let message = format!(
                    "key {name:?} appears twice in this mapping (first on line {}); remove one",
                    before.line
                );
                return Err(Problem::new(mark, YamlErrorKind::Duplicate, message));
            }
            let value = self.value(*value)?;
            map.insert(name, value);
        }
        Ok(())
    }

    fn is_merge(&self, key: NodeId) -> bool {
        match &self.tree.get(key).kind {
            NodeKind::Scalar { tag, plain, value } => value == "<<" && (*plain || tag == MERGE_TAG),
            _ => false,
        }
    }

    /// What comes later in a mapping wins, a merge too; of a list of merges the first wins.
    fn merge(&mut self, id: NodeId, map: &mut Map<String, Value>) -> Result<(), Problem> {
        let node = self.tree.get(id);
        let sources: Vec<NodeId> = match &node.kind {
            NodeKind::Sequence(items) => items.iter().rev().copied().collect(),
            _ => vec![id],
        };
        for source in sources {
            match self.value(source)? {
                Value::Object(entries) => map.extend(entries),
                _ => {
                    let message = "<< takes a mapping or a list of mappings";
                    return Err(Problem::syntax(self.tree.get(source).mark, message));
                }
            }
        }
        Ok(())
    }

    fn key(&mut self, id: NodeId) -> Result<String, Problem> {
        let node = self.tree.get(id);
        self.count(node)?;
        let refuse =
            |what: &str| Err(Problem::syntax(node.mark, format!("{what} cannot be a key in JSON; quote it")));
        match &node.kind {
            NodeKind::Alias(target) => self.key(*target),
            NodeKind::Scalar { tag, plain, value } => {
                match resolve(tag, *plain, value).map_err(|m| Problem::syntax(node.mark, m))? {
                    Scalar::Text(text) => Ok(text),
                    Scalar::Bool(value) => Ok(value.to_string()),
                    Scalar::Int(number) => Ok(number.to_string()),
                    Scalar::Float(number) => Ok(float_key(number)),
                    Scalar::Uint(_) => refuse("a number this large"),
                    Scalar::Null => refuse("null"),
                }
            }
            NodeKind::Sequence(_) => refuse("a list"),
            NodeKind::Mapping(_) => Err(Problem::syntax(
                node.mark,
                "a mapping cannot be a key: quote a value that begins with {{, or name a template *.hbs",
            )),
        }
    }

    fn enter(&mut self, mark: Mark) -> Result<(), Problem> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            let message = format!("nested deeper than {MAX_DEPTH} levels by its aliases; write it flatter");
            return Err(Problem::new(mark, YamlErrorKind::Limit, message));
        }
        Ok(())
    }

    /// Go's rule against documents that grow by aliases, and bounds of our own.
    fn count(&mut self, node: &Node) -> Result<(), Problem> {
        self.decoded += 1;
        self.grown.nodes += 1;
        if let NodeKind::Scalar { value, .. } = &node.kind {
            self.grown.text += value.len();
        }
        self.by_alias += usize::from(self.alias_depth > 0);
        let excessive = self.by_alias > 100
            && self.decoded > 1_000
            && share(self.by_alias, self.decoded) > allowed_alias_share(self.decoded);
        if excessive || self.grown.nodes > MAX_NODES || self.grown.text > MAX_TEXT {
            let message = match self.by_alias {
                0 => format!("the file has more than {MAX_NODES} values; split it"),
                _ => "the file grows too much by its aliases; write out what they stand for".into(),
            };
            return Err(Problem::new(node.mark, YamlErrorKind::Limit, message));
        }
        Ok(())
    }
}

#[expect(clippy::cast_precision_loss, reason = "both are far below 2^52")]
fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}

fn allowed_alias_share(decoded: usize) -> f64 {
    const SMALL: usize = 400_000;
    const LARGE: usize = 4_000_000;
    match decoded {
        0..=SMALL => 0.99,
        LARGE.. => 0.10,
        _ => 0.99 - 0.89 * share(decoded - SMALL, LARGE - SMALL),
    }
}

fn json(scalar: Scalar) -> Result<Value, String> {
    Ok(match scalar {
        Scalar::Null => Value::Null,
        Scalar::Bool(value) => Value::Bool(value),
        Scalar::Int(number) => number.into(),
        Scalar::Uint(number) => number.into(),
        Scalar::Text(text) => Value::String(text),
        Scalar::Float(number) => {
            float(number).ok_or("JSON has no infinity and no NaN; quote it to mean the text")?
        }
    })
}

/// Go's JSON writes a float without a fraction as an integer up to 1e21, so `1.0` reaches the API server as `1`.
fn float(number: f64) -> Option<Value> {
    let written = number.to_string();
    if let Ok(whole) = written.parse::<i64>() {
        return Some(whole.into());
    }
    if let Ok(whole) = written.parse::<u64>() {
        return Some(whole.into());
    }
    Number::from_f64(number).map(Value::Number)
}

/// Go's `FormatFloat(f, 'g', -1, 32)`, by which sigs.k8s.io/yaml makes a float a key.
#[expect(clippy::cast_possible_truncation, reason = "the rounding to 32 bits is Go's")]
fn float_key(number: f64) -> String {
    let single = number as f32;
    if single.is_nan() {
        return ".nan".into();
    }
    if single.is_infinite() {
        return if single > 0.0 { ".inf" } else { "-.inf" }.into();
    }
    let scientific = format!("{single:e}");
    let Some((mantissa, exponent)) = scientific.split_once('e') else { return scientific };
    let exponent: i32 = exponent.parse().unwrap_or(0);
    // Six is Go's bound for the shortest form.
    if (-4..6).contains(&exponent) {
        return single.to_string();
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}
