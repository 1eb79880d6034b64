//! One mirror per repository and credentials, shared by all Applications that read it: one listing of its
//! references a poll, one fetch at a time, and only Applications whose files changed are told.

mod fresh;
mod readers;

use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use rand::RngExt as _;
use tokio::sync::{Notify, Semaphore, watch};
use tokio::time::Instant;
use windlass_core::api::AppKey;
use windlass_core::object::Digest;

use self::fresh::Answer;
use super::queue::{Queue, Trigger};
use crate::failure::Failure;
use crate::render::PathRead;
use crate::source::git::{Credentials, PathIdsRequest, Reference, ResolveRequest, Revision};
use crate::telemetry::Metrics;
use crate::worker::Pool;

pub use fresh::Fresh;

/// How long a look at a repository with a fetch may take.
const RESOLVE_DEADLINE: Duration = Duration::from_secs(120);
/// How long a look into a mirror may take.
const LOOK_DEADLINE: Duration = Duration::from_secs(30);
/// The pause after the first look that fails is twice this, and doubles with each one more.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
/// Looks at the same time at repositories that fail or were never seen: fewer than there are workers, so that
/// servers that do not answer leave one to those that do.
const DOUBTFUL: usize = 3;
/// Longest pause between looks at a repository that fails.
const MAX_PAUSE: Duration = Duration::from_secs(600);

/// What the mirrors work with.
pub struct Tools {
    /// Runs what reads strangers' input.
    pub pool: Arc<Pool>,
    /// Told which Application to look at.
    pub queue: Arc<Queue>,
    /// Counts looks.
    pub metrics: Arc<Metrics>,
    /// Directory of the mirrors.
    pub directory: PathBuf,
    /// Time between two looks at a repository.
    pub interval: Duration,
}

/// All mirrors in use.
pub struct Mirrors {
    tools: Arc<Tools>,
    doubtful: Arc<Semaphore>,
    mirrors: Mutex<HashMap<(String, Credentials), Weak<Mirror>>>,
}

/// One repository as seen with one set of credentials.
pub struct Mirror {
    url: String,
    credentials: Credentials,
    directory: PathBuf,
    tools: Arc<Tools>,
    doubtful: Arc<Semaphore>,
    state: Mutex<State>,
    wake: Notify,
    /// The number of the last look that ended.
    looks: watch::Sender<u64>,
}

#[derive(Default)]
struct State {
    /// How many looks began; the last one is this number.
    begun: u64,
    /// When the look that is under way began.
    looking: Option<Instant>,
    readers: HashMap<(AppKey, String), Reader>,
    results: HashMap<Reference, Result<Revision, Failure>>,
    /// The commits that the last looks which succeeded gave.
    known: HashMap<Reference, String>,
    failures: u32,
    /// When the last look that ended began.
    looked: Option<Instant>,
    /// Whether a render could not read the mirror since the last look.
    damaged: bool,
}

struct Reader {
    reference: Reference,
    reads: Option<Arc<Vec<PathRead>>>,
    /// The newest commit as of which it is known what the Application wants.
    heard: Option<String>,
}

impl Mirrors {
    /// No mirror is used yet.
    pub fn new(tools: Tools) -> Self {
        let doubtful = Arc::new(Semaphore::new(DOUBTFUL));
        Self { tools: Arc::new(tools), doubtful, mirrors: Mutex::default() }
    }

    /// The tools that mirrors work with.
    pub fn tools(&self) -> &Tools {
        &self.tools
    }

    /// The mirror of a repository; it is looked at regularly as long as somebody holds it.
    pub fn get(&self, url: &str, credentials: &Credentials) -> Arc<Mirror> {
        let mut mirrors = self.mirrors.lock().unwrap_or_else(PoisonError::into_inner);
        mirrors.retain(|_, mirror| mirror.strong_count() > 0);
        let key = (url.to_owned(), credentials.clone());
        if let Some(mirror) = mirrors.get(&key).and_then(Weak::upgrade) {
            return mirror;
        }
        let mirror = Arc::new(Mirror {
            url: url.to_owned(),
            credentials: credentials.clone(),
            directory: self.tools.directory.join(directory_name(url, credentials)),
            tools: self.tools.clone(),
            doubtful: self.doubtful.clone(),
            state: Mutex::default(),
            wake: Notify::new(),
            looks: watch::Sender::new(0),
        });
        mirrors.insert(key, Arc::downgrade(&mirror));
        tokio::spawn(run(Arc::downgrade(&mirror), self.tools.interval));
        mirror
    }
}

impl Mirrors {
    /// All mirrors that are in use.
    pub fn all(&self) -> Vec<Arc<Mirror>> {
        let mirrors = self.mirrors.lock().unwrap_or_else(PoisonError::into_inner);
        mirrors.values().filter_map(Weak::upgrade).collect()
    }
}

fn directory_name(url: &str, credentials: &Credentials) -> String {
    // Two tenants with other credentials never share a mirror, so neither reads what only the other may.
    let secret = serde_json::to_string(credentials).unwrap_or_default();
    Digest::of_bytes(format!("{url}\n{secret}").as_bytes()).short(24).to_owned()
}

impl Mirror {
    /// Its directory on disk.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Address of the repository.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Whether the repository was looked at since `moment`; if not, it is looked at now.
    pub fn looked_since(&self, moment: Instant) -> bool {
        let looked = self.with(|state| state.looked.is_some_and(|looked| looked >= moment));
        if !looked {
            self.wake.notify_one();
        }
        looked
    }

    /// Notes that a render could not read the mirror: the next look, now, fetches it anew.
    pub fn suspect(&self) {
        self.with(|state| state.damaged = true);
        self.wake.notify_one();
    }

    /// What a reference points to as of a look that is fresh enough.
    ///
    /// # Errors
    /// Why the repository or the reference cannot be read.
    pub async fn revision(&self, reference: &Reference, fresh: Fresh) -> Result<Revision, Failure> {
        let mut looks = self.looks.subscribe();
        let asked = Instant::now();
        loop {
            let look = match self.with(|state| state.answer(reference, fresh, asked)) {
                Answer::Is(result) => return result,
                Answer::Never => {
                    let message = format!("{} has not been looked at yet", self.url);
                    return Err(Failure::transient("SourceUnreachable", message));
                }
                Answer::NotBefore(moment) => {
                    tokio::time::sleep_until(moment).await;
                    continue;
                }
                Answer::Under(look) => look,
                Answer::Next(look) => {
                    self.wake.notify_one();
                    look
                }
            };
            // The sender lives as long as this mirror, so waiting cannot fail.
            let _ = looks.wait_for(|ended| *ended >= look).await;
        }
    }

    /// Whether every path that was read is the same at `commit`.
    pub async fn unchanged(&self, commit: &str, reads: &[PathRead]) -> bool {
        let paths = reads.iter().map(|read| read.path.clone()).collect();
        match self.path_ids(commit, paths).await {
            Ok(ids) => ids.len() == reads.len() && reads.iter().zip(ids).all(|(read, id)| read.id == id),
            Err(failure) => {
                tracing::warn!(url = self.url, %failure, "cannot tell what a commit changed; rendering");
                false
            }
        }
    }

    async fn path_ids(&self, commit: &str, paths: Vec<String>) -> Result<Vec<Option<String>>, Failure> {
        let request = PathIdsRequest { mirror: self.directory.clone(), commit: commit.to_owned(), paths };
        self.tools.pool.path_ids(request, LOOK_DEADLINE).await
    }

    /// One look at the repository, and a word to everybody whom it concerns.
    async fn look(&self) {
        let began = Instant::now();
        let (number, references) = self.with(|state| {
            let references: BTreeSet<_> = state.readers.values().map(|r| r.reference.clone()).collect();
            state.begun += 1;
            state.looking = Some(began);
            (state.begun, references.into_iter().collect::<Vec<_>>())
        });
        if !references.is_empty() {
            let results = self.resolve(references.clone()).await;
            // A repository that says what it has not works: a mistyped branch slows nobody down.
            let answered = |result: &Result<_, Failure>| {
                result.as_ref().err().is_none_or(|failure| failure.reason == "RevisionNotFound")
            };
            let ok = results.iter().any(answered);
            for result in &results {
                let label = result.as_ref().err().map_or("ok", |failure| failure.reason.as_str());
                self.tools.metrics.resolves.with_label_values(&[label]).inc();
            }
            let moved: Vec<_> = self.with(|state| {
                state.failures = if ok { 0 } else { state.failures.saturating_add(1) };
                let mut moved = Vec::new();
                for (reference, result) in references.into_iter().zip(results) {
                    let commit = result.as_ref().ok().map(|revision| revision.commit.clone());
                    let known = commit.and_then(|commit| state.known.insert(reference.clone(), commit));
                    if state.results.insert(reference.clone(), result.clone()).as_ref() != Some(&result) {
                        moved.push((reference, known, result));
                    }
                }
                moved
            });
            for (reference, before, result) in moved {
                self.tell(&reference, before, result).await;
            }
        }
        self.with(|state| (state.looking, state.looked) = (None, Some(began)));
        self.looks.send_replace(number);
    }

    async fn resolve(&self, references: Vec<Reference>) -> Vec<Result<Revision, Failure>> {
        let count = references.len();
        let request = ResolveRequest {
            url: self.url.clone(),
            credentials: self.credentials.clone(),
            mirror: self.directory.clone(),
            references,
            renew: self.with(|state| std::mem::take(&mut state.damaged)),
        };
        let doubtful = self.with(|state| state.failures > 0 || !state.results.values().any(Result::is_ok));
        let _room = if doubtful { self.doubtful.acquire().await.ok() } else { None };
        let timer = self.tools.metrics.worker_seconds.with_label_values(&["resolve"]).start_timer();
        let response = self.tools.pool.resolve(request, RESOLVE_DEADLINE).await;
        timer.observe_duration();
        let failure = match response {
            Ok(results) if results.len() == count => return results,
            Ok(_) => Failure::transient("WorkerCrashed", "the worker gave another answer than asked for"),
            Err(failure) => failure,
        };
        vec![Err(failure); count]
    }

    /// Queues the readers of a reference that moved or whose failure changed: all of them, but those that
    /// read nothing that differs at the new commit.
    async fn tell(&self, reference: &Reference, before: Option<String>, result: Result<Revision, Failure>) {
        let readers: Vec<_> = self.with(|state| {
            let readers = state.readers.iter().filter(|(_, reader)| reader.reference == *reference);
            readers.map(|(key, reader)| (key.clone(), reader.reads.clone())).collect()
        });
        let mut ids = HashMap::new();
        if let Ok(revision) = &result {
            let paths: BTreeSet<_> = readers
                .iter()
                .flat_map(|(_, reads)| reads.iter().flat_map(|r| r.iter().map(|r| &r.path)))
                .collect();
            let paths: Vec<_> = paths.into_iter().cloned().collect();
            if !paths.is_empty()
                && let Ok(found) = self.path_ids(&revision.commit, paths.clone()).await
            {
                ids = paths.into_iter().zip(found).collect();
            }
        }
        let (same, changed): (Vec<_>, Vec<_>) = readers.into_iter().partition(|(_, reads)| {
            let read = reads.as_ref().filter(|_| result.is_ok());
            read.is_some_and(|reads| reads.iter().all(|read| ids.get(&read.path) == Some(&read.id)))
        });
        if let (Some(before), Ok(revision)) = (before, &result) {
            self.with(|state| {
                for (key, _) in &same {
                    // Who was not heard before still has to be.
                    let reader = state.readers.get_mut(key);
                    if let Some(reader) = reader.filter(|r| r.heard.as_ref() == Some(&before)) {
                        reader.heard = Some(revision.commit.clone());
                    }
                }
            });
        }
        for ((app, _), _) in changed {
            self.tools.queue.trigger(app, Trigger::Event);
        }
    }

    fn with<T>(&self, f: impl FnOnce(&mut State) -> T) -> T {
        f(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The time to the next look. After a failure it begins short, since most of them are over soon, and
    /// grows beyond the interval, since a server that struggles needs rest.
    fn pause(&self, interval: Duration) -> Duration {
        let pause = match self.with(|state| state.failures) {
            0 => interval,
            failures => {
                let first = interval.min(FIRST_PAUSE);
                first.saturating_mul(1 << failures.min(10)).min(MAX_PAUSE.max(interval))
            }
        };
        pause.mul_f64(rand::rng().random_range(0.9..1.1))
    }
}

/// Looks at a mirror when asked and at every interval, until nobody holds it.
async fn run(mirror: Weak<Mirror>, interval: Duration) {
    let mut next = Instant::now();
    loop {
        let Some(mirror) = mirror.upgrade() else { return };
        // Wakes up at least once a minute to notice that nobody holds the mirror any more.
        let slice = (next - Instant::now()).min(Duration::from_secs(60));
        let asked = tokio::time::timeout(slice, mirror.wake.notified()).await.is_ok();
        if Arc::strong_count(&mirror) == 1 {
            return;
        }
        if asked || Instant::now() >= next {
            mirror.look().await;
            next = Instant::now() + mirror.pause(interval);
        }
    }
}
