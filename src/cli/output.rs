//! How commands answer: the form of their data and their exit code.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::ValueEnum;

use super::text;

/// The form in which a command writes its data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Output {
    /// Aligned columns, for people.
    #[default]
    Table,
    /// JSON, for programs.
    Json,
    /// YAML, for files.
    Yaml,
}

/// How a command ended, as its exit code tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Code 0: everything is as it should be.
    Ok,
    /// Code 1: the command worked, and found a difference or something that is not ready.
    Differs,
    /// Code 2: the command did not work.
    Error,
    /// Code 3: what it waited for did not come in time.
    Timeout,
}

impl Exit {
    /// The exit code.
    pub fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Differs => 1,
            Self::Error => 2,
            Self::Timeout => 3,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// Rows under headers, in columns as wide as their widest cell.
#[derive(Clone, Debug)]
pub struct Table {
    headers: Vec<&'static str>,
    rows: Vec<Vec<String>>,
}

impl Table {
    /// Between two columns.
    const GAP: usize = 3;

    /// A table without rows.
    pub fn new(headers: &[&'static str]) -> Self {
        Self { headers: headers.to_vec(), rows: Vec::new() }
    }

    /// Adds a row. Cells beyond the headers are dropped, missing ones are blank, and what would break the
    /// line or reach the terminal as a command (line feeds, escapes) is written as a space.
    pub fn row(&mut self, cells: impl IntoIterator<Item = impl Into<String>>) {
        let mut row: Vec<String> =
            cells.into_iter().take(self.headers.len()).map(|cell| text::line(&cell.into())).collect();
        row.resize(self.headers.len(), String::new());
        self.rows.push(row);
    }

    /// Writes the headers, then the rows in the order they were added.
    ///
    /// # Errors
    /// Whatever `out` answers.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let headers: Vec<String> = self.headers.iter().map(|header| (*header).to_owned()).collect();
        let mut widths = vec![0; headers.len()];
        for row in std::iter::once(&headers).chain(&self.rows) {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(cell.chars().count());
            }
        }
        for row in std::iter::once(&headers).chain(&self.rows) {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                line.push_str(cell);
                line.extend(std::iter::repeat_n(' ', width - cell.chars().count() + Self::GAP));
            }
            writeln!(out, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_as_wide_as_their_widest_cell_and_lines_do_not_end_in_blanks() {
        let mut table = Table::new(&["KIND", "NAME", "STATUS"]);
        table.row(["Deployment", "shop/web", "Healthy"]);
        table.row(["Job", "shop/überall", ""]);
        let mut out = Vec::new();
        table.write(&mut out).unwrap();
        assert_eq!(
            String::from_utf8(out).unwrap(),
            "KIND         NAME           STATUS\n\
             Deployment   shop/web       Healthy\n\
             Job          shop/überall\n"
        );
    }

    #[test]
    fn a_cell_can_neither_break_the_line_nor_command_the_terminal() {
        let mut table = Table::new(&["A", "B"]);
        table.row(["x\ny\u{1b}[31m", "b", "beyond the headers"]);
        let mut out = Vec::new();
        table.write(&mut out).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), "A          B\nx y [31m   b\n");
    }

    #[test]
    fn exit_codes_are_those_that_scripts_rely_on() {
        assert_eq!([Exit::Ok, Exit::Differs, Exit::Error, Exit::Timeout].map(Exit::code), [0, 1, 2, 3]);
    }
}
