//! Kubernetes Events. The client library's own recorder takes two Events of one reason for the same and drops
//! the words of the second; here only the same words are the same.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::events::v1::Event;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use k8s_openapi::jiff::Timestamp;
use kube::api::{Patch, PatchParams, PostParams};
use kube::runtime::events::EventType;
use kube::{Api, Client};
use serde_json::json;
use tokio::time::Instant;

use super::error::ClusterError;

/// How long an Event counts as the same as before; the API server keeps it for an hour.
const SAME: Duration = Duration::from_secs(600);
/// Most Events that are kept in mind.
const RECENT: usize = 4096;

/// What an Event says.
#[derive(Clone, Debug)]
pub struct News {
    /// Normal or Warning.
    pub type_: EventType,
    /// What, in a word.
    pub reason: String,
    /// What, in a sentence, at most 1 KiB.
    pub note: String,
}

/// Publishes Events.
pub struct Events {
    client: Client,
    instance: String,
    recent: Mutex<HashMap<Key, Recent>>,
}

/// Of which object, why and in which words.
type Key = (String, String, String);

#[derive(Clone)]
struct Recent {
    name: String,
    count: i32,
    at: Instant,
}

impl Events {
    /// Events of the controller `instance`.
    pub fn new(client: Client, instance: String) -> Self {
        Self { client, instance, recent: Mutex::default() }
    }

    /// Publishes news about an object with one write; the same news again is counted.
    ///
    /// # Errors
    /// What the API server or the transport answers.
    pub async fn publish(&self, news: &News, about: &ObjectReference) -> Result<(), ClusterError> {
        let namespace = about.namespace.as_deref().unwrap_or("default");
        let api = Api::<Event>::namespaced(self.client.clone(), namespace);
        let key = (about.uid.clone().unwrap_or_default(), news.reason.clone(), news.note.clone());
        let (now, at) = (MicroTime(Timestamp::now()), Instant::now());
        let last = self.recall(&key, at);
        if let Some(Recent { name, count, .. }) = last {
            let count = count + 1;
            let series = json!({"series": {"count": count, "lastObservedTime": now}});
            match api.patch(&name, &PatchParams::default(), &Patch::Merge(&series)).await {
                Ok(_) => {
                    self.keep(key, Recent { name, count, at });
                    return Ok(());
                }
                // Somebody deleted it: it is told anew.
                Err(kube::Error::Api(status)) if status.code == 404 => {}
                Err(error) => return Err(error.into()),
            }
        }
        let subject = about.name.as_deref().unwrap_or_default();
        let name = format!("{subject}.{:x}", now.0.as_nanosecond());
        let event = Event {
            metadata: ObjectMeta { name: Some(name.clone()), ..ObjectMeta::default() },
            action: Some("Sync".into()),
            event_time: Some(now),
            note: Some(news.note.clone()),
            reason: Some(news.reason.clone()),
            regarding: Some(about.clone()),
            reporting_controller: Some("windlass".into()),
            reporting_instance: Some(self.instance.clone()),
            type_: Some(match news.type_ {
                EventType::Normal => "Normal".into(),
                EventType::Warning => "Warning".into(),
            }),
            ..Event::default()
        };
        api.create(&PostParams::default(), &event).await?;
        self.keep(key, Recent { name, count: 1, at });
        Ok(())
    }

    fn recall(&self, key: &Key, now: Instant) -> Option<Recent> {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        recent.retain(|_, recent| now.duration_since(recent.at) < SAME);
        recent.get(key).cloned()
    }

    fn keep(&self, key: Key, news: Recent) {
        let mut recent = self.recent.lock().unwrap_or_else(PoisonError::into_inner);
        // More than this at once, and some are told twice.
        if recent.len() >= RECENT {
            recent.clear();
        }
        recent.insert(key, news);
    }
}
