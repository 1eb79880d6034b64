//! `windlass refresh APP`

use clap::Args;
use windlass_core::api::Action;

use super::connection::ConnectionArgs;
use super::get::waiting_for;
use super::output::Exit;
use super::request::{Patience, ask};
use super::watching::Look;

/// Ask the controller to look at the sources now.
#[derive(Args, Debug)]
pub struct Refresh {
    /// The Application
    name: String,
    #[command(flatten)]
    patience: Patience,
    #[command(flatten)]
    connection: ConnectionArgs,
}

impl Refresh {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let connection = self.connection.connect().await?;
        ask(&connection, &self.name, Action::Refresh.into(), &self.patience, |application| {
            Look::Done(format!("looked; {}", waiting_for(application)))
        })
        .await
    }
}
