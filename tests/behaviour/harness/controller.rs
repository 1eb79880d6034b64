//! A controller as a process: the built program, with its own rights and its own cache.

use std::fs::{self, OpenOptions};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use super::{evidence, until, until_within};

/// A controller, which may not be running at the moment. It never outlives the thread of its test.
pub struct Controller {
    arguments: Vec<String>,
    kubeconfig: PathBuf,
    directory: PathBuf,
    starts: usize,
    process: Option<Child>,
}

impl Controller {
    /// One that looks after `namespace`, not started yet. `directory` is for its cache and its logs.
    pub fn new(namespace: &str, kubeconfig: &Path, directory: &Path, more: &[&str]) -> Self {
        let mut arguments: Vec<_> =
            ["controller", "--web-address=127.0.0.1:0", "--operations-address=127.0.0.1:0"]
                .map(str::to_owned)
                .into();
        arguments.push("--log-level=info,windlass=debug".to_owned());
        arguments.push(format!("--namespace={namespace}"));
        arguments.push(format!("--watch-namespace={namespace}"));
        arguments.push(format!("--cache-dir={}", directory.join("cache").display()));
        arguments.extend(more.iter().map(|argument| (*argument).to_owned()));
        Self {
            arguments,
            kubeconfig: kubeconfig.to_owned(),
            directory: directory.to_owned(),
            starts: 0,
            process: None,
        }
    }

    /// Starts it.
    pub fn start(&mut self) {
        assert!(self.process.is_none(), "it runs already");
        self.starts += 1;
        let log = OpenOptions::new().create(true).append(true).open(self.log_file(self.starts)).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_windlass"));
        command
            .args(&self.arguments)
            .env("KUBECONFIG", &self.kubeconfig)
            .env("RUST_BACKTRACE", "1")
            .env("NO_COLOR", "1")
            .current_dir(&self.directory)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        die_with_this_thread(&mut command);
        self.process = Some(command.spawn().unwrap());
    }

    /// Starts it and waits until it leads.
    pub fn start_leading(&mut self) {
        self.start();
        until("controller leading", || self.said("leading"));
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.as_ref().expect("it runs").id()
    }

    /// Ends it as the kernel would, without a chance to clean up.
    pub fn kill(&mut self) {
        let mut process = self.process.take().expect("it runs");
        process.kill().unwrap();
        process.wait().unwrap();
    }

    /// Asks it to end and waits until it does.
    pub fn stop(&mut self) -> ExitStatus {
        signal(self.pid(), libc::SIGTERM);
        let mut process = self.process.take().expect("it runs");
        until_within(Duration::from_secs(30), "controller ended", || {
            process.try_wait().unwrap().ok_or_else(|| "it still runs".to_owned())
        })
    }

    /// Whether it runs; one that ended by itself does not.
    pub fn is_running(&mut self) -> bool {
        self.process.as_mut().is_some_and(|process| process.try_wait().unwrap().is_none())
    }

    /// Its workers of a kind, `fetch` or `render`, by process id.
    pub fn workers(&self, kind: &str) -> Vec<u32> {
        let parent = self.pid();
        let processes = fs::read_dir("/proc").unwrap().flatten();
        let ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok());
        ids.filter(|id| {
            let read = |file: &str| fs::read_to_string(format!("/proc/{id}/{file}")).unwrap_or_default();
            read("status").contains(&format!("\nPPid:\t{parent}\n"))
                && read("cmdline").split('\0').any(|argument| argument.contains(kind))
        })
        .collect()
    }

    /// Address of the status page.
    pub fn web(&self) -> String {
        self.address("serving the status page on ")
    }

    /// Address of the metrics.
    pub fn operations(&self) -> String {
        self.address("serving /metrics, /healthz and /readyz on ")
    }

    /// What it logged since it was started last.
    pub fn log(&self) -> String {
        self.log_of(self.starts)
    }

    fn address(&self, before: &str) -> String {
        let line = until("controller serving", || self.said(before));
        let (_, rest) = line.split_once(before).unwrap();
        rest.split_whitespace().next().unwrap().trim_end_matches('/').to_owned()
    }

    /// The line in which it said something since it was started last.
    pub fn said(&self, text: &str) -> Result<String, String> {
        let log = self.log();
        let line = log.lines().find(|line| line.contains(text)).map(str::to_owned);
        line.ok_or_else(|| format!("its log does not say {text:?}:\n{log}"))
    }

    fn log_of(&self, start: usize) -> String {
        fs::read_to_string(self.log_file(start)).unwrap_or_default()
    }

    fn log_file(&self, start: usize) -> PathBuf {
        self.directory.join(format!("controller-{start}.log"))
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
        if std::thread::panicking() {
            for start in 1..=self.starts {
                evidence::add(&format!("log of controller {start}"), &self.log_of(start));
            }
        }
    }
}

/// Sends a signal to a process of this test.
pub fn signal(pid: u32, signal: libc::c_int) {
    let pid = libc::pid_t::try_from(pid).unwrap();
    // SAFETY: kill takes two numbers and touches no memory of ours.
    assert_eq!(unsafe { libc::kill(pid, signal) }, 0, "kill: {}", std::io::Error::last_os_error());
}

pub fn die_with_this_thread(command: &mut Command) {
    let prepare = || {
        // SAFETY: prctl takes numbers, and is safe to call between fork and exec.
        if unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) } == 0 {
            Ok(())
        } else {
            Err(std::io::Error::last_os_error())
        }
    };
    // SAFETY: `prepare` allocates nothing and calls only what is safe after a fork.
    unsafe { command.pre_exec(prepare) };
}
