//! A Git repository on the cluster's Git server, and a clone from which commits are pushed.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use tempfile::TempDir;

use super::{Ran, block_on, cluster};

/// A Git repository with the branch `main`.
pub struct Repository {
    /// Its address, without credentials.
    pub url: String,
    name: String,
    clone: TempDir,
}

/// A commit and what it holds.
#[derive(Debug)]
pub struct Pulled {
    /// Its id.
    pub commit: String,
    /// The id of the one before it.
    pub parent: String,
    /// Who made it.
    pub author: String,
    /// Why.
    pub message: String,
    /// Every file with its content.
    pub files: Vec<(String, String)>,
}

impl Repository {
    /// An empty repository.
    pub fn new(name: &str) -> Self {
        let url = format!("{}/{name}.git", cluster().git.trim_end_matches('/'));
        let repository = Self { url, name: name.to_owned(), clone: TempDir::new().unwrap() };
        repository.open();
        repository.git(&["init", "--quiet", "--initial-branch=main"]);
        repository
    }

    /// Asks for a user and a password from now on.
    pub fn protect(&self, user: &str, password: &str) {
        self.configure(&format!("?user={user}&password={password}"));
    }

    /// Makes the repository on the server, where it is not there, and lets everybody read it.
    pub fn open(&self) {
        self.configure("");
    }

    /// Removes the repository from the server; the clone keeps its commits.
    pub fn delete(&self) {
        let status =
            block_on(async { reqwest::Client::new().delete(&self.url).send().await }).unwrap().status();
        assert!(status.is_success(), "DELETE {}: {status}", self.url);
    }

    /// Commits files, of which `None` are removed, and pushes them; gives the commit's id.
    pub fn commit(&self, files: &[(&str, Option<&str>)]) -> String {
        for (path, content) in files {
            let path = self.clone.path().join(path);
            match content {
                Some(content) => {
                    fs::create_dir_all(path.parent().unwrap()).unwrap();
                    fs::write(&path, content).unwrap();
                }
                None => fs::remove_file(&path).unwrap(),
            }
        }
        self.git(&["add", "--all"]);
        let subject =
            format!("Change {}", files.iter().map(|(path, _)| *path).collect::<Vec<_>>().join(", "));
        self.git(&["commit", "--quiet", "--allow-empty", "--message", &subject]);
        self.git(&["push", "--quiet", "--force", &self.url, "HEAD:main"]);
        self.git(&["rev-parse", "HEAD"]).trim().to_owned()
    }

    /// A branch as it is on the server; the clone's own `main` stays where it is, unless that is the branch.
    pub fn pull(&self, branch: &str) -> Pulled {
        self.git(&["fetch", "--quiet", &self.url, branch]);
        let show = |format: &str| {
            self.git(&["show", "--no-patch", &format!("--format={format}"), "FETCH_HEAD"]).trim().to_owned()
        };
        let paths = self.git(&["ls-tree", "-r", "--name-only", "FETCH_HEAD"]);
        let files =
            paths.lines().map(|path| (path.to_owned(), self.git(&["show", &format!("FETCH_HEAD:{path}")])));
        let pulled = Pulled {
            commit: show("%H"),
            parent: show("%P"),
            author: show("%an <%ae>"),
            message: show("%B"),
            files: files.collect(),
        };
        if branch == "main" {
            self.git(&["reset", "--quiet", "--hard", "FETCH_HEAD"]);
        }
        pulled
    }

    /// Names the present commit and pushes the name: `tag NAME` or `branch NAME`.
    pub fn name(&self, what: &str, name: &str) {
        self.git(&[what, "--force", name]);
        let kind = if what == "tag" { "tags" } else { "heads" };
        self.git(&["push", "--quiet", "--force", &self.url, &format!("HEAD:refs/{kind}/{name}")]);
    }

    /// Rewrites `main` to be so many commits shorter.
    pub fn go_back(&self, commits: usize) {
        self.git(&["reset", "--quiet", "--hard", &format!("HEAD~{commits}")]);
        self.git(&["push", "--quiet", "--force", &self.url, "HEAD:main"]);
    }

    /// Removes a reference on the server.
    pub fn remove(&self, reference: &str) {
        self.git(&["push", "--quiet", &self.url, &format!(":{reference}")]);
    }

    /// Commits a symbolic link in place of what is at `path`, and pushes it.
    pub fn link(&self, path: &str, target: &str) -> String {
        let file = self.clone.path().join(path);
        let _ = fs::remove_file(&file);
        symlink(target, file).unwrap();
        self.commit(&[])
    }

    fn configure(&self, query: &str) {
        let url = format!("{}/{}.git{query}", cluster().git.trim_end_matches('/'), self.name);
        let status = block_on(async { reqwest::Client::new().put(&url).send().await }).unwrap().status();
        assert!(status.is_success(), "PUT {url}: {status}");
    }

    fn git(&self, arguments: &[&str]) -> String {
        Ran::new(git(self.clone.path()).args(arguments)).ok()
    }
}

/// Git without regard to this machine's configuration.
fn git(directory: &Path) -> Command {
    let mut command = Command::new("git");
    command.current_dir(directory).env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    for person in ["AUTHOR", "COMMITTER"] {
        command
            .env(format!("GIT_{person}_NAME"), "Jane")
            .env(format!("GIT_{person}_EMAIL"), "jane@example.com");
    }
    command
}
