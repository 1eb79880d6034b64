//! `windlass version`

use clap::Args;
use serde_json::json;
use windlass_core::yaml;

use super::output::{Exit, Output};
use super::text;

/// Print the version.
#[derive(Args, Debug)]
pub struct Version {
    /// Form of the answer.
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
}

impl Version {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        let version = json!({
            "version": env!("CARGO_PKG_VERSION"),
            "os": std::env::consts::OS,
            "arch": std::env::consts::ARCH,
        });
        text::print(&match self.output {
            Output::Table => format!("windlass {}\n", env!("CARGO_PKG_VERSION")),
            Output::Json => format!("{version:#}\n"),
            Output::Yaml => yaml::write(&version),
        })?;
        Ok(Exit::Ok)
    }
}
