//! Text for terminals: what strangers wrote is made harmless, colours only where they are wanted.

use std::fmt;
use std::io::{self, IsTerminal, Write};

/// `text` in one line that cannot command the terminal: control characters become spaces.
pub fn line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// As [`line()`], but line feeds and tabs stay.
pub fn lines(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && c != '\n' && c != '\t' { ' ' } else { c }).collect()
}

/// At most `width` characters of [`line()`], the cut marked with `…`.
pub fn cut(text: &str, width: usize) -> String {
    let text = line(text);
    if text.chars().count() <= width {
        return text;
    }
    let mut cut: String = text.chars().take(width.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

/// Writes data to standard output.
///
/// # Errors
/// What the operating system answers; [`is_broken_pipe`] knows the harmless one.
pub fn print(data: &str) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(data.as_bytes())?;
    out.flush()
}

/// Tells a person how things go, on standard error.
pub fn progress(message: impl fmt::Display) {
    // A closed standard error leaves nobody to tell.
    let _ = writeln!(io::stderr(), "{}", line(&message.to_string()));
}

/// Whether an error says that the reader of our output went away.
pub fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|io| io.kind() == io::ErrorKind::BrokenPipe)
}

/// An error and its causes as one sentence, without saying anything twice.
pub fn sentence(error: &anyhow::Error) -> String {
    let mut sentence = String::new();
    for cause in error.chain().map(ToString::to_string) {
        if sentence.is_empty() {
            sentence = cause;
        } else if !sentence.contains(&cause) {
            sentence.push_str(": ");
            sentence.push_str(&cause);
        }
    }
    sentence
}

/// Colours that a terminal shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colour {
    /// Good, or added.
    Green,
    /// Bad, or removed.
    Red,
    /// On its way.
    Yellow,
    /// Where something is.
    Cyan,
    /// Headings.
    Bold,
}

/// Whether and how text is coloured.
#[derive(Clone, Copy, Debug)]
pub struct Palette {
    on: bool,
}

impl Palette {
    /// Colours where standard output is a terminal and neither `NO_COLOR` nor `TERM=dumb` asks for none
    /// (<https://no-color.org>).
    pub fn detect() -> Self {
        let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty())
            || std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        Self { on: !unwanted && io::stdout().is_terminal() }
    }

    /// Never any colour.
    pub fn plain() -> Self {
        Self { on: false }
    }

    /// `text` in a colour.
    pub fn paint(self, colour: Colour, text: &str) -> String {
        if !self.on {
            return text.to_owned();
        }
        let code = match colour {
            Colour::Green => 32,
            Colour::Red => 31,
            Colour::Yellow => 33,
            Colour::Cyan => 36,
            Colour::Bold => 1,
        };
        format!("\u{1b}[{code}m{text}\u{1b}[0m")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_strangers_wrote_cannot_command_the_terminal() {
        assert_eq!(line("a\n\u{1b}[31mb\u{9b}c"), "a  [31mb c");
        assert_eq!(lines("a\n\tb\r\u{7}"), "a\n\tb  ");
        assert_eq!(cut("äöü\nxyz", 5), "äöü …");
    }

    #[test]
    fn causes_join_to_one_sentence_without_repeating() {
        let error =
            anyhow::anyhow!("no such file").context("cannot read a.yaml: no such file").context("build");
        assert_eq!(sentence(&error), "build: cannot read a.yaml: no such file");
    }

    #[test]
    fn a_reader_that_went_away_is_known_through_all_layers() {
        let broken = anyhow::Error::from(io::Error::from(io::ErrorKind::BrokenPipe)).context("writing");
        assert!(is_broken_pipe(&broken));
        assert!(!is_broken_pipe(&anyhow::anyhow!("broken pipe")));
    }

    #[test]
    fn plain_text_has_no_colour() {
        assert_eq!(Palette::plain().paint(Colour::Red, "x"), "x");
        assert_eq!(Palette { on: true }.paint(Colour::Red, "x"), "\u{1b}[31mx\u{1b}[0m");
    }
}
