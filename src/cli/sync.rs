//! `windlass sync APP`

use clap::Args;
use windlass_core::api::Action;

use super::connection::ConnectionArgs;
use super::output::Exit;
use super::request::{Patience, Wish, ask};
use super::wait::trial;

/// Ask the controller to look at the sources and apply them, even where the sync mode is Manual, and wait
/// until the Application is ready.
#[derive(Args, Debug)]
pub struct Sync {
    /// The Application
    name: String,
    /// Let this revision prune more than the Application's limit
    #[arg(long, value_name = "REVISION")]
    allow_prune: Option<String>,
    #[command(flatten)]
    patience: Patience,
    #[command(flatten)]
    connection: ConnectionArgs,
}

impl Sync {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let connection = self.connection.connect().await?;
        let action = if self.allow_prune.is_some() { Action::AllowPrune } else { Action::Sync };
        let wish = Wish { revision: self.allow_prune, ..action.into() };
        ask(&connection, &self.name, wish, &self.patience, trial).await
    }
}
