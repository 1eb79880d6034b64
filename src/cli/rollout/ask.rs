use clap::Args;
use windlass_core::api::{Action, Application};
use windlass_core::rollout::{Standing, short, standing};

use super::super::connection::ConnectionArgs;
use super::super::get::waiting_for;
use super::super::output::Exit;
use super::super::request::{Patience, Wish, ask};
use super::super::watching::Look;

/// Whose rollout.
#[derive(Args, Debug)]
struct Whose {
    /// The Application
    name: String,
    /// The workload, where the Application has more than one with a RolloutPolicy (default: all of them)
    #[arg(long)]
    target: Option<String>,
    #[command(flatten)]
    patience: Patience,
    #[command(flatten)]
    connection: ConnectionArgs,
}

/// Let a rollout go on with its next step now, whatever is left of this one.
#[derive(Args, Debug)]
pub struct Promote {
    /// Go on to the end, without any further step
    #[arg(long)]
    full: bool,
    #[command(flatten)]
    whose: Whose,
}

macro_rules! asks {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {$(
        $(#[$doc])*
        #[derive(Args, Debug)]
        pub struct $name {
            #[command(flatten)]
            whose: Whose,
        }

        impl $name {
            pub(super) async fn run(self) -> anyhow::Result<Exit> {
                self.whose.ask(Action::$name).await
            }
        }
    )*};
}

asks! {
    /// Hold a rollout where it is. Gates that fail still undo it.
    Pause,
    /// Let a rollout go on after a pause.
    Resume,
    /// Let the present step of a rollout go on that waits for approval.
    Approve,
    /// Stop a rollout: the stable pods get all traffic back, and the release is undone as a whole.
    Abort,
    /// Try a rollout again that failed, and the release with it.
    Retry,
}

impl Promote {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        self.whose.ask(if self.full { Action::PromoteFull } else { Action::Promote }).await
    }
}

impl Whose {
    async fn ask(self, action: Action) -> anyhow::Result<Exit> {
        let connection = self.connection.connect().await?;
        let target = self.target.clone();
        let wish = Wish { target: self.target, ..action.into() };
        ask(&connection, &self.name, wish, &self.patience, |application| {
            Look::Done(outcome(application, action, target.as_deref()))
        })
        .await
    }
}

/// What came of a request that was carried out, in one line.
pub(super) fn outcome(application: &Application, action: Action, target: Option<&str>) -> String {
    let what = match action {
        Action::Approve => "approved",
        Action::Promote => "goes on with the next step",
        Action::PromoteFull => "goes on to its end",
        Action::Pause => "paused",
        Action::Resume => "goes on",
        Action::Abort => "aborted",
        _ => "tried again",
    };
    let targets = application.status.iter().flat_map(|status| &status.targets);
    let meant = targets.filter(|state| target.is_none_or(|name| state.name == name));
    let stand = |state: &windlass_core::api::TargetStatus| match standing(state, None) {
        Standing::Idle => format!("{}: nothing is rolled out", state.name),
        _ => format!("{}: {}", state.name, short(state)),
    };
    let stands: Vec<_> = meant.map(stand).collect();
    match stands.is_empty() {
        true => format!("{what}: {}", waiting_for(application)),
        false => format!("{what}: {}", stands.join("; ")),
    }
}
