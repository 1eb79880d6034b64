use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::fields::{Foreign, Path};
use crate::object::ObjectId;

/// Healing one object more often than this is a fight.
const PAUSE: Duration = Duration::from_millis(500);
/// Heals in a row that come at once.
const FREE: u32 = 3;
/// Heals in a row from which on people are told of a fight.
const TOLD: u32 = 6;
/// Shortest calm that ends a row of heals.
const CALM: Duration = Duration::from_secs(10);
/// Longest pause between two heals.
const LONGEST: Duration = Duration::from_secs(256);
/// Most fields that are told of one object.
const MAX_FIELDS: usize = 3;

/// The heals of one object that came soon after each other.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heals {
    count: u32,
    /// When the last one was, since any fixed time.
    last: Duration,
    /// Who undid the last one, and which fields.
    rivals: BTreeMap<String, BTreeSet<Path>>,
}

/// What to do about a heal that is due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Heal.
    Now,
    /// Somebody undoes every heal: wait this long.
    Later(Duration),
}

impl Heals {
    /// Decides about a heal that is due at `now` because of what `foreign` says. The pause between two heals
    /// doubles as long as somebody keeps fighting.
    pub fn due<'f>(&mut self, now: Duration, foreign: impl Iterator<Item = &'f Foreign>) -> Pace {
        let rivals = rivals(foreign);
        if !rivals.is_empty() {
            self.rivals = rivals;
        }
        let passed = now.saturating_sub(self.last);
        if self.count > 0 && passed < self.pause() {
            return Pace::Later(self.pause() - passed);
        }
        self.count = if self.count > 0 && passed > self.calm() { 1 } else { self.count.saturating_add(1) };
        self.last = now;
        Pace::Now
    }

    /// How long it takes until this row of heals has ended; `None` where it has.
    pub fn rest(&self, now: Duration) -> Option<Duration> {
        let passed = now.saturating_sub(self.last);
        (self.count > 0 && passed <= self.calm()).then(|| self.calm() - passed)
    }

    /// What people are told of a fight, while there is one.
    pub fn contention(&self, id: &ObjectId, now: Duration) -> Option<String> {
        if self.count < TOLD || self.rest(now).is_none() {
            return None;
        }
        let mut told: Vec<_> = self
            .rivals
            .iter()
            .map(|(manager, fields)| {
                let fields: Vec<_> = fields.iter().take(MAX_FIELDS).map(ToString::to_string).collect();
                format!("{manager} keeps setting {}", fields.join(", "))
            })
            .collect();
        told.truncate(MAX_FIELDS);
        let what = if told.is_empty() {
            "somebody keeps undoing what is applied".to_owned()
        } else {
            told.join(" and ")
        };
        Some(format!(
            "{id}: {what}; healing backs off. Have the other one stopped, or leave the field to it with \
             spec.sync.ignore"
        ))
    }

    fn pause(&self) -> Duration {
        match self.count.checked_sub(FREE) {
            None => Duration::ZERO,
            Some(more) => (PAUSE * (1 << more.min(9))).min(LONGEST),
        }
    }

    fn calm(&self) -> Duration {
        (self.pause() * 4).max(CALM)
    }
}

fn rivals<'f>(foreign: impl Iterator<Item = &'f Foreign>) -> BTreeMap<String, BTreeSet<Path>> {
    let mut rivals = BTreeMap::<String, BTreeSet<Path>>::new();
    for field in foreign {
        rivals.entry(field.manager.to_string()).or_default().insert(field.path.clone());
    }
    rivals
}
