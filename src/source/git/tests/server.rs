//! A small smart-HTTP server around `git http-backend`, and ways to misbehave.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread;

/// What the server does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mood {
    Serves,
    /// Serves, but as a server of protocol v0.
    Old,
    /// Asks for user `u` with password `p`.
    Protected,
    Silent,
    /// Sends references for ever.
    Endless,
    ClosesMidway,
    Answers(u16),
    /// Redirects to the repository of the same name below `/moved`.
    Moved,
    /// Redirects listings (only those) to the same path of the server at this port.
    Elsewhere(u16),
}

pub(super) struct Server {
    pub(super) url: String,
    pub(super) root: tempfile::TempDir,
    mood: Arc<Mutex<Mood>>,
    seen: Arc<Mutex<Vec<Seen>>>,
}

/// What a request was.
pub(super) struct Seen {
    pub(super) method: String,
    pub(super) authorization: Option<String>,
}

impl Server {
    pub(super) fn start() -> Self {
        let root = tempfile::tempdir().unwrap();
        git(root.path(), &["init", "-q", "--bare", "-b", "main", "env.git"]);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/env.git", listener.local_addr().unwrap());
        let (mood, seen) = (Arc::new(Mutex::new(Mood::Serves)), Arc::new(Mutex::new(Vec::new())));
        let (path, shared, log) = (root.path().to_owned(), mood.clone(), seen.clone());
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (path, mood, log) = (path.clone(), *shared.lock().unwrap(), log.clone());
                thread::spawn(move || answer(stream, &path, mood, &log));
            }
        });
        Self { url, root, mood, seen }
    }

    pub(super) fn be(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    pub(super) fn is(&self, mood: Mood) -> bool {
        *self.mood.lock().unwrap() == mood
    }

    /// The requests since the last call.
    pub(super) fn seen(&self) -> Vec<Seen> {
        std::mem::take(&mut self.seen.lock().unwrap())
    }

    /// The methods of the requests since the last call.
    pub(super) fn methods(&self) -> Vec<String> {
        self.seen().into_iter().map(|seen| seen.method).collect()
    }

    pub(super) fn port(&self) -> u16 {
        reqwest::Url::parse(&self.url).unwrap().port().unwrap()
    }

    /// The bare repository.
    pub(super) fn bare(&self) -> PathBuf {
        self.root.path().join("env.git")
    }

    fn work(&self) -> PathBuf {
        let work = self.root.path().join("work");
        if !work.exists() {
            git(self.root.path(), &["clone", "-q", "env.git", "work"]);
            git(&work, &["checkout", "-q", "-B", "main"]);
        }
        work
    }

    /// Commits a file, pushes the branch and gives the id.
    pub(super) fn commit(&self, branch: &str, content: &str) -> String {
        let work = self.work();
        git(&work, &["checkout", "-q", "-B", branch]);
        std::fs::create_dir_all(work.join("app")).unwrap();
        std::fs::write(work.join("app/a.yaml"), content).unwrap();
        git(&work, &["add", "-A"]);
        git(&work, &["commit", "-q", "-m", "change"]);
        git(&work, &["push", "-q", "-f", "origin", branch]);
        git(&work, &["rev-parse", "HEAD"])
    }

    /// Runs git in the work tree.
    pub(super) fn git(&self, arguments: &[&str]) -> String {
        git(&self.work(), arguments)
    }
}

pub(super) fn git(directory: &Path, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .args(["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "protocol.file.allow=always"])
        .args(arguments)
        .current_dir(directory)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()
        .unwrap();
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

struct Request {
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    fn read(stream: &TcpStream) -> Option<Self> {
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let mut words = line.split_whitespace();
        let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let (path, query) = (path.to_owned(), query.to_owned());
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            let Some((name, value)) = line.trim().split_once(':') else { break };
            headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
        }
        let mut request = Self { method, path, query, headers, body: Vec::new() };
        let length = request.header("content-length").and_then(|l| l.parse().ok()).unwrap_or(0);
        request.body.resize(length, 0);
        reader.read_exact(&mut request.body).ok()?;
        Some(request)
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }
}

fn answer(mut stream: TcpStream, root: &Path, mood: Mood, log: &Mutex<Vec<Seen>>) -> Option<()> {
    let mut request = Request::read(&stream)?;
    let authorization = request.header("authorization").map(str::to_owned);
    log.lock().unwrap().push(Seen { method: request.method.clone(), authorization });
    match mood {
        Mood::Silent => thread::sleep(std::time::Duration::from_secs(30)),
        Mood::Answers(code) => {
            write!(stream, "HTTP/1.1 {code} Oops\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").ok()?;
        }
        Mood::Protected if request.header("authorization") != Some("Basic dTpw") => {
            let head = "HTTP/1.1 401 Who\r\nwww-authenticate: Basic\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
            stream.write_all(head.as_bytes()).ok()?;
        }
        Mood::Endless => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n").ok()?;
            let line = format!("0038{} refs/x\n", "0".repeat(44)).repeat(1000);
            while stream.write_all(line.as_bytes()).is_ok() {}
        }
        Mood::Elsewhere(_) if request.method == "POST" => {
            stream.write_all(b"HTTP/1.1 404 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").ok()?;
        }
        Mood::Elsewhere(port) => {
            let to = format!("http://127.0.0.1:{port}{}?{}", request.path, request.query);
            let head = format!("location: {to}\r\ncontent-length: 0\r\nconnection: close");
            write!(stream, "HTTP/1.1 302 Found\r\n{head}\r\n\r\n").ok()?;
        }
        Mood::ClosesMidway => {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n001e# service=git").ok()?;
        }
        Mood::Moved if !request.path.starts_with("/moved") => {
            let query = if request.query.is_empty() { String::new() } else { format!("?{}", request.query) };
            let head =
                format!("location: /moved{}{query}\r\ncontent-length: 0\r\nconnection: close", request.path);
            write!(stream, "HTTP/1.1 301 Moved\r\n{head}\r\n\r\n").ok()?;
        }
        mood => {
            request.path = request.path.trim_start_matches("/moved").to_owned();
            if mood == Mood::Old {
                request.headers.retain(|(name, _)| name != "git-protocol");
            }
            serve(stream, root, &request)?;
        }
    }
    Some(())
}

fn serve(mut stream: TcpStream, root: &Path, request: &Request) -> Option<()> {
    let mut child = Command::new("git")
        .arg("http-backend")
        .env("GIT_PROJECT_ROOT", root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("REQUEST_METHOD", &request.method)
        .env("PATH_INFO", &request.path)
        .env("QUERY_STRING", &request.query)
        .env("CONTENT_TYPE", request.header("content-type").unwrap_or_default())
        .env("GIT_PROTOCOL", request.header("git-protocol").unwrap_or_default())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    child.stdin.take()?.write_all(&request.body).ok()?;
    let output = child.wait_with_output().ok()?;
    let split = output.stdout.windows(4).position(|w| w == b"\r\n\r\n")?;
    let (head, body) = output.stdout.split_at(split + 4);
    let head = String::from_utf8_lossy(head);
    let status = head.lines().find_map(|line| line.strip_prefix("Status: ")).unwrap_or("200 OK");
    let length = body.len();
    write!(stream, "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n{head}").ok()?;
    stream.write_all(body).ok()
}
