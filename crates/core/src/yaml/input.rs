//! What kubectl's reader does to a text before it is YAML.

use std::borrow::Cow;
use std::ops::Range;

use serde::de::IgnoredAny;

use super::{Mark, Problem};

/// Makes a text ready for the parser: no byte order mark, the last line ended, separators as YAML wants them,
/// and JSON's pairs of escapes for one character joined. Lines stay where they are.
///
/// # Errors
/// A separator that has text beside it, with the number of the document it would begin.
pub(super) fn prepare(text: &[u8]) -> Result<Cow<'_, [u8]>, (usize, Problem)> {
    // libyaml loses keys after a byte order mark.
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    let mut text = join_surrogates(text);
    // A `|` text on the last line has a line feed for kubectl, whether the file ends in one or not.
    if !text.ends_with(b"\n") {
        text.to_mut().push(b'\n');
    }
    for comment in separators(&text)? {
        if let Some(bytes) = text.to_mut().get_mut(comment) {
            bytes.fill(b' ');
        }
    }
    Ok(text)
}

/// Checks that no line begins with `---` and goes on with text, which YAML would take for a part of a key or of
/// the value above. Answers with the comments that stand right behind a separator's dashes:
/// kubectl takes `---#` for a separator, YAML does not.
fn separators(text: &[u8]) -> Result<Vec<Range<usize>>, (usize, Problem)> {
    let mut comments = Vec::new();
    let (mut offset, mut document, mut begun) = (0, 1, false);
    for (index, line) in text.split(|b| *b == b'\n').enumerate() {
        match line.strip_prefix(b"---") {
            Some(rest) => {
                document += usize::from(begun);
                begun = true;
                match rest.trim_ascii_start().first() {
                    Some(b'#') if rest.starts_with(b"#") => comments.push(offset + 3..offset + line.len()),
                    None | Some(b'#') => {}
                    Some(_) => {
                        let message = "a line that begins with --- separates documents and has nothing but a \
                                       comment beside it; put what follows on the next line, or indent the line";
                        let mark = Mark { line: index + 1, column: 4 };
                        return Err((document, Problem::syntax(mark, message)));
                    }
                }
            }
            None => begun |= !matches!(line.trim_ascii_start().first(), None | Some(b'#')),
        }
        offset += line.len() + 1;
    }
    Ok(comments)
}

/// JSON writes a character beyond U+FFFF as two escapes, which YAML refuses. Tools that write ASCII only
/// (dashboards, for example) do so; only what is JSON as a whole is touched, since elsewhere a backslash may
/// stand for itself.
fn join_surrogates(text: &[u8]) -> Cow<'_, [u8]> {
    let begins = text.iter().find(|b| !b.is_ascii_whitespace());
    let pairs = text.windows(3).any(|w| matches!(w, [b'\\', b'u', b'd' | b'D']));
    if !matches!(begins, Some(b'{' | b'[')) || !pairs || serde_json::from_slice::<IgnoredAny>(text).is_err() {
        return Cow::Borrowed(text);
    }
    let mut joined = Vec::with_capacity(text.len());
    let mut rest = text;
    loop {
        match rest {
            [] => return Cow::Owned(joined),
            [b'\\', b'u', ..] => {
                if let Some(character) = surrogate_pair(rest) {
                    joined.extend_from_slice(format!("\\U{:08X}", u32::from(character)).as_bytes());
                    rest = rest.get(12..).unwrap_or_default();
                    continue;
                }
                joined.extend_from_slice(b"\\u");
                rest = rest.get(2..).unwrap_or_default();
            }
            // Taken together, so that the second of two backslashes begins nothing.
            [b'\\', next, tail @ ..] => {
                joined.extend_from_slice(&[b'\\', *next]);
                rest = tail;
            }
            [byte, tail @ ..] => {
                joined.push(*byte);
                rest = tail;
            }
        }
    }
}

fn surrogate_pair(text: &[u8]) -> Option<char> {
    let unit = |at: usize| {
        let escape = std::str::from_utf8(text.get(at..at + 6)?).ok()?;
        u16::from_str_radix(escape.strip_prefix("\\u")?, 16).ok()
    };
    char::decode_utf16([unit(0)?, unit(6)?]).next()?.ok().filter(|c| u32::from(*c) > 0xFFFF)
}
