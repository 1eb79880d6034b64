//! A first look at a template's text, before the engine parses it: its tags, what they open and close, and
//! whether it is small enough. The engine's parser recurses and looks at the whole text for every tag.

use super::error::{Fault, FaultAt};
use super::prepare::MAX_NESTING;

/// Most bytes of a template.
const MAX_BYTES: usize = 256 << 10;
/// Most tags of a template.
const MAX_TAGS: usize = 5_000;
/// Deepest nesting of parentheses and brackets in a tag.
const MAX_BRACKETS: usize = 16;

/// A `{{…}}` in the text.
struct Tag<'a> {
    /// What stands between the braces, without `~`.
    content: &'a str,
    line: usize,
    column: usize,
}

/// A block that was opened.
struct Block<'a> {
    name: &'a str,
    line: usize,
    column: usize,
}

/// Refuses a template that is too large to parse.
pub(super) fn check_bounds(text: &str) -> Result<(), FaultAt> {
    if text.len() > MAX_BYTES {
        let message =
            format!("the template has {} bytes, at most {MAX_BYTES} are read; split it", text.len());
        return Err(Fault::limit(message).into());
    }
    let mut open = 0_usize;
    for (count, tag) in tags(text).enumerate() {
        let bad = |message: String| Err(Fault::limit(message).at(tag.line, tag.column));
        if count >= MAX_TAGS {
            return bad(format!("the template has more than {MAX_TAGS} tags; split it"));
        }
        match tag.content.chars().next() {
            Some('#' | '^') => open += 1,
            Some('/') => open = open.saturating_sub(1),
            _ => {}
        }
        if open > MAX_NESTING {
            return bad(format!("blocks are nested more than {MAX_NESTING} deep"));
        }
        if brackets(tag.content) > MAX_BRACKETS {
            return bad(format!("parentheses and brackets are nested more than {MAX_BRACKETS} deep"));
        }
    }
    Ok(())
}

/// The first block that is not closed, or closed by another name, told with the line where it was opened.
pub(super) fn unbalanced(text: &str) -> Option<FaultAt> {
    let mut open: Vec<Block<'_>> = Vec::new();
    for tag in tags(text) {
        match tag.content.chars().next() {
            Some('#' | '^') => {
                let name = first_word(tag.content.trim_start_matches(['#', '^', '>', '*']));
                if !name.is_empty() {
                    open.push(Block { name, line: tag.line, column: tag.column });
                }
            }
            Some('/') => {
                let name = first_word(tag.content.trim_start_matches('/'));
                match open.pop() {
                    Some(block) if block.name == name => {}
                    Some(block) => {
                        let message = format!(
                            "{{{{/{name}}}}} closes `{}`, which line {} opened; write {{{{/{}}}}} first",
                            block.name, block.line, block.name
                        );
                        return Some(Fault::invalid(message).at(tag.line, tag.column));
                    }
                    None => {
                        let message = format!("{{{{/{name}}}}} closes a block that is not open");
                        return Some(Fault::invalid(message).at(tag.line, tag.column));
                    }
                }
            }
            _ => {}
        }
    }
    let block = open.pop()?;
    let message = format!("the block `{}` is not closed; write {{{{/{}}}}}", block.name, block.name);
    Some(Fault::invalid(message).at(block.line, block.column))
}

fn first_word(text: &str) -> &str {
    text.split_whitespace().next().unwrap_or_default()
}

fn brackets(content: &str) -> usize {
    let (mut open, mut deepest) = (0_usize, 0);
    for character in content.chars() {
        match character {
            '(' | '[' | '{' => open += 1,
            ')' | ']' | '}' => open = open.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(open);
    }
    deepest
}

/// The tags of a text, without comments.
fn tags(text: &str) -> impl Iterator<Item = Tag<'_>> {
    let mut scan = Scan { text, at: 0, line: 1, line_start: 0 };
    std::iter::from_fn(move || scan.next())
}

struct Scan<'a> {
    text: &'a str,
    at: usize,
    line: usize,
    line_start: usize,
}

impl<'a> Scan<'a> {
    fn next(&mut self) -> Option<Tag<'a>> {
        loop {
            let rest = self.text.get(self.at..)?;
            let start = self.at + rest.find("{{")?;
            let escaped = self.text.get(..start).is_some_and(|before| before.ends_with('\\'));
            let inner = self.text.get(start + 2..)?;
            let (length, close) =
                if inner.starts_with("!--") { (inner.find("--}}"), 4) } else { (inner.find("}}"), 2) };
            let content = inner.get(..length.unwrap_or(inner.len()))?;
            self.advance(start);
            let (line, column) = (self.line, self.column(start));
            if escaped {
                self.at = start + 2;
                continue;
            }
            self.at = length.map_or(self.text.len(), |length| start + 2 + length + close);
            if !content.starts_with('!') {
                return Some(Tag { content: content.trim_matches('~').trim(), line, column });
            }
        }
    }

    /// Counts the lines up to `position`.
    fn advance(&mut self, position: usize) {
        let from = self.line_start;
        for (offset, _) in self.text.get(from..position).unwrap_or_default().match_indices('\n') {
            self.line += 1;
            self.line_start = from + offset + 1;
        }
    }

    fn column(&self, position: usize) -> usize {
        self.text.get(self.line_start..position).map_or(1, |before| before.chars().count() + 1)
    }
}
