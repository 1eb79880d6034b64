//! Workers start on demand, are reused, end when idle, and never outlive a call or the controller.

use std::io::{BufRead, BufReader};
use std::os::fd::AsRawFd;
use std::process::{Command, Stdio};
use std::time::Duration;

use windlass::worker::{Kind, Probe, WorkerError};

use crate::pool::{PATIENCE, bench, ended, gone, is_running};

#[tokio::test]
async fn a_worker_is_reused_and_keeps_its_kind() {
    let bench = bench(|_| {});
    let render = bench.pid(Kind::Render).await;
    assert_eq!(bench.probe(Kind::Render, Probe::Echo("äöü\n\0".into())).await.unwrap(), "äöü\n\0");
    assert_eq!(bench.pid(Kind::Render).await, render);
    let fetch = bench.pid(Kind::Fetch).await;
    assert_ne!(fetch, render);
    drop(bench);
    gone(render).await;
    gone(fetch).await;
}

#[tokio::test]
async fn a_worker_inherits_nothing_but_its_pipes_and_starts_in_its_cache() {
    let bench = bench(|_| {});
    let file = std::fs::File::open("/dev/null").unwrap();
    // SAFETY: the file is open; without the flag every program that is started would inherit it.
    assert_eq!(unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETFD, 0) }, 0);
    let description = bench.probe(Kind::Render, Probe::Describe).await.unwrap();
    assert!(description.contains("files=[0, 1, 2, 3, 4] environment=[]"), "{description}");
    let cache = bench.directory.path().join("cache");
    assert!(description.ends_with(&format!("directory={}", cache.display())), "{description}");
}

#[tokio::test]
async fn an_idle_worker_ends_and_is_replaced() {
    let bench = bench(|config| config.idle = Duration::from_millis(200));
    let first = bench.pid(Kind::Render).await;
    gone(first).await;
    assert_ne!(bench.pid(Kind::Render).await, first);
}

#[tokio::test]
async fn calls_run_side_by_side_up_to_the_limit_and_queue_beyond_it() {
    let bench = bench(|config| {
        config.render = 2;
        config.queue = Duration::from_millis(300);
    });
    let spin = || bench.probe_for(Kind::Render, Probe::Spin, Duration::from_secs(3));
    let third = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        bench.probe_for(Kind::Render, Probe::Describe, PATIENCE).await
    };
    let (first, second, third) = tokio::join!(spin(), spin(), third);
    assert!(matches!(first, Err(WorkerError::Timeout { .. })), "{first:?}");
    assert!(matches!(second, Err(WorkerError::Timeout { .. })), "{second:?}");
    assert!(matches!(third, Err(WorkerError::Busy { .. })), "{third:?}");
    bench.pid(Kind::Render).await;
}

#[tokio::test]
async fn a_call_that_nobody_waits_for_any_more_takes_its_worker_along() {
    let bench = bench(|_| {});
    let pid = bench.pid(Kind::Render).await;
    let call = bench.probe_for(Kind::Render, Probe::Spin, PATIENCE);
    assert!(tokio::time::timeout(Duration::from_millis(200), call).await.is_err());
    gone(pid).await;
    assert_eq!(bench.probe(Kind::Render, Probe::Echo("fresh".into())).await.unwrap(), "fresh");
}

#[tokio::test]
async fn a_worker_that_died_while_idle_is_replaced_unnoticed() {
    let bench = bench(|_| {});
    let pid = bench.pid(Kind::Render).await;
    assert!(Command::new("kill").args(["-KILL", &pid.to_string()]).status().unwrap().success());
    ended(pid).await;
    assert_ne!(bench.pid(Kind::Render).await, pid);
}

/// A controller in a process of its own, which the test below kills.
#[tokio::test]
#[ignore = "runs as a process of the test below"]
async fn controller_with_a_busy_worker() {
    let bench = bench(|_| {});
    println!("\nworker {}", bench.pid(Kind::Render).await);
    bench.probe(Kind::Render, Probe::Spin).await.unwrap();
}

#[tokio::test]
async fn a_busy_worker_dies_with_a_killed_controller() {
    let mut controller = Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "--nocapture", "life::controller_with_a_busy_worker"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(controller.stdout.take().unwrap()).lines();
    let pid = lines.map_while(Result::ok).find_map(|line| line.strip_prefix("worker ").map(str::to_owned));
    let pid: u32 = pid.unwrap().parse().unwrap();
    assert!(is_running(pid));
    controller.kill().unwrap();
    controller.wait().unwrap();
    ended(pid).await;
}

#[test]
fn a_worker_that_somebody_else_started_refuses_to_serve() {
    let worker = Command::new(env!("CARGO_BIN_EXE_windlass"))
        .args(["worker", "--kind", "render", "--cache", "/", "--memory", "100000000", "--parent", "1"])
        .output()
        .unwrap();
    assert_eq!(worker.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&worker.stderr).contains("the process that started this worker is gone"));
}
