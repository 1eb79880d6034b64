//! Of which Applications it is known what they want, and who waits to know: an object that one of them no
//! longer wants may have been moved to another one. Plain state; no reads, no writes, no clock.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use windlass_core::api::{AppKey, Application};

use super::queue::{Queue, Trigger};

/// Who was heard, and who waits for whom. What they said stands in the [`World`](super::world::World); as of
/// which commits, in the [`Mirrors`](super::mirrors::Mirrors).
pub struct Hearings {
    queue: Arc<Queue>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// The resource, by UID and generation, that an Application was last heard with.
    heard: HashMap<AppKey, (Option<String>, Option<i64>)>,
    /// Applications whose releases hold Applications: those may want something once they are applied.
    parents: HashSet<AppKey>,
    waiting: HashMap<AppKey, BTreeSet<AppKey>>,
}

impl Hearings {
    /// Nobody was heard yet; tells `queue` whose waiting is over.
    pub fn new(queue: Arc<Queue>) -> Self {
        Self { queue, state: Mutex::default() }
    }

    /// Notes that what `app` says now is known.
    pub fn hear(&self, key: &AppKey, app: &Application) {
        let ended = self.with(|state| {
            state.heard.insert(key.clone(), identity(app));
            state.end_waiting(key)
        });
        self.wake(ended);
    }

    /// Whether what `app` says now is known.
    pub fn heard(&self, key: &AppKey, app: &Application) -> bool {
        self.with(|state| state.heard.get(key) == Some(&identity(app)))
    }

    /// Notes whether the release of an Application holds Applications.
    pub fn set_parent(&self, key: &AppKey, parent: bool) {
        self.with(|state| if parent { state.parents.insert(key.clone()) } else { state.parents.remove(key) });
    }

    /// Whether the release of an Application holds Applications.
    pub fn is_parent(&self, key: &AppKey) -> bool {
        self.with(|state| state.parents.contains(key))
    }

    /// Notes that `key` waits until all of `others` are heard, and is to be told; with none it waits no more.
    pub fn wait(&self, key: &AppKey, others: BTreeSet<AppKey>) {
        self.with(|state| {
            if others.is_empty() {
                state.waiting.remove(key);
            } else {
                state.waiting.insert(key.clone(), others);
            }
        });
    }

    /// Forgets an Application that is gone: nobody waits for it any more.
    pub fn forget(&self, key: &AppKey) {
        let ended = self.with(|state| {
            state.heard.remove(key);
            state.parents.remove(key);
            state.waiting.remove(key);
            state.end_waiting(key)
        });
        self.wake(ended);
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
    fn end_waiting(&mut self, heard: &AppKey) -> Vec<AppKey> {
        let mut ended = Vec::new();
        self.waiting.retain(|key, others| {
            if others.remove(heard) && others.is_empty() {
                ended.push(key.clone());
            }
            !others.is_empty()
        });
        ended
    }
}

fn identity(app: &Application) -> (Option<String>, Option<i64>) {
    (app.metadata.uid.clone(), app.metadata.generation)
}

#[cfg(test)]
mod tests {
    use windlass_core::api::ApplicationSpec;

    use super::*;

    fn app(generation: i64) -> Application {
        let spec: ApplicationSpec = serde_json::from_value(serde_json::json!({
            "sources": [{"name": "env", "git": {"url": "https://git.example/a", "branch": "main"}}]
        }))
        .unwrap();
        let mut app = Application::new("a", spec);
        app.metadata.generation = Some(generation);
        app
    }

    fn key(name: &str) -> AppKey {
        AppKey::new("team-a", name)
    }

    #[tokio::test]
    async fn who_waits_is_told_once_when_the_last_one_is_heard() {
        let queue = Arc::new(Queue::default());
        let hearings = Hearings::new(queue.clone());
        hearings.wait(&key("giver"), BTreeSet::from([key("a"), key("b")]));
        hearings.hear(&key("a"), &app(1));
        assert!(queue.is_empty(), "b was not heard yet");
        hearings.forget(&key("b"));
        assert_eq!(queue.next().await.0, key("giver"));
        queue.done(&key("giver"));
        hearings.hear(&key("a"), &app(1));
        assert!(queue.is_empty());
    }

    #[test]
    fn a_new_specification_has_to_be_heard_again() {
        let hearings = Hearings::new(Arc::default());
        assert!(!hearings.heard(&key("a"), &app(1)));
        hearings.hear(&key("a"), &app(1));
        assert!(hearings.heard(&key("a"), &app(1)));
        assert!(!hearings.heard(&key("a"), &app(2)));
    }
}
