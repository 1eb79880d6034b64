use std::fs;

use rstest::rstest;
use serde_json::json;
use tempfile::TempDir;

use super::*;

/// A working tree with `envs/prod` and `values/prod.yaml`.
fn tree() -> TempDir {
    let tree = tempfile::tempdir().unwrap();
    fs::create_dir(tree.path().join(".git")).unwrap();
    fs::create_dir_all(tree.path().join("envs/prod")).unwrap();
    fs::create_dir(tree.path().join("values")).unwrap();
    fs::write(tree.path().join("values/prod.yaml"), "a: 1\n").unwrap();
    tree
}

fn app(sources: serde_json::Value) -> Application {
    serde_json::from_value(json!({
        "apiVersion": "windlass.dev/v1alpha1", "kind": "Application",
        "metadata": {"name": "shop", "namespace": "team-a"}, "spec": {"sources": sources},
    }))
    .unwrap()
}

fn source(name: &str, url: &str) -> serde_json::Value {
    json!({"name": name, "git": {"url": url, "branch": "main", "path": "envs/prod"}})
}

fn root_of(input: &SourceInput) -> &Path {
    match &input.files {
        Files::Directory { root } => root,
        Files::Git { .. } => panic!("not a directory"),
    }
}

#[test]
fn a_directory_is_rendered_within_its_working_tree() {
    let tree = tree();
    let values = tree.path().join("values/prod.yaml");
    let request = directory(&tree.path().join("envs/prod"), &[values], None, "shop").unwrap();
    assert_eq!(request.context.app, "prod");
    let input = &request.sources[0];
    assert_eq!(root_of(input), tree.path().canonicalize().unwrap());
    assert_eq!(input.path, "envs/prod");
    let handlebars = input.render.handlebars.as_ref().unwrap();
    assert_eq!(handlebars.values_files, ["../../values/prod.yaml"]);
}

#[test]
fn without_a_repository_the_root_is_what_holds_everything_named() {
    let tree = tree();
    fs::remove_dir(tree.path().join(".git")).unwrap();
    let values = tree.path().join("values/prod.yaml");
    let request = directory(&tree.path().join("envs/prod"), &[values], Some("shop"), "n").unwrap();
    assert_eq!(request.sources[0].path, "envs/prod");
    let alone = directory(&tree.path().join("envs/prod"), &[], None, "n").unwrap();
    assert_eq!(alone.sources[0].path, ".");
    assert_eq!(alone.sources[0].render, Render::default());
}

#[test]
fn values_outside_of_the_repository_are_refused_as_the_controller_would() {
    let (tree, other) = (tree(), tree());
    let error = directory(tree.path(), &[other.path().join("values/prod.yaml")], None, "n").unwrap_err();
    assert!(error.to_string().contains("lies outside of the repository"), "{error}");
}

#[test]
fn each_source_has_its_own_checkout_or_the_common_one() {
    let (common, lib) = (tree(), tree());
    let app = app(json!([source("env", "https://a/env.git"), source("lib", "https://a/lib.git")]));
    let roots = [Root { source: Some("lib".into()), directory: lib.path().into() }];
    let request = application(&app, &roots, common.path()).unwrap();
    assert_eq!(root_of(&request.sources[0]), common.path().canonicalize().unwrap());
    assert_eq!(root_of(&request.sources[1]), lib.path().canonicalize().unwrap());
    assert_eq!((request.context.app.as_str(), request.context.namespace.as_str()), ("shop", "team-a"));
}

#[test]
fn one_checkout_cannot_stand_for_two_repositories() {
    let tree = tree();
    let app = app(json!([source("env", "https://a/env.git"), source("lib", "https://a/lib.git")]));
    let error = application(&app, &[], tree.path()).unwrap_err();
    assert!(error.to_string().ends_with("--root lib=DIRECTORY"), "{error}");
}

#[test]
fn a_root_for_a_source_that_is_not_there_is_refused() {
    let tree = tree();
    let app = app(json!([source("env", "https://a/env.git")]));
    let error = application(&app, &["evn=/x".parse().unwrap()], tree.path()).unwrap_err();
    assert!(error.to_string().contains("no source of that name; it has env"), "{error}");
}

const TWO: &str = "\
apiVersion: v1
kind: ConfigMap
metadata: {name: c}
---
apiVersion: windlass.dev/v1alpha1
kind: Application
metadata: {name: shop}
spec:
  sources: [{name: env, secretRef: null, git: {url: 'https://a/b', branch: main}}]
---
apiVersion: windlass.dev/v1alpha1
kind: Application
metadata: {name: shop-2}
spec:
  sources: [{name: env, git: {url: 'https://a/b', branch: main, pth: x}}]
";

#[rstest]
#[case(Some("shop"), "ok")]
#[case(None, "holds several Applications; choose one with --app: shop, shop-2")]
#[case(Some("shop-3"), "holds no Application shop-3")]
#[case(Some("shop-2"), ":11: spec.sources[0].git.pth is no field of an Application")]
fn one_application_is_read_strictly(#[case] name: Option<&str>, #[case] outcome: &str) {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("apps.yaml");
    fs::write(&file, TWO).unwrap();
    let answer = match load(&file, name) {
        Ok(_) => "ok".to_owned(),
        Err(error) => format!("{error:#}"),
    };
    assert!(answer.ends_with(outcome), "{answer}");
}

#[rstest]
#[case("/a/b", None, "/a/b")]
#[case("env=/a", Some("env"), "/a")]
#[case("./A=b", None, "./A=b")]
fn roots_are_read(#[case] text: &str, #[case] source: Option<&str>, #[case] directory: &str) {
    let root: Root = text.parse().unwrap();
    assert_eq!((root.source.as_deref(), root.directory.as_path()), (source, Path::new(directory)));
    assert_eq!(root.to_string(), text);
}
