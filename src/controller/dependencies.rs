//! Who waits for whom among Applications, so that one that becomes ready wakes those that wait for it. Plain
//! state; no reads, no writes, no clock.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use windlass_core::api::AppKey;

use super::queue::{Queue, Trigger};

/// Who waits for whom, and which cycles were told.
pub struct Dependencies {
    queue: Arc<Queue>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    waiting: HashMap<AppKey, BTreeSet<AppKey>>,
    /// How one that others wait for stood when they were woken last.
    stood: HashMap<AppKey, String>,
    cycles: HashMap<AppKey, BTreeSet<AppKey>>,
}

impl Dependencies {
    /// Nobody waits; wakes by `queue`.
    pub fn new(queue: Arc<Queue>) -> Self {
        Self { queue, state: Mutex::default() }
    }

    /// Notes that `app` waits for `others` from now on; for nobody where there are none.
    pub fn wait(&self, app: &AppKey, others: BTreeSet<AppKey>) {
        self.with(|state| {
            if others.is_empty() {
                state.waiting.remove(app);
            } else {
                state.waiting.insert(app.clone(), others);
            }
            let State { waiting, stood, .. } = state;
            stood.retain(|key, _| waiting.values().any(|others| others.contains(key)));
        });
    }

    /// Notes how `app` stands after a reconcile, `None` where it is ready: those that wait for it are looked at,
    /// unless it stands as before.
    pub fn stands(&self, app: &AppKey, unready: Option<&str>) {
        let woken = self.with(|state| {
            let woken: Vec<_> = state.waiting_for(app);
            if woken.is_empty() {
                return woken;
            }
            let before = match unready {
                Some(how) => state.stood.insert(app.clone(), how.to_owned()),
                None => state.stood.remove(app),
            };
            if unready.is_some() && before.as_deref() == unready { Vec::new() } else { woken }
        });
        self.wake(woken);
    }

    /// Notes the cycle that `app` is in, if any; the others in it are looked at when that is news.
    pub fn in_cycle(&self, app: &AppKey, members: BTreeSet<AppKey>) {
        let woken = self.with(|state| {
            let before = if members.is_empty() {
                state.cycles.remove(app)
            } else {
                state.cycles.insert(app.clone(), members.clone())
            };
            let before = before.unwrap_or_default();
            let changed = before.symmetric_difference(&members).next().is_some();
            let others = before.union(&members).filter(|key| changed && *key != app);
            others.cloned().collect()
        });
        self.wake(woken);
    }

    /// Forgets an Application that is gone; those that wait for it are looked at.
    pub fn forget(&self, app: &AppKey) {
        self.wait(app, BTreeSet::new());
        self.in_cycle(app, BTreeSet::new());
        self.wake(self.with(|state| state.waiting_for(app)));
    }

    fn wake(&self, keys: Vec<AppKey>) {
        for key in keys {
            self.queue.trigger(key, Trigger::Event);
        }
    }

    fn with<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        f(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl State {
    fn waiting_for(&self, app: &AppKey) -> Vec<AppKey> {
        let waiting = self.waiting.iter().filter(|(_, others)| others.contains(app));
        waiting.map(|(key, _)| key.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> AppKey {
        AppKey::new("n", name)
    }

    fn keys(names: &[&str]) -> BTreeSet<AppKey> {
        names.iter().map(|name| key(name)).collect()
    }

    /// The Applications that are looked at, by name.
    async fn woken(queue: &Queue) -> Vec<String> {
        let mut names = Vec::new();
        while !queue.is_empty() {
            let (key, _) = queue.next().await;
            queue.done(&key);
            names.push(key.name);
        }
        names.sort();
        names
    }

    #[tokio::test]
    async fn those_that_wait_are_woken_when_it_is_ready_or_stands_otherwise() {
        let queue = Arc::new(Queue::default());
        let dependencies = Dependencies::new(queue.clone());
        dependencies.stands(&key("database"), None);
        assert_eq!(woken(&queue).await, [""; 0], "nobody waits");
        dependencies.wait(&key("shop"), keys(&["database", "queue"]));
        dependencies.wait(&key("other"), keys(&["queue"]));
        dependencies.stands(&key("database"), Some("Progressing"));
        assert_eq!(woken(&queue).await, ["shop"]);
        dependencies.stands(&key("database"), Some("Progressing"));
        assert_eq!(woken(&queue).await, [""; 0], "it is told already");
        dependencies.stands(&key("database"), Some("Degraded"));
        assert_eq!(woken(&queue).await, ["shop"]);
        dependencies.stands(&key("queue"), None);
        assert_eq!(woken(&queue).await, ["other", "shop"]);
        dependencies.wait(&key("shop"), BTreeSet::new());
        dependencies.stands(&key("database"), None);
        assert_eq!(woken(&queue).await, [""; 0]);
        dependencies.forget(&key("queue"));
        assert_eq!(woken(&queue).await, ["other"], "what it waits for is gone");
    }

    #[tokio::test]
    async fn all_of_a_cycle_hear_of_it_and_of_its_end() {
        let queue = Arc::new(Queue::default());
        let dependencies = Dependencies::new(queue.clone());
        dependencies.in_cycle(&key("a"), keys(&["a", "b"]));
        assert_eq!(woken(&queue).await, ["b"]);
        dependencies.in_cycle(&key("b"), keys(&["a", "b"]));
        assert_eq!(woken(&queue).await, ["a"]);
        dependencies.in_cycle(&key("a"), keys(&["a", "b"]));
        assert_eq!(woken(&queue).await, [""; 0], "it is no news");
        dependencies.in_cycle(&key("b"), BTreeSet::new());
        assert_eq!(woken(&queue).await, ["a"]);
    }
}
