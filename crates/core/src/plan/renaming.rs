use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::api::{AppKey, MOVED_FROM_ANNOTATION, MOVED_TO_ANNOTATION};

/// The Application whose place an Application says that it takes, by [`MOVED_FROM_ANNOTATION`]: `NAMESPACE/NAME`,
/// or `NAME` in its own namespace. An Application never takes its own place.
pub fn moved_from(app: &AppKey, meta: &ObjectMeta) -> Option<AppKey> {
    named(app, meta, MOVED_FROM_ANNOTATION)
}

/// Whether `taker` may take the place of `from`, whose metadata is given where it still exists. A tenant must
/// not take what another namespace has: there the one that is taken from has to say so too, by
/// [`MOVED_TO_ANNOTATION`].
pub fn may_take(taker: &AppKey, from: &AppKey, from_meta: Option<&ObjectMeta>) -> bool {
    taker.namespace == from.namespace
        || from_meta.and_then(|meta| named(from, meta, MOVED_TO_ANNOTATION)).as_ref() == Some(taker)
}

fn named(app: &AppKey, meta: &ObjectMeta, annotation: &str) -> Option<AppKey> {
    let text = meta.annotations.as_ref()?.get(annotation)?.trim();
    let (namespace, name) = text.split_once('/').unwrap_or((app.namespace.as_str(), text));
    let other = AppKey::new(namespace, name);
    (!namespace.is_empty() && !name.is_empty() && !name.contains('/') && other != *app).then_some(other)
}
