//! The order in which Applications are reconciled: one reconcile at a time for each, people before
//! events, events before timers, and first come first served within. Nobody waits for ever: who waited for
//! too long comes first, and Applications whose reconciles take long never have all the room.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap, HashSet, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use windlass_core::api::AppKey;

/// Whoever waits longer than this comes before everybody who came later, whatever the triggers.
const PATIENCE: Duration = Duration::from_secs(5);
/// An Application whose last reconcile took longer than this is slow.
const SLOW: Duration = Duration::from_secs(5);

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
    /// By what they are triggered, and since when they wait.
    waiting: HashMap<AppKey, (Trigger, Instant)>,
    running: HashMap<AppKey, Instant>,
    slow: HashSet<AppKey>,
    /// Most slow ones at the same time.
    slow_room: Option<usize>,
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
    /// A queue for so many reconciles at the same time, of which slow Applications get half.
    pub fn new(concurrency: usize) -> Self {
        let queue = Self::default();
        queue.with(|state| state.slow_room = Some((concurrency / 2).max(1)));
        queue
    }

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
            let took = state.running.remove(key).map(|since| since.elapsed());
            if took.is_some_and(|took| took > SLOW) {
                state.slow.insert(key.clone());
            } else {
                state.slow.remove(key);
            }
            if let Some(trigger) = state.again.remove(key) {
                state.push(key.clone(), trigger);
            }
        });
        self.changed.notify_one();
    }

    /// Whether an Application waits for a reconcile or has one now.
    pub fn is_pending(&self, key: &AppKey) -> bool {
        self.with(|state| state.waiting.contains_key(key) || state.running.contains_key(key))
    }

    /// Drops the timer of an Application that is gone.
    pub fn forget(&self, key: &AppKey) {
        self.with(|state| {
            state.due.remove(key);
            state.slow.remove(key);
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
        if self.running.contains_key(&key) {
            let again = self.again.entry(key).or_insert(trigger);
            *again = trigger.min(*again);
            return;
        }
        let since = match self.waiting.get(&key) {
            Some((waiting, _)) if *waiting <= trigger => return,
            // The place in the slower line stays behind and is skipped when it comes up.
            Some((_, since)) => *since,
            None => Instant::now(),
        };
        self.waiting.insert(key.clone(), (trigger, since));
        self.ready.entry(trigger).or_default().push_back(key);
    }

    fn pop(&mut self) -> Option<(AppKey, Trigger)> {
        let firsts: Vec<_> = TRIGGERS.into_iter().filter_map(|trigger| self.first(trigger)).collect();
        let impatient = firsts.iter().filter(|(_, _, since)| since.elapsed() > PATIENCE);
        let (trigger, place, _) = *impatient.min_by_key(|(_, _, since)| *since).or_else(|| firsts.first())?;
        let key = self.ready.get_mut(&trigger)?.remove(place)?;
        self.waiting.remove(&key);
        self.running.insert(key.clone(), Instant::now());
        Some((key, trigger))
    }

    /// The first in a line for whom there is room: its place, and since when it waits.
    fn first(&mut self, trigger: Trigger) -> Option<(Trigger, usize, Instant)> {
        let Self { ready, waiting, running, slow, slow_room, .. } = self;
        let line = ready.get_mut(&trigger)?;
        let waits = |key: &AppKey| waiting.get(key).filter(|(waiting, _)| *waiting == trigger);
        while line.front().is_some_and(|key| waits(key).is_none()) {
            line.pop_front();
        }
        let full = slow_room
            .is_some_and(|room| slow.iter().filter(|key| running.contains_key(*key)).count() >= room);
        let mut places = line.iter().enumerate();
        places.find_map(|(place, key)| {
            let (_, since) = waits(key)?;
            (!full || !slow.contains(key)).then_some((trigger, place, *since))
        })
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
    async fn a_timer_is_served_among_endless_events() {
        let queue = Queue::default();
        queue.trigger(key("patient"), Trigger::Timer);
        queue.trigger(key("late"), Trigger::Timer);
        let mut served = Vec::new();
        for round in 0..20 {
            // Two Applications somebody fights with, so that one of them is always waiting.
            queue.trigger(key("fought"), Trigger::Event);
            queue.trigger(key("asked"), Trigger::Person);
            tokio::time::advance(Duration::from_secs(1)).await;
            let (key, _) = queue.next().await;
            queue.done(&key);
            served.push((round, key.name));
        }
        let names: Vec<_> = served.iter().map(|(_, name)| name.as_str()).collect();
        assert!(
            names.contains(&"patient") && names.contains(&"late") && names.contains(&"fought"),
            "{names:?}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn slow_ones_never_have_all_the_room() {
        let queue = Queue::new(4);
        let slow: Vec<_> = (0..20).map(|i| key(&format!("slow{i}"))).collect();
        for key in &slow {
            queue.trigger(key.clone(), Trigger::Event);
        }
        // The first time nobody knows; then they are known.
        for _ in 0..5 {
            let mut running = Vec::new();
            for _ in 0..4 {
                running.push(queue.next().await.0);
            }
            tokio::time::advance(Duration::from_secs(30)).await;
            running.iter().for_each(|key| queue.done(key));
        }
        for key in &slow {
            queue.trigger(key.clone(), Trigger::Person);
        }
        let first = queue.next().await.0;
        queue.next().await;
        queue.trigger(key("healthy"), Trigger::Timer);
        assert_eq!(queue.next().await.0.name, "healthy");
        assert!(tokio::time::timeout(Duration::from_secs(1), queue.next()).await.is_err(), "two at a time");
        queue.done(&first);
        assert!(queue.next().await.0.name.starts_with("slow"), "it was quick this time, and there is room");
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
