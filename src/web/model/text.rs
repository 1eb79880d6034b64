use std::fmt::Write;

/// Shown length of a commit id.
const SHORT_COMMIT: usize = 8;

/// `text` with everything made visible that could make a reader see something else than is there:
/// control characters as their pictures, and characters that are invisible or reorder the text
/// (Unicode TR 36 and TR 39) as `⟨U+202E⟩`. Line breaks stay.
pub fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => shown.push('\n'),
            '\t' => shown.push(' '),
            '\u{7f}' => shown.push('␡'),
            '\0'..='\u{1f}' => shown.push(char::from_u32(0x2400 + u32::from(c)).unwrap_or('␦')),
            c if is_deceptive(c) => {
                let _ = write!(shown, "⟨U+{:04X}⟩", u32::from(c));
            }
            c => shown.push(c),
        }
    }
    shown
}

/// As [`visible`], with line breaks as their picture: for names, which have no lines.
pub fn visible_line(text: &str) -> String {
    visible(text).replace('\n', "␊")
}

fn is_deceptive(c: char) -> bool {
    matches!(c,
        '\u{80}'..='\u{9f}'
        | '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}' | '\u{180e}'
        | '\u{200b}' | '\u{200e}' | '\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e0fff}')
}

/// The revisions that a release was rendered from.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Revision {
    /// With commit ids cut to 8 digits: `main@3f2a9c10`.
    pub short: String,
    /// As the status has it.
    pub full: String,
}

impl Revision {
    /// Of a status's text; both parts are empty where there is none.
    pub fn new(revision: &str) -> Self {
        let full = visible_line(revision);
        let mut short = String::with_capacity(full.len());
        let mut run = String::new();
        for c in full.chars() {
            if c.is_ascii_hexdigit() {
                run.push(c);
            } else {
                push_commit(&mut short, &run);
                run.clear();
                short.push(c);
            }
        }
        push_commit(&mut short, &run);
        Self { short: short.replace(',', ", "), full }
    }
}

/// A run of hexadecimal digits is a commit id where it has the length of one (SHA-1 or SHA-256).
fn push_commit(text: &mut String, run: &str) {
    let commit = matches!(run.len(), 40 | 64);
    text.push_str(if commit { run.get(..SHORT_COMMIT).unwrap_or(run) } else { run });
}
