//! Between plan and begin: heals that somebody keeps undoing come ever more rarely, and people are told.

use std::time::Duration;

use tokio::time::Instant;
use windlass_core::plan::{Pace, Verb};

use super::Scope;
use super::plan::Planned;
use crate::controller::context::Memory;
use crate::failure::Failure;

/// Takes heals out of the plan that come too soon after the last one of the same object.
pub fn paced(scope: &Scope<'_>, memory: &mut Memory, mut planned: Planned) -> Planned {
    let now = now(memory);
    let mut later = vec![planned.heal_later];
    for tier in &mut planned.plan.applies {
        tier.retain(|action| {
            if !matches!(action.verb, Verb::Heal | Verb::Restore) {
                return true;
            }
            let observed = scope.ctx.world.observed(&action.id);
            let foreign = observed.iter().flat_map(|observed| observed.managers.foreign.iter());
            match memory.heals.entry(action.id.clone()).or_default().due(now, foreign) {
                Pace::Now => true,
                Pace::Later(pause) => {
                    later.push(Some(pause));
                    false
                }
            }
        });
    }
    planned.plan.applies.retain(|tier| !tier.is_empty());
    memory.heals.retain(|_, heals| heals.rest(now).is_some());
    let fights = memory.heals.iter().filter_map(|(id, heals)| {
        // The end of a fight is told too.
        Some((heals.contention(id, now)?, heals.rest(now)))
    });
    let (mut told, ends): (Vec<_>, Vec<_>) = fights.unzip();
    told.sort();
    later.extend(ends.into_iter().map(|end| end.map(|end| end + Duration::from_millis(100))));
    memory.contended = (!told.is_empty()).then(|| Failure::transient("Contended", told.join("; ")));
    planned.heal_later = later.into_iter().flatten().min();
    planned
}

/// The time since this controller first looked at the Application.
fn now(memory: &mut Memory) -> Duration {
    memory.known_since.get_or_insert_with(Instant::now).elapsed()
}
