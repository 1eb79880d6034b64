//! `windlass gate rehearse` judges what a real Prometheus saw.

use std::fs;
use std::process::Command;
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{Prometheus, Ran, Target};
use crate::tests;

tests![past_metrics_are_judged];

/// Requests that each pod counts in a tick.
const TICK: Duration = Duration::from_millis(250);

/// Counters as two releases of `web` would expose them. No pod has a series of errors before its first error.
fn metrics(ticks: u64, bad_ticks: u64) -> String {
    let mut text = String::new();
    let mut counter = |pod: &str, code: u16, value: u64| {
        if value > 0 {
            let labels = format!("namespace=\"shop\",pod=\"{pod}\",code=\"{code}\"");
            text.push_str(&format!("http_requests_total{{{labels}}} {value}\n"));
        }
    };
    for pod in ["web-old-1", "web-old-2"] {
        counter(pod, 200, 49 * ticks);
        counter(pod, 500, ticks);
    }
    counter("web-good-1", 200, 49 * ticks);
    counter("web-good-1", 500, ticks);
    counter("web-bad-1", 200, 50 * ticks - 20 * bad_ticks);
    counter("web-bad-1", 500, 20 * bad_ticks);
    text
}

fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs_f64()
}

fn past_metrics_are_judged() {
    let target = Target::new(0.0);
    target.expose(metrics(1, 0));
    let prometheus = Prometheus::of(&target);
    let mut broke = 0.0;
    let began = now();
    for tick in 1..=120 {
        if tick == 41 {
            broke = now();
        }
        target.expose(metrics(tick, tick.saturating_sub(40)));
        thread::sleep(TICK);
    }
    let ended = now();
    let directory = TempDir::new().unwrap();
    let file = |name: &str, gates: Value| {
        let path = directory.path().join(name);
        fs::write(&path, serde_json::to_string(&gates).unwrap()).unwrap();
        path
    };
    let ratio = file(
        "ratio.yaml",
        json!({"name": "errors", "ratio": {
            "bad": "http_requests_total{code=~\"5..\"}", "total": "http_requests_total", "interval": "2s",
        }}),
    );
    let date = |seconds: f64| {
        k8s_openapi::jiff::Timestamp::from_millisecond((seconds * 1000.0) as i64).unwrap().to_string()
    };
    let rehearse = |file: &std::path::Path, candidate: &str, more: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_windlass"));
        command.args(["gate", "rehearse", file.to_str().unwrap(), "--prometheus", &prometheus.address()]);
        command.args(["--namespace", "shop", "--candidate", candidate, "--stable", "web-old-.*"]);
        command.args(["--from", &date(began), "--to", &date(ended)]).args(more);
        Ran::new(&mut command)
    };

    let said = rehearse(&ratio, "web-bad-.*", &["-o", "json"]).code(1);
    let rows: Vec<Value> = serde_json::from_str(&said).unwrap();
    let last = rows.last().unwrap();
    assert_eq!(last["verdict"], "Fail", "{said}");
    let message = last["message"].as_str().unwrap();
    assert!(message.contains("of the candidate's requests are bad and 2 % of stable's"), "{message}");
    let failed: k8s_openapi::jiff::Timestamp = last["time"].as_str().unwrap().parse().unwrap();
    let failed = failed.as_millisecond() as f64 / 1000.0;
    assert!(failed > broke && failed <= ended, "failed at {failed}, broken at {broke}");
    println!("rehearse: failed {:.1} s after the first errors", failed - broke);

    let table = rehearse(&ratio, "web-good-.*", &[]).ok();
    println!("{table}");
    assert!(table.starts_with("TIME") && table.contains("Pass"), "{table}");
    let nobody = rehearse(&ratio, "web-none-.*", &[]).code(1);
    assert!(nobody.contains("NoData") && nobody.contains("the candidate has no pods"), "{nobody}");

    let others = file(
        "application.yaml",
        json!({"kind": "Application", "spec": {"verify": {"gates": [
            {"name": "old", "threshold": {
                "query": "sum(rate(http_requests_total{code='500',pod=~'web-old-.*',namespace='$namespace'}[8s]))",
                "max": "100", "interval": "5s",
            }},
            {"name": "share", "compare": {
                "query": "sum(rate(http_requests_total{code='500',pod=~'$pods'}[8s])) \
                          / sum(rate(http_requests_total{pod=~'$pods'}[8s]))",
                "interval": "2s",
            }},
            {"name": "both", "cel": {
                "queries": {"errors": "sum(rate(http_requests_total{code='500',pod=~'$pods'}[8s]))"},
                "expression": "candidate.errors < stable.errors * 3.0", "interval": "2s",
            }},
        ]}}}),
    );
    let said = rehearse(&others, "web-bad-.*", &[]).code(1);
    println!("{said}");
    for words in ["gate share: ", "more than 1.25 times stable's 0.02", "gate both: errors = "] {
        assert!(said.contains(words), "no {words:?} in {said}");
    }
    assert!(said.lines().any(|line| line.contains("old ") && line.contains("Pass")), "{said}");

    let expression =
        json!({"name": "errors", "ratio": {"bad": "rate(x[1m])", "total": "x", "interval": "10s"}});
    let said = rehearse(&file("expression.yaml", expression), "web-bad-.*", &[]).code(1);
    assert!(said.contains("is no selector"), "{said}");
    let hook = json!({"name": "smoke", "webhook": {"url": "http://a.example"}});
    let said = rehearse(&file("hook.yaml", hook), "web-bad-.*", &[]);
    assert!(said.code == 2 && said.stderr.contains("cannot be asked"), "{said:?}");
}
