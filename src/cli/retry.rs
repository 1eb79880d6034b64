//! `windlass retry APP`

use clap::Args;
use windlass_core::api::Action;

use super::connection::ConnectionArgs;
use super::output::Exit;
use super::request::{Patience, ask};
use super::wait::trial;

/// Take what failed or is quarantined out of quarantine and try it again, and wait until the Application is
/// ready.
#[derive(Args, Debug)]
pub struct Retry {
    /// The Application
    name: String,
    #[command(flatten)]
    patience: Patience,
    #[command(flatten)]
    connection: ConnectionArgs,
}

impl Retry {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let connection = self.connection.connect().await?;
        ask(&connection, &self.name, Action::Retry.into(), &self.patience, trial).await
    }
}
