//! A first look at a template's text, before the engine parses it: its tags, what they open and close, and
//! whether it is small enough. The engine's parser looks at the whole text for every tag, and what it gives
//! is nested as deep as the text; copying or dropping that would overflow the stack.
//!
//! So nothing may hide from this look what the engine then sees. Where both could differ about the end of a
//! tag (braces in quoted text, quotes in brackets), the tag is refused.

use super::error::{Fault, FaultAt};
use super::prepare::MAX_NESTING;
use super::scan::{Kind, Tag, tags};

/// Most bytes of a template.
const MAX_BYTES: usize = 256 << 10;
/// Most tags of a template.
const MAX_TAGS: usize = 5_000;
/// Deepest nesting of parentheses and brackets in a tag.
const MAX_BRACKETS: usize = 16;

/// Refuses a template that is too large to parse, or whose tags cannot be told apart.
pub(super) fn check(text: &str) -> Result<(), FaultAt> {
    if text.len() > MAX_BYTES {
        let message =
            format!("the template has {} bytes, at most {MAX_BYTES} are read; split it", text.len());
        return Err(Fault::limit(message).into());
    }
    // How many levels each open block is: the engine nests the branches of an else chain.
    let mut open: Vec<usize> = Vec::new();
    let mut depth = 0_usize;
    for (count, tag) in tags(text).enumerate() {
        let limit = |message: String| Err(Fault::limit(message).at(tag.line, tag.column));
        if count >= MAX_TAGS {
            return limit(format!("the template has more than {MAX_TAGS} tags; split it"));
        }
        if brackets(&tag)? > MAX_BRACKETS {
            return limit(format!("parentheses and brackets are nested more than {MAX_BRACKETS} deep"));
        }
        match tag.kind() {
            Kind::Open => {
                open.push(1);
                depth += 1;
            }
            Kind::Close => depth = depth.saturating_sub(open.pop().unwrap_or_default()),
            Kind::Branch => {
                if let Some(levels) = open.last_mut() {
                    *levels += 1;
                    depth += 1;
                }
            }
            Kind::Other => {}
        }
        if depth > MAX_NESTING {
            return limit(format!("blocks and else branches are nested more than {MAX_NESTING} deep"));
        }
    }
    Ok(())
}

/// The first block that is not closed, or closed by another name, told with the line where it was opened.
pub(super) fn unbalanced(text: &str) -> Option<FaultAt> {
    let mut open: Vec<Tag<'_>> = Vec::new();
    for tag in tags(text) {
        match tag.kind() {
            Kind::Open => open.push(tag),
            Kind::Close => {
                let name = tag.name();
                let message = match open.pop() {
                    Some(block) if block.name() == name => continue,
                    Some(block) => format!(
                        "{{{{/{name}}}}} closes `{}`, which line {} opened; write {{{{/{}}}}} first",
                        block.name(),
                        block.line,
                        block.name()
                    ),
                    None => format!("{{{{/{name}}}}} closes a block that is not open"),
                };
                return Some(Fault::invalid(message).at(tag.line, tag.column));
            }
            Kind::Branch | Kind::Other => {}
        }
    }
    let block = open.pop()?;
    let message = format!("the block `{}` is not closed; write {{{{/{}}}}}", block.name(), block.name());
    Some(Fault::invalid(message).at(block.line, block.column))
}

/// What is said of a tag that cannot be read.
pub(super) fn unreadable() -> Fault {
    Fault::invalid(
        "this tag cannot be read; are its braces, quotes and parentheses closed? Text with braces and lists of \
         text belong into a value",
    )
}

/// How deep parentheses and brackets are nested in a tag, all of which must be closed where it ends.
fn brackets(tag: &Tag<'_>) -> Result<usize, FaultAt> {
    let refused = || unreadable().at(tag.line, tag.column);
    let (mut open, mut deepest) = (Vec::new(), 0);
    let mut quote = None;
    let mut characters = tag.content.chars();
    while let Some(character) = characters.next() {
        match (quote, character) {
            (Some(_), '\\') => {
                characters.next();
            }
            (Some(end), _) if character == end => quote = None,
            (Some(_), _) => {}
            // Names in brackets may hold quotes as they are, lists in brackets hold quoted text.
            (None, '"' | '\'') if open.contains(&']') => return Err(refused()),
            (None, '"' | '\'') => quote = Some(character),
            (None, '(') => open.push(')'),
            (None, '[') => open.push(']'),
            (None, '{') => open.push('}'),
            (None, ')' | ']' | '}') if open.pop() != Some(character) => return Err(refused()),
            (None, _) => {}
        }
        deepest = deepest.max(open.len());
        // Nothing is gained by looking at the rest.
        if deepest > MAX_BRACKETS {
            return Ok(deepest);
        }
    }
    if quote.is_some() || !open.is_empty() || tag.content.contains("{{") {
        Err(refused())
    } else {
        Ok(deepest)
    }
}
