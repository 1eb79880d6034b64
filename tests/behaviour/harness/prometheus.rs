//! A real Prometheus, and a target for it whose metric a test sets.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use super::cluster::program;
use super::controller::die_with_this_thread;
use super::{block_on, until_within};

/// Something that exposes the metric `error_ratio`, or what a test says.
pub struct Target {
    port: u16,
    text: Arc<Mutex<String>>,
}

impl Target {
    /// One with this value.
    pub fn new(value: f64) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let text = Arc::new(Mutex::new(String::new()));
        let shown = text.clone();
        // It ends with the process: there are few of them.
        thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { continue };
                let _ = stream.read(&mut [0; 4096]);
                let body = shown.lock().unwrap().clone();
                let _ = write!(
                    stream,
                    "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nContent-Length: {}\r\n\
                     Connection: close\r\n\r\n{body}",
                    body.len()
                );
            }
        });
        let target = Self { port, text };
        target.set(Some(value));
        target
    }

    /// Changes the value; `None` takes the metric away.
    pub fn set(&self, value: Option<f64>) {
        self.expose(value.map_or(String::new(), |value| format!("error_ratio {value}\n")));
    }

    /// Exposes these metrics, in Prometheus' own text format.
    pub fn expose(&self, text: String) {
        *self.text.lock().unwrap() = text;
    }
}

/// A Prometheus that looks at a target every second. It never outlives the thread of its test.
pub struct Prometheus {
    directory: TempDir,
    program: PathBuf,
    port: u16,
    process: Option<Child>,
}

impl Prometheus {
    /// One that runs.
    pub fn of(target: &Target) -> Self {
        let directory = TempDir::new().unwrap();
        let config = format!(
            "global: {{scrape_interval: 1s, scrape_timeout: 1s}}\nscrape_configs:\n- job_name: target\n  \
             static_configs: [{{targets: ['127.0.0.1:{}']}}]\n",
            target.port
        );
        fs::write(directory.path().join("prometheus.yml"), config).unwrap();
        // Nobody else takes the port in the moment between.
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut prometheus = Self { directory, program: program("prometheus").unwrap(), port, process: None };
        prometheus.start();
        prometheus
    }

    /// Its address.
    pub fn address(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Starts it and waits until it knows the target.
    pub fn start(&mut self) {
        let log = fs::File::create(self.directory.path().join("log")).unwrap();
        let mut command = Command::new(&self.program);
        command
            .arg(format!("--config.file={}", self.directory.path().join("prometheus.yml").display()))
            .arg(format!("--storage.tsdb.path={}", self.directory.path().join("data").display()))
            .arg(format!("--web.listen-address=127.0.0.1:{}", self.port))
            .args(["--storage.tsdb.no-lockfile", "--log.level=warn"])
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        die_with_this_thread(&mut command);
        self.process = Some(command.spawn().unwrap());
        let client = reqwest::Client::new();
        let query = format!("{}/api/v1/query?query=up", self.address());
        until_within(Duration::from_secs(60), "Prometheus has looked", || {
            let answer = block_on(async { client.get(&query).send().await?.text().await });
            match answer.map_err(|error| error.to_string())? {
                text if text.contains("\"1\"]") => Ok(()),
                text => Err(text),
            }
        });
    }

    /// Ends it.
    pub fn stop(&mut self) {
        let mut process = self.process.take().expect("it runs");
        process.kill().unwrap();
        process.wait().unwrap();
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}
