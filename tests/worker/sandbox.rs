//! What a worker cannot do, tried in the real process.

use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::PathBuf;

use windlass::worker::{Kind, Probe};

use crate::pool::{Bench, bench};

const KINDS: [Kind; 2] = [Kind::Fetch, Kind::Render];

/// Whether this kernel has a layer; says so when a test is skipped for the lack of it.
async fn has(bench: &Bench, layer: &str) -> bool {
    let sandbox = bench.pool.sandbox(Kind::Render).await.unwrap();
    let has = sandbox.has(layer);
    if !has {
        println!("skipped: {:?}", sandbox.gaps());
    }
    has
}

#[tokio::test]
async fn the_sandbox_says_what_it_has() {
    let bench = bench(|_| {});
    for kind in KINDS {
        let sandbox = bench.pool.sandbox(kind).await.unwrap();
        println!("{kind}: {sandbox}; gaps: {:?}", sandbox.gaps());
        let layers: Vec<_> = sandbox.protections.iter().map(|layer| layer.name.as_str()).collect();
        assert_eq!(layers, ["limits", "no-new-privs", "landlock", "seccomp"]);
        assert!(sandbox.has("limits") && sandbox.has("no-new-privs"));
    }
}

#[tokio::test]
async fn files_outside_the_cache_stay_closed() {
    let bench = bench(|_| {});
    if !has(&bench, "landlock").await {
        return;
    }
    let token = bench.file("token", "secret");
    let link = bench.directory.path().join("cache/link");
    symlink(&token, &link).unwrap();
    let parent = PathBuf::from("/proc").join(std::process::id().to_string());
    let forbidden = [
        token,
        link,
        "../token".into(),
        "/var/run/secrets/kubernetes.io/serviceaccount/token".into(),
        "/etc/passwd".into(),
        parent.join("environ"),
        parent.join("mem"),
        "/proc/self/environ".into(),
    ];
    for kind in KINDS {
        for path in &forbidden {
            let outcome = bench.probe(kind, Probe::Open(path.clone())).await;
            let error = outcome.expect_err("a worker read a file that is none of its business");
            let absent = !path.exists() && error.contains("No such file");
            assert!(absent || error.contains("Permission denied"), "{kind} {}: {error}", path.display());
        }
        let outcome = bench.probe(kind, Probe::Write(bench.directory.path().join("new"))).await;
        assert!(outcome.unwrap_err().contains("Permission denied"));
    }
}

#[tokio::test]
async fn the_cache_is_read_by_both_and_written_by_fetches() {
    let bench = bench(|_| {});
    let file = bench.file("cache/file", "content");
    for kind in KINDS {
        assert_eq!(bench.probe(kind, Probe::Open(file.clone())).await.unwrap(), "content");
    }
    assert_eq!(bench.probe(Kind::Fetch, Probe::Write(file.clone())).await.unwrap(), "written");
    if has(&bench, "landlock").await {
        assert!(bench.probe(Kind::Render, Probe::Write(file)).await.is_err());
    }
}

#[tokio::test]
async fn only_fetches_have_the_network() {
    let bench = bench(|_| {});
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    assert_eq!(bench.probe(Kind::Fetch, Probe::Connect(address)).await.unwrap(), "connected");
    if has(&bench, "seccomp").await {
        let error = bench.probe(Kind::Render, Probe::Connect(address)).await.unwrap_err();
        assert!(error.contains("Operation not permitted"), "{error}");
    }
}

#[tokio::test]
async fn other_processes_are_out_of_reach() {
    let bench = bench(|_| {});
    if !has(&bench, "seccomp").await {
        return;
    }
    for kind in KINDS {
        for probe in [Probe::TraceParent, Probe::SignalParent, Probe::Run("/bin/true".into())] {
            let error = bench.probe(kind, probe.clone()).await.unwrap_err();
            assert!(error.contains("Operation not permitted"), "{kind} {probe:?}: {error}");
        }
        assert_eq!(bench.probe(kind, Probe::Thread).await.unwrap(), "ran");
    }
}
