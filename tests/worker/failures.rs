//! A hang, a bomb, a crash or garbage costs one call one error, and the next call works.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use windlass::worker::{Kind, PoolConfig, Probe, WorkerError};

use crate::pool::{Bench, bench, gone};

async fn still_works(bench: &Bench, kind: Kind) {
    assert_eq!(bench.probe(kind, Probe::Echo("still here".into())).await.unwrap(), "still here");
}

#[tokio::test]
async fn a_hang_is_killed_at_its_deadline() {
    let bench = bench(|_| {});
    for (kind, probe, reason) in
        [(Kind::Render, Probe::Spin, "RenderTimeout"), (Kind::Fetch, Probe::Stop, "FetchTimeout")]
    {
        let pid = bench.pid(kind).await;
        let start = Instant::now();
        let error = bench.probe_for(kind, probe, Duration::from_millis(300)).await.unwrap_err();
        println!("{reason} after {:?}", start.elapsed());
        let failure = error.failure("render of team-a/shop");
        assert_eq!((failure.reason.as_str(), failure.transient), (reason, true));
        assert!(failure.message.starts_with("render of team-a/shop failed: "), "{failure}");
        assert!(failure.message.contains("0.3 s"), "{failure}");
        gone(pid).await;
        still_works(&bench, kind).await;
    }
}

#[tokio::test]
async fn a_crash_tells_its_signal_or_code() {
    let bench = bench(|_| {});
    for (probe, status) in [(Probe::Abort, "signal 6"), (Probe::Exit(3), "exit code 3")] {
        let error = bench.failure(Kind::Render, probe).await;
        assert_eq!(error.reason(), "WorkerCrashed");
        assert!(error.to_string().contains(status), "{error}");
        still_works(&bench, Kind::Render).await;
    }
}

#[tokio::test]
async fn a_memory_bomb_meets_its_limit() {
    let bench = bench(|config| config.memory = 128 << 20);
    assert!(bench.probe(Kind::Render, Probe::Allocate(32 << 20)).await.is_ok());
    let error = bench.failure(Kind::Render, Probe::Allocate(256 << 20)).await;
    assert!(matches!(error, WorkerError::OutOfMemory { limit: 134_217_728, .. }), "{error:?}");
    assert!(!error.failure("render").transient);
    still_works(&bench, Kind::Render).await;
}

#[tokio::test]
async fn frames_are_bounded_both_ways() {
    let bench = bench(|_| {});
    let error = bench.failure(Kind::Render, Probe::Echo("x".repeat(17 << 20))).await;
    assert!(matches!(error, WorkerError::TooLarge { what: "request", .. }), "{error:?}");
    let error = bench.failure(Kind::Render, Probe::Flood(33 << 20)).await;
    assert!(matches!(error, WorkerError::TooLarge { what: "answer", .. }), "{error:?}");
    let large = bench.probe(Kind::Render, Probe::Flood(31 << 20)).await.unwrap();
    assert_eq!(large.len(), 31 << 20);
}

#[tokio::test]
async fn a_program_that_is_no_worker_is_found_out() {
    for (fake, reason, said) in [
        ("garbage.sh", "WorkerUnavailable", "larger than"),
        ("huge.sh", "WorkerProtocol", "larger than"),
        ("cut.sh", "WorkerCrashed", "exit code 0"),
    ] {
        let bench = bench(|config| play(config, fake));
        let error = bench.failure(Kind::Render, Probe::Describe).await;
        assert_eq!(error.reason(), reason, "{fake}: {error}");
        assert!(error.to_string().contains(said), "{fake}: {error}");
    }
}

#[tokio::test]
async fn an_answer_to_another_question_is_refused() {
    let bench = bench(|config| play(config, "liar.sh"));
    let request = windlass::source::git::PathIdsRequest {
        mirror: PathBuf::from("mirror"),
        commit: "0".repeat(40),
        paths: Vec::new(),
    };
    let failure = bench.pool.path_ids(request, Duration::from_secs(5)).await.unwrap_err();
    assert_eq!(failure.reason, "WorkerProtocol", "{failure}");
}

#[tokio::test]
async fn a_program_that_cannot_start_is_named() {
    let bench = bench(|config| config.program = PathBuf::from("/nowhere/windlass"));
    let error = bench.failure(Kind::Fetch, Probe::Describe).await;
    assert_eq!(error.reason(), "WorkerUnavailable");
    assert!(error.to_string().contains("No such file"), "{error}");
}

fn play(config: &mut PoolConfig, fake: &str) {
    config.program = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/worker/fakes").join(fake);
}
