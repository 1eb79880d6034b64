//! Which partials include which. The engine would follow a circle until the stack overflows, which ends the
//! process.

use std::collections::BTreeMap;

use super::error::Fault;
use super::prepare::MAX_NESTING;
use crate::failure::Failure;

/// A template or partial and what it includes.
pub(super) struct Node {
    /// Its name in the engine.
    pub(super) name: String,
    /// Its file.
    pub(super) file: String,
    /// What it includes, in the order of the text.
    pub(super) includes: Vec<Include>,
}

/// One `{{> name}}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Include {
    /// The partial.
    pub(super) name: String,
    /// Line of the tag.
    pub(super) line: usize,
    /// How many blocks are around it.
    pub(super) depth: usize,
}

/// Refuses partials that include each other, and chains of them that are too deep.
pub(super) fn check(nodes: &[Node]) -> Result<(), Failure> {
    let by_name = nodes.iter().map(|node| (node.name.as_str(), node)).collect();
    let mut check = Check { by_name, depths: BTreeMap::new(), trail: Vec::new() };
    for node in nodes {
        let depth = check.depth(node)?;
        if depth > MAX_NESTING {
            let message =
                format!("blocks and partials are nested {depth} deep, at most {MAX_NESTING} are rendered");
            return Err(super::error::FaultAt::from(Fault::limit(message)).in_file(&node.file));
        }
    }
    Ok(())
}

struct Check<'a> {
    by_name: BTreeMap<&'a str, &'a Node>,
    depths: BTreeMap<&'a str, usize>,
    /// The partials from the first to the one that is looked at, each with its include of the next.
    trail: Vec<(&'a Node, &'a Include)>,
}

impl<'a> Check<'a> {
    /// How deep the partials of a template are nested. Recurses at most once for each partial, whose number
    /// is bounded.
    fn depth(&mut self, node: &'a Node) -> Result<usize, Failure> {
        if let Some(depth) = self.depths.get(node.name.as_str()) {
            return Ok(*depth);
        }
        if let Some(start) = self.trail.iter().position(|(seen, _)| seen.name == node.name) {
            return Err(circle(self.trail.get(start..).unwrap_or_default()));
        }
        let mut deepest = 0;
        for include in &node.includes {
            let Some(partial) = self.by_name.get(include.name.as_str()).copied() else { continue };
            self.trail.push((node, include));
            deepest = deepest.max(include.depth + 1 + self.depth(partial)?);
            self.trail.pop();
        }
        self.depths.insert(&node.name, deepest);
        Ok(deepest)
    }
}

fn circle(trail: &[(&Node, &Include)]) -> Failure {
    let steps: Vec<_> = trail
        .iter()
        .map(|(node, include)| format!("{}:{} includes {}", node.file, include.line, include.name))
        .collect();
    let message = format!("partials include each other without end: {}", steps.join(", "));
    Failure::permanent("TemplateCycle", message)
}
