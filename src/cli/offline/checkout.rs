use std::convert::Infallible;
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

/// Where a repository is checked out: `DIRECTORY` for all sources, or `SOURCE=DIRECTORY` for one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root {
    /// The source; `None` for those that have no root of their own.
    pub source: Option<String>,
    /// The root of the checkout.
    pub directory: PathBuf,
}

impl FromStr for Root {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        let is_name = |name: &str| {
            !name.is_empty() && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
        };
        Ok(match text.split_once('=') {
            Some((source, directory)) if is_name(source) => {
                Self { source: Some(source.to_owned()), directory: directory.into() }
            }
            _ => Self { source: None, directory: text.into() },
        })
    }
}

impl fmt::Display for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(source) = &self.source {
            write!(f, "{source}=")?;
        }
        write!(f, "{}", self.directory.display())
    }
}

/// The root of the working tree that `path` (absolute) is in; `.git` is a file in linked working trees.
pub fn toplevel(path: &Path) -> Option<PathBuf> {
    path.ancestors().find(|directory| directory.join(".git").exists()).map(Path::to_owned)
}
