use super::decide::{Action, Verb};
use crate::fields::{Managers, value};
use crate::object::{Object, ObjectId};

/// Most objects that are named of each kind of action.
const NAMED: usize = 5;
/// Most fields that are named of one object.
const FIELDS: usize = 3;

/// Who changed fields that `desired` sets, and which, by what the server says of a live object:
/// `/data/key by kubectl-patch`. Nothing where the server does not say.
pub fn changed_by(desired: &Object, live: &Managers) -> Option<String> {
    let ours = live.foreign.iter().filter(|foreign| value(desired.body(), &foreign.path).is_some());
    let mut told: Vec<(&str, Vec<String>)> = Vec::new();
    for foreign in ours {
        let path = foreign.path.to_string();
        match told.iter_mut().find(|(manager, _)| *manager == &*foreign.manager) {
            Some((_, paths)) => paths.push(path),
            None => told.push((&foreign.manager, vec![path])),
        }
    }
    let told: Vec<_> = told
        .into_iter()
        .map(|(manager, paths)| format!("{} by {manager}", names(paths.into_iter(), FIELDS)))
        .collect();
    (!told.is_empty()).then(|| told.join(", ").chars().take(200).collect())
}

/// What was done, with the names of what was healed, restored or pruned and, as far as it is known, who made
/// it necessary: `2 created, 1 healed (ConfigMap shop/web: /data/key by kubectl-patch), 1 pruned (Service shop/old)`.
pub fn tell_done(done: &[Action], changed_by: &dyn Fn(&ObjectId) -> Option<String>) -> String {
    let parts = [
        (Verb::Create, "created", false),
        (Verb::Update, "updated", false),
        (Verb::Heal, "healed", true),
        (Verb::Restore, "restored", true),
        (Verb::Prune, "pruned", true),
    ];
    let told: Vec<_> = parts
        .into_iter()
        .filter_map(|(verb, word, named)| {
            let mut ids: Vec<_> = done.iter().filter(|action| action.verb == verb).map(|a| &a.id).collect();
            ids.sort();
            let with_cause = |id: &&ObjectId| match changed_by(id) {
                Some(who) if verb == Verb::Heal => format!("{id}: {who}"),
                _ => id.to_string(),
            };
            match (ids.len(), named) {
                (0, _) => None,
                (count, false) => Some(format!("{count} {word}")),
                (count, true) => {
                    Some(format!("{count} {word} ({})", names(ids.iter().map(with_cause), NAMED)))
                }
            }
        })
        .collect();
    if told.is_empty() { "nothing to change".into() } else { told.join(", ") }
}

fn names(all: impl ExactSizeIterator<Item = String>, most: usize) -> String {
    let more = all.len().saturating_sub(most);
    let named: Vec<_> = all.take(most).collect();
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", named.join(", "))
}
