//! Whether an object that an Application no longer wants may be deleted, or may be on its way to another one.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use windlass_core::api::{Adopt, AppKey, Application, GROUP};
use windlass_core::object::ObjectId;
use windlass_core::plan::{MOVE_DEADLINE, Plan, holds_data, may_prune, same_repository};
use windlass_core::release::Release;

use super::Scope;
use crate::controller::context::Memory;
use crate::controller::mirrors::Mirror;
use crate::failure::Failure;

/// How often it is asked again who was not heard yet, besides their being heard.
pub const ASK_AGAIN: Duration = Duration::from_millis(500);
/// A wait that is shorter is no news.
const BRIEF: Duration = Duration::from_secs(2);
/// Longest wait for the list of all Applications.
const LIST_DEADLINE: Duration = Duration::from_secs(20);

/// Prunes that wait for Applications which may want the objects.
pub struct Waiting {
    /// For whom, and with what.
    pub message: String,
    /// It began only just.
    pub brief: bool,
    /// Only a person or those Applications can end it.
    pub held: bool,
}

impl Waiting {
    fn new(unheard: &BTreeSet<AppKey>, ids: &[ObjectId], waited: Duration) -> Self {
        let names = |names: Vec<String>, more: usize| {
            let rest = if more > 3 { format!(" and {} more", more - 3) } else { String::new() };
            format!("{}{rest}", names.join(", "))
        };
        let apps = names(unheard.iter().take(3).map(ToString::to_string).collect(), unheard.len());
        let objects = names(ids.iter().take(3).map(ToString::to_string).collect(), ids.len());
        let apps = if apps.is_empty() { "the list of Applications".to_owned() } else { apps };
        let held = waited >= MOVE_DEADLINE;
        let help =
            if held { "; mend or suspend it, or allow it with `windlass sync --allow-prune`" } else { "" };
        let message = format!("{objects} may have moved to {apps}, which could not be asked yet{help}");
        Self { message, brief: waited < BRIEF, held }
    }

    /// As what is wrong, where only a person or the others can end it.
    pub fn failure(&self) -> Option<Failure> {
        self.held.then(|| Failure::transient("PruneHeld", self.message.clone()))
    }
}

/// Notes which objects of an admitted release belong to others, so that those hand them over instead of
/// deleting them. It counts before anything is applied: the release may have to wait for a person.
pub fn want(scope: &Scope<'_>, release: &Release) {
    if scope.app.spec.sync.adopt == Adopt::Never {
        scope.ctx.world.want(scope.key, std::iter::empty());
    } else {
        scope.ctx.world.want(scope.key, release.ids().iter());
    }
}

/// Notes that it is known what the Application wants as of its commits. Where its release holds Applications,
/// that has to be `applied` first, since they may want something too.
pub fn heard(scope: &Scope<'_>, memory: &Memory, applied: Option<&Release>) {
    let Some(cache) = memory.render.as_ref().filter(|_| memory.admitted) else { return };
    let parent = cache.release.ids().iter().any(is_application);
    scope.ctx.hearings.set_parent(scope.key, parent);
    if parent && applied.map(Release::digest) != Some(cache.release.digest()) {
        return;
    }
    for (source, record) in scope.app.spec.sources.iter().zip(&cache.record.sources) {
        let subscription = memory.subscriptions.iter().find(|s| s.name() == source.name);
        if let Some(subscription) = subscription {
            subscription.mirror().hear(scope.key, &source.name, &record.commit);
        }
    }
    scope.ctx.hearings.hear(scope.key, &scope.app);
}

/// Whether an object is an Application.
pub fn is_application(id: &ObjectId) -> bool {
    id.group == GROUP && id.kind == "Application"
}

/// Takes out of a plan the prunes that have to wait for other Applications.
pub async fn hold_back(
    scope: &Scope<'_>,
    memory: &mut Memory,
    release: &Release,
    approved: bool,
    plan: &mut Plan,
) -> Option<Waiting> {
    if plan.prunes.is_empty() && plan.prune_hold.is_none() {
        scope.ctx.hearings.wait(scope.key, BTreeSet::new());
        memory.prunes_since = None;
        return None;
    }
    let now = Instant::now();
    // Another release may leave out other objects, for which the others have to be asked anew.
    let since = match &memory.prunes_since {
        Some((digest, since)) if digest == release.digest() => *since,
        _ => now,
    };
    memory.prunes_since = Some((release.digest().clone(), since));
    let (listed, unheard) = unheard(scope, memory, since, false).await;
    scope.ctx.hearings.wait(scope.key, unheard.clone());
    if listed && unheard.is_empty() {
        return handing_over(scope, memory, release, plan);
    }
    let waited = now.duration_since(since);
    let mut waiting = Vec::new();
    for tier in &mut plan.prunes {
        tier.retain(|action| {
            let may = listed && may_prune(&action.id, &unheard, waited, approved);
            if !may {
                waiting.push(action.id.clone());
            }
            may
        });
    }
    plan.prunes.retain(|tier| !tier.is_empty());
    if waited < MOVE_DEADLINE && !approved {
        // What moves is not pruned, so that there may be nothing to hold.
        plan.prune_hold = None;
    } else if waiting.is_empty() {
        return None;
    }
    Some(Waiting::new(&unheard, &waiting, waited))
}

/// A prune is too large only by what others said since that they want: it is handed over, then counted anew.
fn handing_over(scope: &Scope<'_>, memory: &Memory, release: &Release, plan: &mut Plan) -> Option<Waiting> {
    plan.prune_hold.as_ref()?;
    let surplus = memory.inventory.iter().filter(|id| release.get(id).is_none());
    let wanted = scope.ctx.world.wanted(surplus);
    let first = wanted.first()?;
    plan.prune_hold = None;
    let message = format!("{} objects move to other Applications, {first} among them", wanted.len());
    Some(Waiting { message, brief: true, held: false })
}

/// What the deletion of an Application has to wait for: all of `ids` before [`MOVE_DEADLINE`], then only what
/// holds data.
pub async fn hold_back_deletion(
    scope: &Scope<'_>,
    memory: &mut Memory,
    approved: bool,
) -> (BTreeSet<ObjectId>, Option<Waiting>) {
    let now = Instant::now();
    let since = *memory.deleting_since.get_or_insert(now);
    let (listed, unheard) = unheard(scope, memory, since, true).await;
    scope.ctx.hearings.wait(scope.key, unheard.clone());
    let waited = now.duration_since(since);
    let wait = |id: &&ObjectId| !(listed && may_prune(id, &unheard, waited, approved));
    let waiting: BTreeSet<_> = memory.inventory.iter().filter(wait).cloned().collect();
    if waiting.is_empty() {
        return (waiting, None);
    }
    let mut told: Vec<_> = waiting.iter().cloned().collect();
    told.sort_by_key(|id| !holds_data(id));
    let told = Waiting::new(&unheard, &told, waited);
    (waiting, Some(told))
}

/// The Applications that read one of this one's repositories, or whose releases hold Applications, and of
/// which it is not known what they want as of the commits known now. With `fresh`, every repository of this
/// one must have been looked at since; else only those that others look at with other credentials, since this
/// one's own commit may be newer there.
async fn unheard(
    scope: &Scope<'_>,
    memory: &Memory,
    since: Instant,
    fresh: bool,
) -> (bool, BTreeSet<AppKey>) {
    let ctx = scope.ctx;
    if !ctx.apps.listed(LIST_DEADLINE).await {
        return (false, BTreeSet::new());
    }
    let mirrors = ctx.mirrors.all();
    let shared = |mirror: &Mirror| reads(&scope.app, mirror.url());
    let own = |mirror: &Arc<Mirror>| memory.subscriptions.iter().any(|s| Arc::ptr_eq(s.mirror(), mirror));
    let mut behind = BTreeSet::new();
    for mirror in &mirrors {
        let others = mirror.readers().iter().any(|reader| reader != scope.key);
        let look = others && shared(mirror) && (fresh || !own(mirror));
        if look && !mirror.looked_since(since) {
            behind.extend(mirror.readers());
        } else {
            behind.extend(mirror.unheard());
        }
    }
    let taken = ctx.apps.taken();
    let concerned = |key: &AppKey, app: &Application| {
        let says = app.metadata.deletion_timestamp.is_none() && !app.spec.suspend;
        let shares = || app.spec.sources.iter().any(|source| reads(&scope.app, &source.git.url));
        key != scope.key && says && !taken.contains(key) && (ctx.hearings.is_parent(key) || shares())
    };
    let unheard =
        ctx.apps.all().into_iter().filter(|(key, app)| {
            concerned(key, app) && (behind.contains(key) || !ctx.hearings.heard(key, app))
        });
    (true, unheard.map(|(key, _)| key).collect())
}

fn reads(app: &Application, url: &str) -> bool {
    app.spec.sources.iter().any(|source| same_repository(&source.git.url, url))
}
