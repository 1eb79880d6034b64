//! What belongs to one test.

use std::fs;
use std::process::Command;
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{ApiResource, DynamicObject, Patch, PatchParams, PostParams};
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};
use tempfile::TempDir;
use windlass_core::api::Application;

use super::controller::Controller;
use super::{
    ApiServer, Mark, Proxy, Ran, Repository, Write, audit, block_on, cluster, evidence, timing, until,
};

/// A namespace with a service account that may do everything, a Git repository, and a controller.
pub struct Scene {
    /// Its namespace.
    pub namespace: String,
    /// Its Git repository.
    pub repository: Repository,
    /// Its controller, which looks after this namespace only.
    pub controller: Controller,
    directory: TempDir,
}

impl Scene {
    /// A scene with a running controller, named after the test.
    pub fn new() -> Self {
        Self::with(&[])
    }

    /// As [`Self::new`], with more arguments for the controller.
    pub fn with(arguments: &[&str]) -> Self {
        let mut scene = Self::waiting(arguments);
        scene.controller.start();
        scene
    }

    /// As [`Self::with`], but the controller does not run yet.
    pub fn waiting(arguments: &[&str]) -> Self {
        Self::of(namespace(timing::current()), arguments)
    }

    /// Another scene in the same test, whose controller does not run yet.
    pub fn beside(&self, name: &str, arguments: &[&str]) -> Self {
        Self::of(format!("{}-{name}", self.namespace), arguments)
    }

    fn of(namespace: String, arguments: &[&str]) -> Self {
        let directory = TempDir::new().unwrap();
        let kubeconfig = directory.path().join("kubeconfig");
        let controller = Controller::new(&namespace, &kubeconfig, directory.path(), arguments);
        let repository = Repository::new(&namespace);
        let scene = Self { namespace, repository, controller, directory };
        scene.kubectl(&["create", "namespace", &scene.namespace]);
        scene.account("windlass", &kubeconfig);
        scene
    }

    /// Makes a service account that may do everything, and a kubeconfig for it.
    fn account(&self, name: &str, kubeconfig: &std::path::Path) {
        self.kubectl(&["create", "serviceaccount", name]);
        let account = format!("--serviceaccount={}:{name}", self.namespace);
        let binding = format!("{name}-{}", self.namespace);
        self.kubectl(&["create", "clusterrolebinding", &binding, "--clusterrole=cluster-admin", &account]);
        let token = self.kubectl(&["create", "token", name, "--duration=1h"]);
        fs::write(kubeconfig, with_token(token.trim())).unwrap();
    }

    /// Puts a proxy between this scene's controller, which must not run yet, and the API server.
    pub fn proxy(&self) -> Proxy {
        let proxy = Proxy::new();
        self.change_cluster(|cluster| *cluster = json!({"server": proxy.url()}));
        proxy
    }

    /// Starts an API server of its own for this scene's controller, which must not run yet. Everybody else
    /// goes on with the one of the cluster.
    pub fn api_server(&self) -> ApiServer {
        let server = ApiServer::start_new(self.directory());
        self.change_cluster(|cluster| cluster["server"] = json!(server.url()));
        server
    }

    /// Changes how this scene's controller reaches the cluster.
    fn change_cluster(&self, change: impl FnOnce(&mut Value)) {
        let file = self.directory().join("kubeconfig");
        let mut kubeconfig: Value = serde_yaml::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
        change(&mut kubeconfig["clusters"][0]["cluster"]);
        fs::write(&file, kubeconfig.to_string()).unwrap();
    }

    /// A second controller like the one that is there, not started yet. Its service account is another one,
    /// so that [`Self::writes`] are of the first alone.
    pub fn another_controller(&self) -> Controller {
        let directory = self.directory().join("another");
        fs::create_dir(&directory).unwrap();
        let kubeconfig = directory.join("kubeconfig");
        self.account("another", &kubeconfig);
        Controller::new(&self.namespace, &kubeconfig, &directory, &[])
    }

    /// A directory that lasts as long as the test.
    pub fn directory(&self) -> &std::path::Path {
        self.directory.path()
    }

    /// Runs kubectl as the administrator in this namespace; gives its standard output.
    #[track_caller]
    pub fn kubectl(&self, arguments: &[&str]) -> String {
        self.try_kubectl(arguments).ok()
    }

    /// As [`Self::kubectl`], but it may fail.
    pub fn try_kubectl(&self, arguments: &[&str]) -> Ran {
        let mut command = Command::new(&cluster().kubectl);
        command.arg("--kubeconfig").arg(&cluster().kubeconfig).args(["--namespace", &self.namespace]);
        Ran::new(command.args(arguments))
    }

    /// Runs `kubectl apply` on manifests, as somebody else than Windlass.
    #[track_caller]
    pub fn kubectl_apply(&self, manifests: &str) {
        self.try_kubectl_apply(manifests).ok();
    }

    /// As [`Self::kubectl_apply`], but it may fail.
    pub fn try_kubectl_apply(&self, manifests: &str) -> Ran {
        let file = self.directory().join("manifests.yaml");
        fs::write(&file, manifests).unwrap();
        self.try_kubectl(&["apply", "--filename", file.to_str().unwrap()])
    }

    /// Runs windlass as the administrator in this namespace.
    pub fn windlass(&self, arguments: &[&str]) -> Ran {
        Ran::new(self.windlass_command().args(arguments).args(["--namespace", &self.namespace]))
    }

    /// windlass as the administrator, in any namespace.
    pub fn windlass_command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_windlass"));
        command.env("KUBECONFIG", &cluster().kubeconfig).env("USER", "jane").env("NO_COLOR", "1");
        command.current_dir(self.directory());
        command
    }

    /// Runs `kubectl apply --server-side` on an Application, with a field manager of its own.
    #[track_caller]
    pub fn kubectl_server_side(&self, name: &str, spec: &str) {
        let file = self.directory().join("application.json");
        fs::write(&file, body(name, &serde_json::from_str(spec).unwrap()).to_string()).unwrap();
        let file = file.to_str().unwrap();
        self.kubectl(&["apply", "--server-side", "--force-conflicts", "--filename", file]);
    }

    /// A live object as JSON; `None` where there is none.
    pub fn get(&self, kind: &str, name: &str) -> Option<Value> {
        let found = self.try_kubectl(&["get", kind, name, "--ignore-not-found", "--output=json"]).ok();
        (!found.is_empty()).then(|| serde_json::from_str(&found).unwrap())
    }

    /// Applies an Application whose one source is the path of its own name in this scene's repository;
    /// `spec` is merged into that.
    pub fn application(&self, name: &str, spec: Value) {
        let mut whole = json!({"sources": [self.source("env", name)]});
        json_patch(&mut whole, spec);
        self.try_application(name, &whole).unwrap();
    }

    /// Applies an Application with exactly this specification.
    pub fn try_application(&self, name: &str, spec: &Value) -> Result<Application, kube::Error> {
        let params = PatchParams::apply("behaviour").force();
        block_on(self.applications().patch(name, &params, &Patch::Apply(&body(name, spec))))
    }

    /// Has the API server judge a new Application, without storing it.
    pub fn judge_application(&self, name: &str, spec: &Value) -> Result<DynamicObject, kube::Error> {
        let resource = ApiResource::erase::<Application>(&());
        let api: Api<DynamicObject> =
            Api::namespaced_with(cluster().client.clone(), &self.namespace, &resource);
        let params = PostParams { dry_run: true, ..PostParams::default() };
        let object = serde_json::from_value(body(name, spec)).unwrap();
        block_on(api.create(&params, &object))
    }

    /// A source at a path of this scene's repository.
    pub fn source(&self, name: &str, path: &str) -> Value {
        json!({"name": name, "git": {"url": self.repository.url, "branch": "main", "path": path}})
    }

    /// An Application as it is.
    pub fn read(&self, name: &str) -> Option<Application> {
        block_on(self.applications().get_opt(name)).unwrap()
    }

    /// A condition of an Application, if it speaks of the present specification.
    pub fn condition(&self, name: &str, kind: &str) -> Result<Condition, String> {
        let application = self.read(name).ok_or("there is no such Application")?;
        let status = application.status.clone().unwrap_or_default();
        let found = status.conditions.into_iter().find(|condition| condition.type_ == kind);
        let condition = found.ok_or_else(|| format!("there is no condition {kind}"))?;
        if condition.observed_generation == application.metadata.generation {
            Ok(condition)
        } else {
            Err(format!("{kind} is of an older generation: {}: {}", condition.reason, condition.message))
        }
    }

    /// Waits until an Application serves a commit and is ready.
    pub fn ready_at(&self, what: &str, name: &str, commit: &str) {
        until(what, || {
            let ready = self.condition(name, "Ready")?;
            let revision = self.read(name).and_then(|app| app.status).unwrap_or_default().sync.revision;
            if ready.status == "True" && revision.contains(&commit[..7]) {
                return Ok(());
            }
            Err(format!("{name} at {revision}: {}: {}", ready.reason, ready.message))
        });
    }

    /// Waits until an Application is not ready for this reason; gives the message.
    pub fn not_ready(&self, what: &str, name: &str, reason: &str) -> String {
        until(what, || {
            let ready = self.condition(name, "Ready")?;
            if ready.status == "False" && ready.reason == reason {
                return Ok(ready.message);
            }
            Err(format!("Ready is {}, {}: {}", ready.status, ready.reason, ready.message))
        })
    }

    /// Has the sources looked at now.
    #[track_caller]
    pub fn refresh(&self, name: &str) -> String {
        self.windlass(&["refresh", name]).ok()
    }

    /// Asks something of an Application by its annotation, as jane.
    #[track_caller]
    pub fn ask(&self, name: &str, action: &str) {
        let id =
            format!("{action}-{}", self.read(name).and_then(|app| app.metadata.resource_version).unwrap());
        let request = json!({"id": id, "action": action, "by": "jane"}).to_string();
        let annotation = format!("windlass.dev/request={request}");
        self.kubectl(&["annotate", "--overwrite", "application", name, &annotation]);
        until(&format!("{action} is carried out"), || {
            let handled = self.read(name).and_then(|app| app.status?.handled_request);
            if handled.as_deref() == Some(&id) { Ok(()) } else { Err(format!("{handled:?}")) }
        });
    }

    /// A place in the audit log: here.
    pub fn mark(&self) -> Mark {
        Mark::now()
    }

    /// Everything that this scene's controller wrote since a mark.
    pub fn writes(&self, since: Mark) -> Vec<Write> {
        audit::writes(&format!("system:serviceaccount:{}:windlass", self.namespace), since)
    }

    /// What this scene's controller had checked by dry runs since a mark: verb, resource and name.
    pub fn dry_runs(&self, since: Mark) -> Vec<String> {
        let user = format!("system:serviceaccount:{}:windlass", self.namespace);
        audit::dry_runs(&user, since).iter().map(ToString::to_string).collect()
    }

    /// The resources that this scene's controller listed since a mark.
    pub fn lists(&self, since: Mark) -> Vec<String> {
        audit::lists(&format!("system:serviceaccount:{}:windlass", self.namespace), since)
    }

    /// The objects that this scene's controller wrote since a mark, its own bookkeeping left out, and what
    /// was refused because somebody else was faster: verb, resource and name, sorted.
    pub fn object_writes(&self, since: Mark) -> Vec<String> {
        let counts = |write: &Write| !write.is_bookkeeping() && !write.is_refused_as_late();
        let writes = self.writes(since).into_iter().filter(counts);
        let mut texts: Vec<_> = writes.map(|write| write.to_string()).collect();
        texts.sort();
        texts
    }

    /// Everything but the renewal of the Lease that this scene's controller wrote since a mark.
    pub fn writes_but_lease(&self, since: Mark) -> Vec<String> {
        let writes = self.writes(since).into_iter().filter(|write| write.resource != "leases");
        writes.map(|write| write.to_string()).collect()
    }

    /// Waits until the controller has written nothing for some seconds but the renewal of its Lease.
    pub fn settled(&self) {
        until("settled", || {
            let mark = Mark::now();
            std::thread::sleep(Duration::from_secs(2));
            let writes = self.writes_but_lease(mark);
            if writes.is_empty() { Ok(()) } else { Err(format!("it wrote {writes:?}")) }
        });
    }

    fn applications(&self) -> Api<Application> {
        Api::namespaced(cluster().client.clone(), &self.namespace)
    }
}

impl Drop for Scene {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let list = block_on(self.applications().list(&Default::default()));
            for application in list.into_iter().flatten() {
                let status = serde_json::to_string_pretty(&application.status).unwrap_or_default();
                evidence::add(&format!("status of {}", application.name_any()), &status);
            }
        }
    }
}

/// A namespace named after a test; a name has at most 63 characters.
fn namespace(test: &str) -> String {
    let name: String = test.replace("::", "-").replace('_', "-").chars().take(48).collect();
    name.trim_end_matches('-').to_owned()
}

fn body(name: &str, spec: &Value) -> Value {
    json!({"apiVersion": "windlass.dev/v1alpha1", "kind": "Application", "metadata": {"name": name}, "spec": spec})
}

/// Merges as a JSON merge patch does (RFC 7386).
fn json_patch(target: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = json!({});
    }
    for (key, value) in patch {
        if value.is_null() {
            target.as_object_mut().unwrap().remove(&key);
        } else {
            json_patch(&mut target[&key], value);
        }
    }
}

/// The administrator's kubeconfig with a token in place of the administrator.
fn with_token(token: &str) -> String {
    let text = fs::read_to_string(&cluster().kubeconfig).unwrap();
    let mut kubeconfig: Value = serde_yaml::from_str(&text).unwrap();
    kubeconfig["users"][0]["user"] = json!({"token": token});
    kubeconfig.to_string()
}
