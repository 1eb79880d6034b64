//! docs/architecture.md names only paths and types that exist.

use std::fs;
use std::path::{Path, PathBuf};

use super::{read, root};

const PAGE: &str = "docs/architecture.md";
const TOP: [&str; 9] =
    ["charts", "crates", "crds", "docs", "e2e-kind", "examples", "scripts", "src", "tests"];

/// What the page sets in backticks, code blocks left out.
fn code_spans(page: &str) -> Vec<&str> {
    assert!(!page.contains("```"), "{PAGE} has a code block; this test reads spans only");
    page.split('`').skip(1).step_by(2).collect()
}

#[test]
fn every_path_exists() {
    let page = read(PAGE);
    let paths: Vec<_> =
        code_spans(&page).into_iter().filter(|span| TOP.contains(&span.split('/').next().unwrap())).collect();
    assert!(paths.len() > 10, "only {paths:?} were found in {PAGE}");
    for path in paths {
        assert!(root().join(path).exists(), "{PAGE} names `{path}`, which is gone");
    }
}

#[test]
fn every_item_exists() {
    let page = read(PAGE);
    let items: Vec<_> = code_spans(&page).into_iter().filter(|span| span.contains("::")).collect();
    assert!(items.len() > 8, "only {items:?} were found in {PAGE}");
    for item in items {
        let (module, name) = item.rsplit_once("::").unwrap();
        assert!(
            ["crates/core/src", "src"].iter().any(|tree| defines(&root().join(tree), module, name)),
            "{PAGE} names `{item}`, which is gone"
        );
    }
}

/// Whether a file of `module` below `tree`, or of one of its submodules, defines the public item `name`.
fn defines(tree: &Path, module: &str, name: &str) -> bool {
    let path = tree.join(module.replace("::", "/"));
    let mut files = vec![path.with_extension("rs")];
    collect(&path, &mut files);
    files.iter().filter_map(|file| fs::read_to_string(file).ok()).any(|text| {
        ["struct", "enum", "trait", "fn", "async fn"].iter().any(|kind| {
            text.match_indices(&format!("pub {kind} {name}")).any(|(start, found)| {
                !text[start + found.len()..].starts_with(|c: char| c.is_alphanumeric() || c == '_')
            })
        }) || derived(&text, name)
    })
}

/// Custom resources are made from their spec by a derive that names the kind.
fn derived(text: &str, name: &str) -> bool {
    text.contains(&format!("kind = \"{name}\""))
}

fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path);
        }
    }
}
