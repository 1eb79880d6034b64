//! The destination namespace, where the Application asks for it to be made.

use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::PostParams;

use crate::cluster::error::words;
use crate::controller::application::Scope;
use crate::failure::Failure;

/// Creates the destination namespace, unless it exists.
pub async fn create(scope: &Scope<'_>) -> Result<(), Failure> {
    let name = scope.destination();
    let api = Api::<Namespace>::all(scope.ctx.clients.requests.clone());
    let failure = |error: kube::Error| {
        Failure::transient("NamespaceNotCreated", format!("namespace {name}: {}", words(&error)))
    };
    if api.get_metadata_opt(name).await.map_err(failure)?.is_some() {
        return Ok(());
    }
    let mut namespace = Namespace::default();
    namespace.metadata.name = Some(name.to_owned());
    let params =
        PostParams { field_manager: Some(scope.ctx.applier.manager().to_owned()), ..PostParams::default() };
    match api.create(&params, &namespace).await {
        Err(kube::Error::Api(status)) if status.code == 409 => Ok(()),
        other => other.map(|_| ()).map_err(failure),
    }
}
