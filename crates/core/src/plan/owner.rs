use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::api::{APPLICATION_LABEL, AppKey, OWNER_ANNOTATION};
use crate::fields::ManagerNames;
use crate::object::{Digest, Object, ObjectId};

/// One install of Windlass in one cluster. Two installs, or two clusters restored from one backup, never
/// take each other's objects for their own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance(String);

impl Instance {
    /// From the install's name and the UID of the cluster's `kube-system` namespace.
    pub fn new(install: &str, cluster_uid: &str) -> Self {
        let digest = Digest::of_bytes(format!("{install}\n{cluster_uid}").as_bytes());
        Self(format!("{install}-{}", digest.short(8)))
    }

    /// As it stands in the owner annotation.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The field manager of every server-side apply of this install.
    pub fn field_manager(&self) -> String {
        format!("windlass-{}", self.0)
    }

    /// All field managers of this install.
    pub fn managers(&self) -> ManagerNames {
        let hand_over = format!("windlass-handover-{}", self.0);
        ManagerNames { main: self.field_manager(), hand_over }
    }

    /// Value of [`APPLICATION_LABEL`] on the objects of `app`: a hash, since names can be longer than a
    /// label value.
    pub fn label(&self, app: &AppKey) -> String {
        Digest::of_bytes(format!("{}/{app}", self.0).as_bytes()).short(16).to_owned()
    }

    /// Value of [`OWNER_ANNOTATION`] on object `id` of `app`.
    pub fn annotation(&self, app: &AppKey, id: &ObjectId) -> String {
        format!("{}/{}/{}:{}", self.0, app.namespace, app.name, id.to_annotation())
    }

    /// Marks `object` as owned by `app`.
    pub fn stamp(&self, app: &AppKey, id: &ObjectId, object: &mut Object) {
        object.set_label(APPLICATION_LABEL, &self.label(app));
        object.set_annotation(OWNER_ANNOTATION, &self.annotation(app, id));
    }
}

/// To whom a live object belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ownership {
    /// To an Application of this install.
    App(AppKey),
    /// To an Application of another install of Windlass, as its annotation names it.
    OtherInstance(String),
    /// Another delivery tool tracks it: `Argo CD`, `Flux` or `Helm`.
    Tracked(&'static str),
    /// A controller made it for another object, so it is not for Windlass to manage.
    Controlled(String),
    /// To nobody.
    Unowned,
}

/// Reads the ownership of live object `id` from its metadata. The annotation counts only where the part
/// after the colon names the object itself, because core controllers copy labels and annotations to what
/// they create.
pub fn ownership(instance: &Instance, id: &ObjectId, meta: &ObjectMeta) -> Ownership {
    if let Some(owner) = meta.owner_references.iter().flatten().find(|r| r.controller == Some(true)) {
        return Ownership::Controlled(format!("{} {}", owner.kind, owner.name));
    }
    let annotation = |key: &str| meta.annotations.as_ref()?.get(key).map(String::as_str);
    let label = |key: &str| meta.labels.as_ref()?.get(key).map(String::as_str);
    if let Some((owner, object)) = annotation(OWNER_ANNOTATION).and_then(|a| a.split_once(':'))
        && object == id.to_annotation()
    {
        let mut parts = owner.rsplitn(3, '/');
        if let (Some(name), Some(namespace), Some(of)) = (parts.next(), parts.next(), parts.next()) {
            return if of == instance.as_str() {
                Ownership::App(AppKey::new(namespace, name))
            } else {
                Ownership::OtherInstance(owner.to_owned())
            };
        }
    }
    if label("argocd.argoproj.io/instance").is_some()
        || annotation("argocd.argoproj.io/tracking-id").is_some()
    {
        return Ownership::Tracked("Argo CD");
    }
    if label("kustomize.toolkit.fluxcd.io/name").is_some() || label("helm.toolkit.fluxcd.io/name").is_some() {
        return Ownership::Tracked("Flux");
    }
    if label("app.kubernetes.io/managed-by") == Some("Helm")
        && annotation("meta.helm.sh/release-name").is_some()
    {
        return Ownership::Tracked("Helm");
    }
    Ownership::Unowned
}
