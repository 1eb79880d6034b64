//! What the probes ask: whether the controller serves, and whether its loops still move.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::sleep;

use crate::cluster::clock::Pulse;

/// How often a loop that waits shows that it is alive.
const BEAT: Duration = Duration::from_secs(5);
/// A loop that is silent for longer hangs.
const HANGS: Duration = Duration::from_secs(60);
/// An API server that does not answer for longer is gone.
const GONE: Duration = Duration::from_secs(20);

/// How far a controller is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Another controller leads; it would take over at once.
    StandingBy,
    /// It leads and learns what there is.
    Restoring,
    /// It works.
    Leading,
    /// It was asked to end.
    Ending,
}

/// Signs of life.
pub struct Vitals {
    stage: Mutex<Stage>,
    /// Answers of the API server to what is asked regularly.
    pub api_server: Pulse,
    /// Loops that must move as long as the process lives.
    loops: Mutex<Vec<(&'static str, Pulse)>>,
}

impl Default for Vitals {
    fn default() -> Self {
        Self { stage: Mutex::new(Stage::StandingBy), api_server: Pulse::default(), loops: Mutex::default() }
    }
}

impl Vitals {
    /// The next stage begins.
    pub fn enter(&self, stage: Stage) {
        *self.stage.lock().unwrap_or_else(PoisonError::into_inner) = stage;
    }

    /// Whether it serves.
    ///
    /// # Errors
    /// Why not.
    pub fn ready(&self) -> Result<(), String> {
        let silence = self.api_server.silence();
        match *self.stage.lock().unwrap_or_else(PoisonError::into_inner) {
            Stage::Restoring => Err("it does not know yet what is in the cluster".into()),
            Stage::Ending => Err("it ends".into()),
            Stage::StandingBy | Stage::Leading if silence > GONE => {
                Err(format!("the API server has not answered for {} s", silence.as_secs()))
            }
            Stage::StandingBy | Stage::Leading => Ok(()),
        }
    }

    /// Whether all loops move.
    ///
    /// # Errors
    /// Which one does not.
    pub fn alive(&self) -> Result<(), String> {
        let loops = self.loops.lock().unwrap_or_else(PoisonError::into_inner);
        match loops.iter().find(|(_, pulse)| pulse.silence() > HANGS) {
            Some((name, pulse)) => Err(format!("{name} has not moved for {} s", pulse.silence().as_secs())),
            None => Ok(()),
        }
    }

    /// Runs a loop that must move; a wait in it counts as moving, a thread that is stuck does not.
    pub async fn watched<T>(&self, name: &'static str, work: impl Future<Output = T>) -> T {
        let pulse = Pulse::default();
        self.loops.lock().unwrap_or_else(PoisonError::into_inner).push((name, pulse.clone()));
        let mut work = std::pin::pin!(work);
        loop {
            tokio::select! {
                out = &mut work => return out,
                () = sleep(BEAT) => pulse.beat(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_is_who_leads_or_would_take_over() {
        let vitals = Vitals::default();
        assert_eq!(vitals.ready(), Ok(()));
        for (stage, ready) in [(Stage::Restoring, false), (Stage::Leading, true), (Stage::Ending, false)] {
            vitals.enter(stage);
            assert_eq!(vitals.ready().is_ok(), ready, "{stage:?}");
        }
    }

    #[test]
    fn silence_is_told() {
        let vitals = Vitals { api_server: Pulse::silent_for(GONE * 2), ..Vitals::default() };
        assert!(vitals.ready().unwrap_err().contains("40 s"));
        vitals.api_server.beat();
        assert_eq!(vitals.ready(), Ok(()));
        assert_eq!(vitals.alive(), Ok(()));
        vitals.loops.lock().unwrap().push(("the dispatcher", Pulse::silent_for(HANGS * 2)));
        assert!(vitals.alive().unwrap_err().contains("the dispatcher"));
    }
}
