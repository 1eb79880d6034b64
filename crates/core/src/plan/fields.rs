use k8s_openapi::apimachinery::pkg::apis::meta::v1::ManagedFieldsEntry;

use super::jobs::is_job;
use crate::object::{Digest, ObjectId, canonical_json};
use crate::release::Release;

/// Hash of the set of fields that the API server says are ours in one object.
///
/// The server takes a field from us the moment anybody else changes it (KEP-555), so "this hash changed" is
/// drift, with no need to read the object, to know defaults or to compare quantities.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FieldsHash(String);

/// Our own entry's hash in `managedFields`: manager `manager`, operation Apply, no subresource. `None` where
/// the server keeps no entry of ours.
pub fn own_fields(manager: &str, entries: &[ManagedFieldsEntry]) -> Option<FieldsHash> {
    let ours = entries.iter().find(|entry| {
        entry.manager.as_deref() == Some(manager)
            && entry.operation.as_deref() == Some("Apply")
            && entry.subresource.as_deref().unwrap_or_default().is_empty()
    })?;
    let fields = canonical_json(&ours.fields_v1.as_ref()?.0);
    Some(FieldsHash(Digest::of_bytes(fields.as_bytes()).short(16).to_owned()))
}

/// [`combined_fields`] of a release. What is left alone once it exists may be as it likes, and a Job may be gone
/// once it ended.
pub fn release_fields(release: &Release, fields: &dyn Fn(&ObjectId) -> Option<FieldsHash>) -> String {
    let counts = |id: &ObjectId| !release.is_left_alone(id) && !is_job(id);
    let found: Vec<_> = release.ids().iter().map(|id| fields(id).filter(|_| counts(id))).collect();
    combined_fields(release.ids().iter().zip(found.iter().map(Option::as_ref)))
}

/// One hash over the fields of many objects, which come in the order of their identities. A restarted
/// controller compares it with the stored one to know that nothing drifted while it was away.
pub fn combined_fields<'a>(objects: impl Iterator<Item = (&'a ObjectId, Option<&'a FieldsHash>)>) -> String {
    let mut text = String::new();
    for (id, fields) in objects {
        text.push_str(&id.to_annotation());
        text.push('=');
        text.push_str(fields.map_or("-", |hash| &hash.0));
        text.push('\n');
    }
    Digest::of_bytes(text.as_bytes()).short(32).to_owned()
}
