//! `windlass build PATH`

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use clap::Args;
use serde_json::json;
use windlass_core::object::Cluster;
use windlass_core::plan::{Admission, BuiltinKinds, Candidate, Limits, Violation, admit};
use windlass_core::release::Release;
use windlass_core::yaml;

use super::install::Format;
use super::offline::{self, Root, toplevel};
use super::output::Exit;
use super::text;

/// Render a directory or an Application file, offline, into the objects that would be applied.
#[derive(Args, Debug)]
pub struct Build {
    /// A directory of manifests, or a file with an Application
    path: PathBuf,
    /// Values for the templates of a directory (repeatable; later ones win)
    #[arg(long, value_name = "FILE")]
    values: Vec<PathBuf>,
    /// What templates know as the Application's name; of a file with several Applications, which one
    #[arg(long, value_name = "NAME")]
    app: Option<String>,
    /// Namespace of objects that name none (default: that of the Application, else `default`)
    #[arg(short, long)]
    namespace: Option<String>,
    /// Where the Application's repository is checked out (repeatable as SOURCE=DIRECTORY; default: the
    /// working tree that the file is in)
    #[arg(long, value_name = "DIRECTORY")]
    root: Vec<Root>,
    /// Form of the answer
    #[arg(short, long, value_enum, default_value_t)]
    output: Format,
}

impl Build {
    pub(super) fn run(self) -> anyhow::Result<Exit> {
        let (request, namespace) = if self.path.is_dir() {
            ensure!(
                self.root.is_empty(),
                "--root belongs to an Application file, and {} is a directory",
                self.path.display()
            );
            let namespace = self.namespace.clone().unwrap_or_else(|| "default".into());
            (offline::directory(&self.path, &self.values, self.app.as_deref(), &namespace)?, namespace)
        } else {
            ensure!(self.values.is_empty(), "--values belongs to a directory; an Application names its own");
            let mut app = offline::load(&self.path, self.app.as_deref())?;
            if self.namespace.is_some() {
                app.spec.destination.namespace.clone_from(&self.namespace);
            }
            let request = offline::application(&app, &self.root, &working_tree(&self.path)?)?;
            (request, offline::destination(&app))
        };
        let several = request.sources.len() > 1;
        let release = release(offline::render(request)?, &namespace)?;
        text::print(&match self.output {
            Format::Yaml => stream(&release, several),
            Format::Json => {
                let items: Vec<_> = release.iter().map(|(_, object)| object.object.body()).collect();
                format!("{:#}\n", json!({"apiVersion": "v1", "kind": "List", "items": items}))
            }
        })?;
        Ok(Exit::Ok)
    }
}

/// The working tree of a file, else the current directory.
pub(super) fn working_tree(file: &Path) -> anyhow::Result<PathBuf> {
    let file = file.canonicalize().with_context(|| format!("cannot read {}", file.display()))?;
    match toplevel(&file) {
        Some(root) => Ok(root),
        None => std::env::current_dir().context("the current directory cannot be read"),
    }
}

/// Admits the objects as far as that can be done without an API server.
fn release(candidates: Vec<Candidate>, namespace: &str) -> anyhow::Result<Release> {
    let admission = Admission {
        kinds: &BuiltinKinds,
        cluster: &Cluster::default(),
        namespace,
        owner: None,
        allow_empty: false,
        limits: Limits::default(),
    };
    match admit(offline::REVISION.into(), candidates, &admission) {
        Ok(release) => Ok(release),
        Err(violations) => bail!("{}", told(&violations)),
    }
}

/// One line a violation.
fn told(violations: &[Violation]) -> String {
    violations.iter().map(|violation| violation.message.as_str()).collect::<Vec<_>>().join("\n")
}

/// A YAML stream in which a comment says where each object came from.
fn stream(release: &Release, several: bool) -> String {
    let mut stream = String::new();
    let hooks = release.hooks().map(|hook| hook.object);
    for object in release.iter().map(|(_, object)| object).chain(hooks) {
        let source = if several { format!("{} ", object.origin.source) } else { String::new() };
        let origin = text::line(&format!("{source}{}", object.origin));
        stream.push_str(&format!("---\n# Source: {origin}\n"));
        stream.push_str(&yaml::write(object.object.body()));
    }
    stream
}
