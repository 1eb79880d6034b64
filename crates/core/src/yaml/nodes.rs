//! From events to a tree in which aliases still point at what they stand for.

use std::collections::HashMap;

use super::events::{EventKind, Parser};
use super::{MAX_DEPTH, MAX_NODES, Mark, Problem, YamlErrorKind};

/// Index of a node in its tree.
pub(super) type NodeId = usize;

/// One document.
pub(super) struct Tree {
    nodes: Vec<Node>,
    root: NodeId,
}

/// A node with its place.
pub(super) struct Node {
    pub(super) mark: Mark,
    pub(super) kind: NodeKind,
}

/// What a node is.
pub(super) enum NodeKind {
    /// `plain` says that it was written without quotes and without a tag.
    Scalar {
        tag: String,
        plain: bool,
        value: String,
    },
    Sequence(Vec<NodeId>),
    Mapping(Vec<(NodeId, NodeId)>),
    Alias(NodeId),
}

impl Tree {
    /// The node of an index that came from this tree.
    pub(super) fn get(&self, id: NodeId) -> &Node {
        &self.nodes[id]
    }

    pub(super) fn root(&self) -> NodeId {
        self.root
    }

    /// Where the document begins.
    pub(super) fn mark(&self) -> Mark {
        self.get(self.root).mark
    }
}

/// Reads the next document; `None` at the end of the stream.
pub(super) fn next_document(parser: &mut Parser<'_>) -> Result<Option<Tree>, Problem> {
    let mut composer = Composer { nodes: Vec::new(), anchors: HashMap::new() };
    let mut root = None;
    loop {
        let event = parser.next()?;
        match event.kind {
            EventKind::StreamEnd => return Ok(None),
            EventKind::DocumentStart { version: Some((major, minor)) } if (major, minor) != (1, 1) => {
                let message = format!(
                    "Kubernetes reads YAML 1.1, where for example `on` is true: remove %YAML {major}.{minor}"
                );
                return Err(Problem::syntax(event.mark, message));
            }
            EventKind::DocumentStart { .. } | EventKind::Other => {}
            EventKind::DocumentEnd => {
                return Ok(root.map(|root| Tree { nodes: composer.nodes, root }));
            }
            kind => root = Some(composer.node(parser, event.mark, kind, 0)?),
        }
    }
}

struct Composer {
    nodes: Vec<Node>,
    anchors: HashMap<String, NodeId>,
}

impl Composer {
    fn node(
        &mut self,
        parser: &mut Parser<'_>,
        mark: Mark,
        kind: EventKind,
        depth: usize,
    ) -> Result<NodeId, Problem> {
        let nests = matches!(kind, EventKind::SequenceStart { .. } | EventKind::MappingStart { .. });
        if nests && depth >= MAX_DEPTH {
            let message = format!("nested deeper than {MAX_DEPTH} levels; write it flatter");
            return Err(Problem::new(mark, YamlErrorKind::Limit, message));
        }
        if self.nodes.len() >= MAX_NODES {
            let message = format!("more than {MAX_NODES} values in one document");
            return Err(Problem::new(mark, YamlErrorKind::Limit, message));
        }
        match kind {
            EventKind::Alias { anchor } => match self.anchors.get(&anchor) {
                Some(target) => Ok(self.add(mark, None, NodeKind::Alias(*target))),
                None => Err(Problem::syntax(mark, format!("there is no anchor &{anchor} before *{anchor}"))),
            },
            EventKind::Scalar { anchor, tag, plain, value } => {
                Ok(self.add(mark, anchor, NodeKind::Scalar { tag, plain, value }))
            }
            EventKind::SequenceStart { anchor } => {
                let id = self.add(mark, anchor, NodeKind::Sequence(Vec::new()));
                let mut items = Vec::new();
                loop {
                    let event = parser.next()?;
                    if matches!(event.kind, EventKind::SequenceEnd) {
                        break;
                    }
                    items.push(self.node(parser, event.mark, event.kind, depth + 1)?);
                }
                self.nodes[id].kind = NodeKind::Sequence(items);
                Ok(id)
            }
            EventKind::MappingStart { anchor } => {
                let id = self.add(mark, anchor, NodeKind::Mapping(Vec::new()));
                let mut pairs = Vec::new();
                loop {
                    let event = parser.next()?;
                    if matches!(event.kind, EventKind::MappingEnd) {
                        break;
                    }
                    let key = self.node(parser, event.mark, event.kind, depth + 1)?;
                    let event = parser.next()?;
                    pairs.push((key, self.node(parser, event.mark, event.kind, depth + 1)?));
                }
                self.nodes[id].kind = NodeKind::Mapping(pairs);
                Ok(id)
            }
            _ => Err(Problem::syntax(mark, "the document ends too early")),
        }
    }

    fn add(&mut self, mark: Mark, anchor: Option<String>, kind: NodeKind) -> NodeId {
        let id = self.nodes.len();
        self.nodes.push(Node { mark, kind });
        if let Some(anchor) = anchor {
            self.anchors.insert(anchor, id);
        }
        id
    }
}
