//! A second API server of the same cluster, for a test to kill.

use std::fs::{self, OpenOptions};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::controller::die_with_this_thread;
use super::{Ran, cluster, evidence, until};

/// A kube-apiserver on the same etcd and with the same keys as the one of the cluster. It never outlives the
/// thread of its test.
pub struct ApiServer {
    arguments: Vec<String>,
    address: SocketAddr,
    log: PathBuf,
    process: Option<Child>,
}

impl ApiServer {
    /// Starts one, with its logs in `directory`.
    pub fn start_new(directory: &Path) -> Self {
        let address = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let audit = format!("--audit-log-path={}", directory.join("audit.log").display());
        let port = format!("--secure-port={}", address.port());
        let own = |argument: String| match argument.split_once('=').map(|(name, _)| name) {
            Some("--audit-log-path") => audit.clone(),
            Some("--secure-port") => port.clone(),
            _ => argument,
        };
        let arguments = arguments_of_the_first().into_iter().map(own).collect();
        let mut server =
            Self { arguments, address, log: directory.join("kube-apiserver.log"), process: None };
        server.start();
        server
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("https://{}", self.address)
    }

    /// Starts it again and waits until it is ready.
    pub fn start(&mut self) {
        assert!(self.process.is_none(), "it runs already");
        let log = OpenOptions::new().create(true).append(true).open(&self.log).unwrap();
        let (program, arguments) = self.arguments.split_first().unwrap();
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::null()).stdout(log.try_clone().unwrap()).stderr(log);
        die_with_this_thread(&mut command);
        self.process = Some(command.spawn().unwrap());
        let server = format!("--server={}", self.url());
        until("the API server ready", || {
            let mut kubectl = Command::new(&cluster().kubectl);
            kubectl.arg("--kubeconfig").arg(&cluster().kubeconfig).args([&server, "get", "--raw", "/readyz"]);
            let asked = Ran::new(&mut kubectl);
            if asked.code == 0 { Ok(()) } else { Err(asked.stderr) }
        });
    }

    /// Ends it as the kernel would, without a chance to answer or to clean up.
    pub fn kill(&mut self) {
        let mut process = self.process.take().expect("it runs");
        process.kill().unwrap();
        process.wait().unwrap();
    }
}

impl Drop for ApiServer {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
        if std::thread::panicking() {
            let log = fs::read_to_string(&self.log).unwrap_or_default();
            let lines: Vec<_> = log.lines().rev().take(40).collect();
            evidence::add("the end of the log of the API server, the newest first", &lines.join("\n"));
        }
    }
}

/// The command line of the API server of the cluster: it alone writes this audit log.
fn arguments_of_the_first() -> Vec<String> {
    let audit = format!("--audit-log-path={}", cluster().audit.display());
    let processes = fs::read_dir("/proc").unwrap().flatten();
    let lines = processes.filter_map(|entry| fs::read_to_string(entry.path().join("cmdline")).ok());
    let mut commands =
        lines.map(|line| line.trim_end_matches('\0').split('\0').map(str::to_owned).collect::<Vec<_>>());
    commands.find(|command| command.contains(&audit)).expect("the cluster runs")
}
