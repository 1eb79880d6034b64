//! The watch of the Applications themselves: who is new, changed, asked for or gone.

use std::collections::HashSet;
use std::sync::Arc;

use futures::{StreamExt as _, TryStreamExt as _};
use kube::api::DynamicObject;
use kube::core::{ObjectMeta, TypeMeta};
use kube::runtime::WatchStreamExt as _;
use kube::runtime::watcher::{self, Event, watcher};
use kube::{Api, Resource as _, ResourceExt as _};
use serde_json::Value;
use windlass_core::api::{
    AppKey, Application, MOVED_FROM_ANNOTATION, MOVED_TO_ANNOTATION, REQUEST_ANNOTATION,
};
use windlass_core::plan::moved_from;

use super::context::{Context, Put};
use super::queue::Trigger;
use super::view::same_moment;
use crate::cluster::error::watch_words;
use crate::cluster::watch::PAGE;

/// Watches the Applications of `namespace`, or of all namespaces, for ever. Objects are decoded one by one,
/// so that one that cannot be read stops only itself.
pub async fn watch(ctx: Arc<Context>, namespace: Option<String>) {
    let resource = kube::discovery::ApiResource::erase::<Application>(&());
    let client = ctx.clients.watches.clone();
    let api: Api<DynamicObject> = match &namespace {
        Some(namespace) => Api::namespaced_with(client, namespace, &resource),
        None => Api::all_with(client, &resource),
    };
    let config = watcher::Config::default().timeout(230).page_size(PAGE);
    let mut events = watcher(api, config).default_backoff().boxed();
    let (mut listed, mut first) = (HashSet::new(), true);
    loop {
        match events.try_next().await {
            Ok(Some(Event::Init)) => listed.clear(),
            Ok(Some(Event::InitApply(object))) => {
                listed.insert(key(&object));
                take_notice(&ctx, object, first);
            }
            Ok(Some(Event::Apply(object))) => seen(&ctx, object),
            Ok(Some(Event::Delete(object))) => gone(&ctx, &key(&object)),
            Ok(Some(Event::InitDone)) => {
                let here =
                    |key: &AppKey| namespace.as_ref().is_none_or(|namespace| *namespace == key.namespace);
                for key in ctx.apps.keys().into_iter().filter(|key| here(key) && !listed.contains(key)) {
                    gone(&ctx, &key);
                }
                if std::mem::take(&mut first) {
                    // What is stored of an Application that is gone must not stand in others' way.
                    let remembered = ctx.apps.remembered().into_iter().filter(here);
                    for key in remembered.filter(|key| !listed.contains(key)) {
                        ctx.queue.trigger(key, Trigger::Event);
                    }
                    ctx.apps.note_listed();
                }
            }
            Ok(None) => return,
            Err(error) => {
                let error = watch_words(&error);
                tracing::warn!(error, "the watch of Applications broke and starts over");
            }
        }
    }
}

fn key(object: &DynamicObject) -> AppKey {
    AppKey::new(&object.namespace().unwrap_or_default(), &object.name_any())
}

/// Takes notice of an Application as the watch shows it, or as the answer to our own apply did: what the
/// watch will say later must not be news to those that were applied after it.
pub fn seen(ctx: &Context, object: DynamicObject) {
    take_notice(ctx, object, false);
}

/// As [`seen`]. What is there `at_start` is older than any look at a repository.
fn take_notice(ctx: &Context, object: DynamicObject, at_start: bool) {
    let key = key(&object);
    let namespaces = &ctx.config.watch_namespaces;
    if !namespaces.is_empty() && !namespaces.contains(&key.namespace) {
        return;
    }
    let app = match decode(object) {
        Ok(app) => kept_once(ctx, &key, app),
        Err(error) => {
            tracing::error!(app = %key, %error, "an Application cannot be read; is its CustomResourceDefinition current?");
            return;
        }
    };
    let request = |app: &Application| app.annotations().get(REQUEST_ANNOTATION).cloned();
    let named = |app: &Application| {
        [MOVED_FROM_ANNOTATION, MOVED_TO_ANNOTATION].map(|name| app.annotations().get(name).cloned())
    };
    // Whose place is taken, or no longer, is looked at as well.
    let from = |app: &Application| moved_from(&key, &app.metadata);
    let before = ctx.apps.get(&key);
    for from in before.iter().map(|before| from(before)).chain([from(&app)]).flatten() {
        if before.as_ref().is_none_or(|b| named(b) != named(&app) || ends(b) != ends(&app)) {
            ctx.queue.trigger(from, Trigger::Event);
        }
    }
    let sources = |app: &Application| (app.metadata.uid.clone(), app.spec.sources.clone());
    if !at_start && before.as_ref().is_none_or(|before| sources(before) != sources(&app)) {
        ctx.apps.news.note(&key);
    }
    let trigger = match ctx.apps.put(key.clone(), app.clone()) {
        Put::Older => None,
        Put::New => Some(Trigger::Event),
        Put::InPlaceOf(before) if request(&before) != request(&app) => Some(Trigger::Person),
        Put::InPlaceOf(before)
            if before.metadata.generation != app.metadata.generation
                || before.metadata.uid != app.metadata.uid
                || named(&before) != named(&app)
                || before.metadata.deletion_timestamp != app.metadata.deletion_timestamp =>
        {
            Some(Trigger::Event)
        }
        // Our own status.
        Put::InPlaceOf(_) => None,
    };
    if let Some(trigger) = trigger {
        ctx.queue.trigger(key, trigger);
    }
}

/// The copy that people see already, where it is the same: most events are about our own status.
fn kept_once(ctx: &Context, key: &AppKey, app: Application) -> Arc<Application> {
    match ctx.views.get(key) {
        Some(view) if same_moment(&view.application, &app) && view.application.status == app.status => {
            view.application.clone()
        }
        _ => Arc::new(app),
    }
}

fn ends(app: &Application) -> bool {
    app.metadata.deletion_timestamp.is_some()
}

fn gone(ctx: &Context, key: &AppKey) {
    if let Some(from) = ctx.apps.get(key).and_then(|app| moved_from(key, &app.metadata)) {
        ctx.queue.trigger(from, Trigger::Event);
    }
    ctx.apps.remove(key);
    ctx.apps.news.forget(key);
    ctx.views.remove(key);
    ctx.queue.forget(key);
    // A last reconcile lets go of what is remembered.
    ctx.queue.trigger(key.clone(), Trigger::Event);
}

fn decode(object: DynamicObject) -> Result<Application, serde_json::Error> {
    let mut body = object.data;
    let types = object.types.unwrap_or_else(|| TypeMeta {
        api_version: Application::api_version(&()).into(),
        kind: Application::kind(&()).into(),
    });
    if let Value::Object(map) = &mut body {
        map.insert("apiVersion".into(), types.api_version.into());
        map.insert("kind".into(), types.kind.into());
        // Who wrote which field of an Application matters to nobody here, and is most of its size.
        let metadata = ObjectMeta { managed_fields: None, ..object.metadata };
        map.insert("metadata".into(), serde_json::to_value(metadata)?);
    }
    serde_json::from_value(body)
}
