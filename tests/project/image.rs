//! The Dockerfile and the chart agree with the workspace, as far as that can be said without Docker.

use std::collections::BTreeSet;

use super::{read, root};

/// The value of a `key = "value"` line of a TOML text.
fn toml(text: &str, key: &str) -> String {
    let prefix = format!("{key} = \"");
    let line = text.lines().find_map(|line| line.strip_prefix(&prefix)).unwrap();
    line.trim_end_matches('"').to_owned()
}

#[test]
fn the_dockerfile_copies_what_is_there_and_dockerignore_lets_it_through() {
    let dockerfile = read("Dockerfile");
    let copied: BTreeSet<&str> = dockerfile
        .lines()
        .filter_map(|line| line.strip_prefix("COPY "))
        .filter(|line| !line.starts_with("--from"))
        .flat_map(|line| {
            let words: Vec<_> = line.split_whitespace().collect();
            words[..words.len() - 1].to_vec()
        })
        .collect();
    assert!(copied.contains("Cargo.lock") && copied.contains("src"), "{copied:?}");
    let ignore = read(".dockerignore");
    let let_through: BTreeSet<&str> = ignore.lines().filter_map(|line| line.strip_prefix('!')).collect();
    assert_eq!(copied, let_through);
    for path in copied {
        assert!(root().join(path).exists(), "the Dockerfile copies {path}, which is gone");
    }
}

#[test]
fn the_dockerfile_builds_with_the_oldest_supported_rust_and_does_not_run_as_root() {
    let dockerfile = read("Dockerfile");
    let rust = toml(&read("Cargo.toml"), "rust-version");
    assert!(
        dockerfile.contains(&format!("FROM rust:{rust}-")),
        "the Dockerfile has another Rust than {rust}"
    );
    let last_stage = dockerfile.rsplit("\nFROM ").next().unwrap();
    assert!(last_stage.contains("\nUSER 65532:65532\n"), "{last_stage}");
}

#[test]
fn the_chart_has_the_version_of_the_program() {
    let version = toml(&read("Cargo.toml"), "version");
    let chart = read("charts/windlass/Chart.yaml");
    assert!(chart.contains(&format!("\nversion: {version}\nappVersion: {version}\n")), "{chart}");
    let values = read("charts/windlass/values.yaml");
    assert!(values.contains(&format!("\nimage: windlass:{version}\n")), "{values}");
}
