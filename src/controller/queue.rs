//! The order in which Applications are reconciled: one reconcile at a time for each, people before
//! events, events before timers, and first come first served within.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use windlass_core::api::AppKey;

/// Why an Application is looked at; the order is the order of service.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Trigger {
    /// A person asked.
    Person,
    /// Something changed: the Application, a repository, an object.
    Event,
    /// A time came.
    Timer,
}

const TRIGGERS: [Trigger; 3] = [Trigger::Person, Trigger::Event, Trigger::Timer];

#[derive(Default)]
struct State {
    ready: HashMap<Trigger, VecDeque<AppKey>>,
    waiting: HashMap<AppKey, Trigger>,
    running: HashSet<AppKey>,
    again: HashMap<AppKey, Trigger>,
    timers: BinaryHeap<Reverse<(Instant, AppKey)>>,
    due: HashMap<AppKey, Instant>,
}

/// A queue of Applications.
#[derive(Default)]
pub struct Queue {
    state: Mutex<State>,
    changed: Notify,
}

impl Queue {
    /// Asks for a reconcile. One that is running is followed by another; one that waits moves ahead if this
    /// trigger is served earlier.
    pub fn trigger(&self, key: AppKey, trigger: Trigger) {
        self.with(|state| state.push(key, trigger));
        self.changed.notify_one();
    }

    /// Asks for a reconcile after `delay`, unless one was asked for earlier than that.
    pub fn after(&self, key: AppKey, delay: Duration) {
        let at = Instant::now() + delay;
        self.with(|state| {
            if state.due.get(&key).is_none_or(|due| at < *due) {
                state.due.insert(key.clone(), at);
                state.timers.push(Reverse((at, key)));
            }
        });
        self.changed.notify_one();
    }

    /// Waits for the next Application; it is running until [`Self::done`].
    pub async fn next(&self) -> (AppKey, Trigger) {
        loop {
            let timer = {
                let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
                state.expire(Instant::now());
                if let Some(next) = state.pop() {
                    return next;
                }
                state.timers.peek().map(|Reverse((at, _))| *at)
            };
            match timer {
                Some(at) => tokio::select! {
                    () = tokio::time::sleep_until(at) => {}
                    () = self.changed.notified() => {}
                },
                None => self.changed.notified().await,
            }
        }
    }

    /// A reconcile ended.
    pub fn done(&self, key: &AppKey) {
        self.with(|state| {
            state.running.remove(key);
            if let Some(trigger) = state.again.remove(key) {
                state.push(key.clone(), trigger);
            }
        });
        self.changed.notify_one();
    }

    /// Drops the timer of an Application that is gone.
    pub fn forget(&self, key: &AppKey) {
        self.with(|state| {
            state.due.remove(key);
        });
    }

    /// How many wait.
    pub fn len(&self) -> usize {
        self.with(|state| state.waiting.len())
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn with<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        f(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl State {
    fn push(&mut self, key: AppKey, trigger: Trigger) {
        if self.running.contains(&key) {
            let again = self.again.entry(key).or_insert(trigger);
            *again = trigger.min(*again);
            return;
        }
        match self.waiting.get(&key) {
            Some(waiting) if *waiting <= trigger => return,
            // The place in the slower line stays behind and is skipped when it comes up.
            _ => self.waiting.insert(key.clone(), trigger),
        };
        self.ready.entry(trigger).or_default().push_back(key);
    }

    fn pop(&mut self) -> Option<(AppKey, Trigger)> {
        for trigger in TRIGGERS {
            while let Some(key) = self.ready.get_mut(&trigger).and_then(VecDeque::pop_front) {
                if self.waiting.get(&key) == Some(&trigger) {
                    self.waiting.remove(&key);
                    self.running.insert(key.clone());
                    return Some((key, trigger));
                }
            }
        }
        None
    }

    fn expire(&mut self, now: Instant) {
        while self.timers.peek().is_some_and(|Reverse((at, _))| *at <= now) {
            let Some(Reverse((at, key))) = self.timers.pop() else { return };
            if self.due.get(&key) == Some(&at) {
                self.due.remove(&key);
                self.push(key, Trigger::Timer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> AppKey {
        AppKey::new("n", name)
    }

    async fn next(queue: &Queue) -> String {
        let (key, trigger) = queue.next().await;
        queue.done(&key);
        format!("{} {trigger:?}", key.name)
    }

    #[tokio::test(start_paused = true)]
    async fn people_come_first_and_each_application_once() {
        let queue = Queue::default();
        queue.trigger(key("a"), Trigger::Timer);
        queue.trigger(key("b"), Trigger::Event);
        queue.trigger(key("a"), Trigger::Event);
        queue.trigger(key("c"), Trigger::Person);
        queue.trigger(key("b"), Trigger::Timer);
        assert_eq!(queue.len(), 3);
        assert_eq!(
            [next(&queue).await, next(&queue).await, next(&queue).await],
            ["c Person", "b Event", "a Event"]
        );
        assert!(queue.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn a_trigger_during_a_reconcile_is_followed_by_another_reconcile() {
        let queue = Queue::default();
        queue.trigger(key("a"), Trigger::Event);
        let (running, _) = queue.next().await;
        queue.trigger(key("a"), Trigger::Timer);
        queue.trigger(key("a"), Trigger::Person);
        assert!(tokio::time::timeout(Duration::from_secs(1), queue.next()).await.is_err(), "one at a time");
        queue.done(&running);
        assert_eq!(next(&queue).await, "a Person");
    }

    #[tokio::test(start_paused = true)]
    async fn the_earliest_timer_counts() {
        let queue = Queue::default();
        let start = Instant::now();
        queue.after(key("a"), Duration::from_secs(60));
        queue.after(key("a"), Duration::from_secs(5));
        queue.after(key("a"), Duration::from_secs(30));
        assert_eq!(next(&queue).await, "a Timer");
        assert_eq!(start.elapsed().as_secs(), 5);
        queue.after(key("b"), Duration::from_secs(5));
        queue.forget(&key("b"));
        assert!(tokio::time::timeout(Duration::from_secs(100), queue.next()).await.is_err());
    }
}
