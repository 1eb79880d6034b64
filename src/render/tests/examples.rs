//! What users copy renders, and what docs/rendering.md says of helpers is so.

use std::path::{Path, PathBuf};

use windlass_core::api;

use super::*;
use crate::render::handlebars::{Templates, helper_names};
use crate::render::{RenderRequest, files, render};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// Renders an Application of `examples/applications` with `root` as its repository; one line for each object.
fn example(application: &str, root: &Path) -> Vec<String> {
    let text = std::fs::read(self::root().join("examples/applications").join(application)).unwrap();
    let documents = windlass_core::yaml::load(application, &text).unwrap();
    let application: api::Application = serde_json::from_value(documents[0].value.clone()).unwrap();
    let spec = &application.spec;
    let sources = spec.sources.iter().map(|source| SourceInput {
        name: source.name.clone(),
        files: Files::Directory { root: root.to_owned() },
        revision: "local".into(),
        path: source.git.path.clone(),
        render: source.render.clone(),
    });
    let context = Context { app: "shop".into(), namespace: "shop".into(), cluster: "local".into() };
    let rendered = render(&RenderRequest { context, sources: sources.collect() }).unwrap();
    let objects = rendered.sources.iter().flat_map(|source| &source.objects);
    objects.map(|object| format!("{}: {}", object.origin, object.body)).collect()
}

#[test]
fn the_examples_render() {
    let examples = root().join("examples");
    let shop = examples.join("shop");
    insta::assert_snapshot!("plain", example("plain.yaml", &examples).join("\n"));
    insta::assert_snapshot!("canary", example("canary.yaml", &examples).join("\n"));
    let [staging, prod] = ["shop-staging.yaml", "shop-prod.yaml"].map(|file| example(file, &shop));
    insta::assert_snapshot!("shop_prod", prod.join("\n"));
    assert_eq!(staging.len(), prod.len());
    let differing: Vec<_> =
        staging.iter().zip(&prod).filter(|(a, b)| a != b).map(|(a, _)| a.clone()).collect();
    insta::assert_snapshot!("shop_staging_where_it_differs", differing.join("\n"));
}

/// The first block of a language in a Markdown page.
fn block<'a>(page: &'a str, language: &str) -> &'a str {
    let (_, rest) = page.split_once(&format!("```{language}\n")).unwrap();
    rest.split_once("```").unwrap().0
}

/// `` | `a` | `b` | `` gives a and b; what the cells' bars are escaped with is taken out.
fn cells(row: &str) -> Option<(String, String)> {
    let mut cells = row.strip_prefix("| `")?.split("` | `");
    let input = cells.next()?;
    let output = cells.next()?.strip_suffix("` |")?;
    Some((input.to_owned(), output.to_owned()))
}

#[test]
fn the_page_tells_what_helpers_give() {
    let page = std::fs::read_to_string(root().join("docs/rendering.md")).unwrap();
    let values = block(&page, "yaml");
    let mut rows = 0;
    for (input, output) in page.lines().filter_map(cells).filter(|(input, _)| input.starts_with("{{")) {
        let tree = MemoryTree::of(&[("app/t.hbs", &input), ("values.yaml", values)]);
        let settings = api::Handlebars { values_files: vec!["../values.yaml".into()], ..Default::default() };
        let files = files::walk(&tree, "app").unwrap();
        let source = super::input("app", json!({}));
        let templates = Templates::load(&context(), &source, &settings, &tree, "app", &files);
        let text = templates.and_then(|templates| templates.text("app/t.hbs"));
        let text = text.unwrap_or_else(|error| panic!("{input}: {error}"));
        assert_eq!(String::from_utf8(text).unwrap(), output.replace("\\n", "\n"), "{input}");
        rows += 1;
    }
    assert!(rows > 20, "only {rows} rows were found");
    for function in helper_names() {
        assert!(page.contains(&format!("| `{{{{{function} ")), "{function} is not explained");
    }
}
