//! The tags in the text of a template, as the engine's grammar finds them.

/// A `{{…}}` in the text.
pub(super) struct Tag<'a> {
    /// What stands between the braces, without `~` and spaces around it.
    pub(super) content: &'a str,
    /// Line of its first brace, from 1.
    pub(super) line: usize,
    /// Column of its first brace in characters, from 1.
    pub(super) column: usize,
}

/// What a tag does to the nesting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Begins a block.
    Open,
    /// Ends one.
    Close,
    /// `{{else if …}}`: another block in the else part of the one before.
    Branch,
    /// Nothing.
    Other,
}

impl<'a> Tag<'a> {
    /// What it does to the nesting.
    pub(super) fn kind(&self) -> Kind {
        let chained = self.content.strip_prefix("else").or_else(|| self.content.strip_prefix('^'));
        match self.content.chars().next() {
            Some('#') => Kind::Open,
            Some('/') => Kind::Close,
            _ if chained.is_some_and(|rest| !rest.is_empty()) => Kind::Branch,
            _ => Kind::Other,
        }
    }

    /// The block that it begins or ends.
    pub(super) fn name(&self) -> &'a str {
        let name = self.content.trim_start_matches(|c: char| matches!(c, '#' | '/' | '>' | '*') || blank(c));
        name.split(blank).next().unwrap_or_default()
    }
}

/// The tags of a text, without comments and without what stands in raw blocks.
pub(super) fn tags(text: &str) -> impl Iterator<Item = Tag<'_>> {
    let mut scan = Scan { text, at: 0, raw: false, line: 1, line_start: 0 };
    std::iter::from_fn(move || scan.next())
}

struct Scan<'a> {
    text: &'a str,
    at: usize,
    /// Whether the text at `at` is that of a raw block.
    raw: bool,
    line: usize,
    line_start: usize,
}

impl<'a> Scan<'a> {
    fn next(&mut self) -> Option<Tag<'a>> {
        loop {
            let opening = if self.raw { "{{{{" } else { "{{" };
            let start = self.at + self.text.get(self.at..)?.find(opening)?;
            let before = self.text.get(self.at..start)?;
            // One backslash makes text of two or four braces, several stand for themselves.
            if before.ends_with('\\') && !before.ends_with("\\\\") {
                let four = self.text.get(start..)?.starts_with("{{{{");
                self.at = start + if four { 4 } else { 2 };
                continue;
            }
            self.advance(start);
            let (line, column) = (self.line, self.column(start));
            let inner = self.text.get(start + 2..)?;
            let is_raw = inner.starts_with("{{");
            let (skip, close) = if is_raw { (2, "}}}}") } else { (0, "}}") };
            let inner = inner.get(skip..)?;
            if !is_raw && inner.starts_with('!') {
                let long = inner.trim_start_matches('!').trim_start_matches(blank).starts_with("--");
                let end = if long { inner.find("--}}").map(|end| end + 4) } else { None };
                self.at = start + 2 + end.or_else(|| Some(inner.find("}}")? + 2))?;
                continue;
            }
            let length = inner.find(close).unwrap_or(inner.len());
            let content = inner.get(..length)?;
            self.at = (start + 2 + skip + length + close.len()).min(self.text.len());
            let content = content.trim_matches(|c| c == '~' || blank(c));
            // `{{{name}}}`
            let html = content.strip_prefix('{').filter(|_| !is_raw);
            let content = html.map_or(content, |content| content.strip_suffix('}').unwrap_or(content));
            if html.is_some() && self.text.get(self.at..).is_some_and(|rest| rest.starts_with('}')) {
                self.at += 1;
            }
            let ends_raw = is_raw && content.starts_with('/');
            self.raw = is_raw && !ends_raw;
            if !ends_raw {
                return Some(Tag { content, line, column });
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

/// White space of the engine's grammar.
fn blank(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\n' | '\r')
}
