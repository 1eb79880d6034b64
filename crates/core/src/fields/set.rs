use std::collections::BTreeMap;

use serde_json::{Map, Value};

use super::path::{Path, Segment, scalar};

/// A set of fields as the API server writes it into `fieldsV1` of a `managedFields` entry (KEP-555).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldSet {
    /// By the step as the server writes it: `f:name`, `k:{"name":"web"}`, `v:"x"` or `i:0`.
    below: BTreeMap<String, Node>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Node {
    /// The field itself is in the set, not only fields within it.
    member: bool,
    set: FieldSet,
}

impl FieldSet {
    /// Reads `fieldsV1`. What is not understood is left out.
    pub fn read(fields: &Value) -> Self {
        let mut below = BTreeMap::new();
        for (step, value) in fields.as_object().into_iter().flatten().filter(|(step, _)| *step != ".") {
            let Some(inner) = value.as_object() else { continue };
            let member = inner.is_empty() || inner.contains_key(".");
            below.insert(step.clone(), Node { member, set: Self::read(value) });
        }
        Self { below }
    }

    /// As it stands in `fieldsV1`.
    pub fn write(&self) -> Value {
        let mut map = Map::new();
        for (step, node) in &self.below {
            let mut inner = node.set.write();
            if let Some(inner) = inner.as_object_mut().filter(|inner| node.member && !inner.is_empty()) {
                inner.insert(".".into(), Value::Object(Map::new()));
            }
            map.insert(step.clone(), inner);
        }
        Value::Object(map)
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.below.is_empty()
    }

    /// What is in this or in `other`.
    pub fn union(&self, other: &Self) -> Self {
        let mut all = self.clone();
        for (step, node) in &other.below {
            let known = all.below.entry(step.clone()).or_default();
            known.member |= node.member;
            known.set = known.set.union(&node.set);
        }
        all
    }

    /// What is in this and not in `other`. Nothing within a field that `other` has as a whole is left.
    pub fn difference(&self, other: &Self) -> Self {
        let mut rest = Self::default();
        for (step, node) in &self.below {
            let node = match other.below.get(step) {
                None => node.clone(),
                Some(theirs) if theirs.is_whole() => continue,
                Some(theirs) => {
                    Node { member: node.member && !theirs.member, set: node.set.difference(&theirs.set) }
                }
            };
            if node.member || !node.set.is_empty() {
                rest.below.insert(step.clone(), node);
            }
        }
        rest
    }

    /// What is in this and adds to `other`: what holds something of `other` is no addition, and what lies
    /// within a mapping that is empty in `other` is one.
    pub fn beyond(&self, other: &Self) -> Self {
        let mut rest = Self::default();
        for (step, node) in &self.below {
            let node = match other.below.get(step) {
                None => node.clone(),
                Some(theirs) => Node { member: false, set: node.set.beyond(&theirs.set) },
            };
            if node.member || !node.set.is_empty() {
                rest.below.insert(step.clone(), node);
            }
        }
        rest
    }

    /// Only the fields for which `keep` is true. A field within which something is not kept is not kept
    /// itself, so that what holds the rest stays.
    pub fn filter(&self, keep: &dyn Fn(&Path) -> bool) -> Self {
        self.filtered(&mut Vec::new(), keep).0
    }

    /// The set, and whether all of this one is in it.
    fn filtered(&self, at: &mut Vec<Segment>, keep: &dyn Fn(&Path) -> bool) -> (Self, bool) {
        let (mut rest, mut whole) = (Self::default(), true);
        for (step, node) in &self.below {
            let Some(segment) = segment(step) else {
                whole = false;
                continue;
            };
            at.push(segment);
            let (set, all_below) = node.set.filtered(at, keep);
            let member = node.member && all_below && keep(&Path::new(at.clone()));
            at.pop();
            whole &= all_below && member == node.member;
            if member || !set.is_empty() {
                rest.below.insert(step.clone(), Node { member, set });
            }
        }
        (rest, whole)
    }

    /// The fields with nothing further down in the set: values, and lists or mappings that are one value.
    pub fn leaves(&self) -> Vec<Path> {
        let mut found = Vec::new();
        self.walk(&mut Vec::new(), &mut |path, node| {
            if node.set.is_empty() {
                found.push(path);
            }
            true
        });
        found
    }

    /// The fields with nothing further up in the set, for people: an added container rather than all that
    /// is in it.
    pub fn tops(&self) -> Vec<Path> {
        let mut found = Vec::new();
        self.walk(&mut Vec::new(), &mut |path, node| {
            if node.member {
                found.push(path);
            }
            !node.member
        });
        found
    }

    /// Visits every field; goes down where `visit` says so.
    fn walk(&self, at: &mut Vec<Segment>, visit: &mut dyn FnMut(Path, &Node) -> bool) {
        for (step, node) in &self.below {
            let Some(segment) = segment(step) else { continue };
            at.push(segment);
            if visit(Path::new(at.clone()), node) {
                node.set.walk(at, visit);
            }
            at.pop();
        }
    }

    /// Whether the field itself is in the set.
    pub fn has(&self, path: &Path) -> bool {
        let (mut set, mut member) = (self, false);
        for segment in path.segments() {
            let Some((_, node)) = set.step(segment, None) else { return false };
            (set, member) = (&node.set, node.member);
        }
        member
    }

    /// `path` with places in lists of `body` named by their keys, as far as this set knows them.
    pub fn resolve(&self, path: &Path, body: &Value) -> Path {
        self.trace(path, body).0
    }

    /// Whether `path` leads into a list or mapping of `body` that is one value, so that nobody can own a
    /// part of it.
    pub fn is_inside_value(&self, path: &Path, body: &Value) -> bool {
        self.trace(path, body).1
    }

    fn trace(&self, path: &Path, body: &Value) -> (Path, bool) {
        let (mut set, mut value) = (Some(self), Some(body));
        let mut steps = Vec::new();
        let mut inside = false;
        for (number, segment) in path.segments().iter().enumerate() {
            let inner = value.and_then(|value| segment.find(value));
            let item = inner.filter(|_| value.is_some_and(Value::is_array));
            let next = set.and_then(|set| set.step(segment, item));
            inside |=
                next.as_ref().is_some_and(|(_, node)| node.is_whole()) && number + 1 < path.segments().len();
            set = next.as_ref().map(|(_, node)| &node.set);
            steps.push(next.map_or_else(|| segment.clone(), |(known, _)| known));
            value = inner;
        }
        (Path::new(steps), inside)
    }

    /// The node to which a step leads; where it is an item of a list, the one with the keys of `item`.
    fn step(&self, segment: &Segment, item: Option<&Value>) -> Option<(Segment, &Node)> {
        self.below.iter().find_map(|(step, node)| {
            let known = self::segment(step)?;
            let is_it = match (&known, item) {
                (Segment::Item(_) | Segment::Value(_), Some(item)) => known.find_in(item),
                _ => segment.names(&known),
            };
            is_it.then_some((known, node))
        })
    }
}

impl Node {
    /// A value, or a list or mapping that is one value.
    fn is_whole(&self) -> bool {
        self.member && self.set.is_empty()
    }
}

/// A step as the server writes it; `None` for what it may write one day.
fn segment(step: &str) -> Option<Segment> {
    let (kind, rest) = step.split_once(':')?;
    match kind {
        "f" | "i" => Some(Segment::Field(rest.to_owned())),
        "v" => Some(Segment::Value(scalar(&serde_json::from_str(rest).ok()?)?)),
        "k" => {
            let keys: Map<String, Value> = serde_json::from_str(rest).ok()?;
            let keys = keys.into_iter().map(|(key, value)| Some((key, scalar(&value)?)));
            Some(Segment::Item(keys.collect::<Option<_>>()?))
        }
        _ => None,
    }
}
