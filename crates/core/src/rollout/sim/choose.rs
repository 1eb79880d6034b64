//! Which release the cluster should have, from what was stored and what the watch tells.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::Sim;
use super::begin::entry;
use super::reconcile::{Chosen, Memory};

use super::advance::{moment, policies_once};
use crate::api::{Action, OnNewRelease, SyncMode};
use crate::object::ObjectId;
use crate::plan::{Applied, release_fields};
use crate::release::{Asked, Effective, Release, Standing, Why, select};

impl Sim {
    pub fn start(&mut self) {
        let snapshot = self.cluster.snapshot.clone();
        let status = self.cluster.status.clone();
        let cluster = &self.cluster;
        let observed = cluster.objects.keys().filter_map(|id| Some((id.clone(), cluster.observed(id)?)));
        self.memory = Memory {
            started: true,
            stored: snapshot.releases.clone(),
            inventory: snapshot.inventory.iter().cloned().collect(),
            observed: observed.collect(),
            ..Memory::default()
        };
        self.cluster.news.clear();
        let (releases, ahead) = snapshot.releases.align(&status);
        let memory = &mut self.memory;
        memory.current = releases.present().map(|kept| kept.release);
        let pointer = match &releases.next {
            Some(next) if releases.quarantine_of(next.release.digest()).is_none() => status.next.clone(),
            _ => status.stable.clone(),
        };
        memory.left = memory.current.clone().zip(pointer.filter(|_| !ahead)).map(|(r, at)| (r, at.fields));
        (memory.releases, memory.ahead, memory.status) = (releases, ahead, status);
    }

    pub fn hear(&mut self) {
        while let Some((at, ..)) = self.cluster.news.front() {
            if *at > self.cluster.now {
                break;
            }
            let Some((_, id, observed)) = self.cluster.news.pop_front() else { break };
            let known = self.memory.observed.get(&id);
            match observed {
                Some(new) if known.is_none_or(|known| known.resource_version < new.resource_version) => {
                    self.memory.observed.insert(id, new);
                }
                Some(_) => {}
                None => {
                    // It may exist again.
                    if !self.cluster.objects.contains_key(&id) {
                        self.memory.observed.remove(&id);
                    }
                }
            }
        }
    }

    pub fn choose(&mut self) -> Chosen {
        let request = self.request();
        let memory = &mut self.memory;
        if let Some(entry) = memory.undo.take()
            && memory.releases.stable.is_some()
            && memory
                .releases
                .next
                .as_ref()
                .is_some_and(|next| next.release.digest().as_str() == entry.digest)
        {
            memory.releases.quarantine(entry);
        }
        let done = std::mem::take(&mut memory.ahead);
        let since = Time(moment(self.cluster.now));
        if !done
            && matches!(request, Some((_, Action::Rollback, _)))
            && let Ok(target) = memory.releases.choose(None)
        {
            memory.releases.go_back(&target, |release| entry(release, "RolledBack", since.clone()));
        }
        let admitted = (!self.git_down).then(|| super::fixtures::release(self.shape, self.git));
        let asked = match request {
            Some((_, Action::Sync, _)) => Asked::Sync,
            Some((_, Action::Retry, _)) => Asked::Retry,
            _ => Asked::Nothing,
        };
        let busy = is_busy(memory);
        let releases = &memory.releases;
        let quarantined: Vec<_> = releases.quarantined.iter().map(|entry| entry.digest.as_str()).collect();
        let selected = select(&Standing {
            admitted: admitted.as_deref().map(Release::digest),
            stable: releases.stable.as_ref().map(|kept| kept.release.digest()),
            next: releases.next.as_ref().map(|kept| kept.release.digest()),
            quarantined: &quarantined,
            mode: SyncMode::Auto,
            asked,
            busy,
        });
        let mut effective = selected.effective;
        let release = match effective {
            Effective::Admitted => admitted.clone(),
            Effective::Next => releases.next.as_ref().map(|kept| kept.release.clone()),
            _ => None,
        };
        if selected.why == Why::Retried
            && let Some(release) = &release
        {
            memory.releases.free(release.digest());
        }
        if effective == Effective::Admitted
            && let Some(admitted) = &admitted
            && memory.releases.undone().is_some()
            && memory.releases.stable.as_ref().is_some_and(|s| s.release.digest() == admitted.digest())
            && memory.releases.present().is_some_and(|p| p.release.digest() == admitted.digest())
        {
            memory.releases.next = None;
            effective = Effective::Stable;
        }
        let retried = asked == Asked::Retry && matches!(effective, Effective::Admitted | Effective::Next);
        Chosen { effective, retried }
    }

    /// After a restart nothing is known of what was applied, unless all is as it was left.
    pub fn compare(&mut self, left: &Release, fields: &str) {
        if fields.is_empty() {
            return;
        }
        let memory = &mut self.memory;
        let observed = |id: &ObjectId| memory.observed.get(id).and_then(|observed| observed.fields.clone());
        let as_left = release_fields(left, &observed) == fields;
        for id in left.ids() {
            if let Some(digest) = left.object_digest(id) {
                let fields = if as_left { observed(id) } else { None };
                memory.applied.insert(id.clone(), Applied { digest: digest.clone(), fields });
            }
        }
    }
}

fn is_busy(memory: &Memory) -> bool {
    let mut under_way = memory
        .status
        .targets
        .iter()
        .filter(|t| t.rollout.as_ref().is_some_and(|r| r.failed.is_none()))
        .peekable();
    if under_way.peek().is_none() {
        return false;
    }
    let policies = memory.releases.next.as_ref().map(|next| policies_once(&next.release)).unwrap_or_default();
    under_way.any(|target| {
        let queue = policies
            .values()
            .any(|policy| policy.is_about(target) && policy.spec.on_new_release == OnNewRelease::Queue);
        target.phase.is_finishing() || queue
    })
}
