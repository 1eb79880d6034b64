//! `windlass install`

mod objects;
#[cfg(test)]
mod tests;

use clap::{ArgAction, Args, ValueEnum};
use serde_json::json;
use windlass_core::yaml;

pub use objects::objects;

use super::output::Exit;
use super::text;

/// Print the objects that install Windlass in a cluster; the Helm chart renders the same.
///
///   windlass install | kubectl apply --server-side -f -
#[derive(Args, Clone, Debug)]
pub struct Install {
    /// Namespace of Windlass
    #[arg(short, long, default_value = "windlass-system", value_parser = name)]
    pub namespace: String,

    /// Name of this install; two installs in one cluster need two names
    #[arg(long, default_value = "windlass", value_parser = name)]
    pub instance: String,

    /// Whether to print the CustomResourceDefinitions too
    #[arg(long, default_value_t = true, action = ArgAction::Set)]
    pub crds: bool,

    /// Image of the controller
    #[arg(long, default_value = concat!("windlass:", env!("CARGO_PKG_VERSION")))]
    pub image: String,

    /// Own only the Applications of this namespace (repeatable; default: of all namespaces)
    #[arg(long = "watch-namespace", value_parser = name)]
    pub watch_namespaces: Vec<String>,

    /// Form of the answer
    #[arg(short, long, value_enum, default_value_t)]
    pub output: Format,
}

/// The forms in which manifests are written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// A YAML stream.
    #[default]
    Yaml,
    /// One JSON object of kind List.
    Json,
}

impl Install {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        let objects = objects(&self)?;
        let printed = match self.output {
            Format::Json => format!("{:#}\n", json!({"apiVersion": "v1", "kind": "List", "items": objects})),
            Format::Yaml => {
                let mut stream = String::new();
                for object in &objects {
                    stream.push_str("---\n");
                    stream.push_str(&yaml::write(object));
                }
                stream
            }
        };
        text::print(&printed)?;
        Ok(Exit::Ok)
    }
}

/// Reads a name that every object of the install can carry (RFC 1123 label, room for a suffix).
fn name(text: &str) -> Result<String, String> {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if !text.is_empty()
        && text.len() <= 50
        && text.chars().all(inner)
        && !text.starts_with('-')
        && !text.ends_with('-')
    {
        Ok(text.to_owned())
    } else {
        Err("use 1 to 50 lower-case letters, digits and dashes, with no dash at either end".to_owned())
    }
}
