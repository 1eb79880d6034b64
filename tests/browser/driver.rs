//! Runs `status.mjs` and answers it; the protocol is in the head of that file. Standard library only, so
//! that any test can take it in.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

/// What the browser found.
#[derive(Debug, Default)]
pub struct Report {
    /// The cases that were as they should be.
    pub passed: Vec<String>,
    /// Those that were not, with the reason.
    pub failed: Vec<String>,
    /// How long changes took to appear: `list 734ms`.
    pub seen: Vec<String>,
}

/// Looks at the page at `url`, which must list `apps` (`namespace/name`, the first being the one that
/// changes). `change` is called with the name of the change that is asked for (`list`, `page`, `hostile`),
/// makes it, and returns the text that must appear on the page.
///
/// # Panics
/// When the browser cannot be started or breaks off.
pub fn look(url: &str, apps: &[&str], mut change: impl FnMut(&str) -> String) -> Report {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser");
    assert!(folder.join("node_modules").exists(), "run tests/browser/run.sh, which installs what is needed");
    let mut browser = Command::new("node")
        .arg(folder.join("status.mjs"))
        .env("WINDLASS_WEB_URL", url)
        .env("WINDLASS_APPS", apps.join(","))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("node runs");
    let mut answers = browser.stdin.take().expect("piped");
    let mut report = Report::default();
    let mut done = false;
    for line in BufReader::new(browser.stdout.take().expect("piped")).lines() {
        let line = line.expect("text");
        eprintln!("browser: {line}");
        if let Some(name) = line.strip_prefix("ready ") {
            let text = change(name);
            let at = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_millis();
            let answer = serde_json::json!({ "at": u64::try_from(at).expect("fits"), "text": text });
            writeln!(answers, "{answer}").expect("the browser listens");
        } else if let Some(name) = line.strip_prefix("ok ") {
            report.passed.push(name.to_owned());
        } else if let Some(reason) = line.strip_prefix("not ok ") {
            report.failed.push(reason.to_owned());
        } else if let Some(seen) = line.strip_prefix("seen ") {
            report.seen.push(seen.to_owned());
        }
        done |= line == "done";
    }
    let status = browser.wait().expect("it ends");
    assert!(done, "the browser broke off: {status}");
    report
}
