//! A Git repository on the cluster's Git server, and a clone from which commits are pushed.

use std::path::PathBuf;

use anyhow::ensure;
use tokio::process::Command;

use crate::testbed::Testbed;

/// A Git repository with the branch `main`.
pub struct Repository {
    /// Its address.
    pub url: String,
    clone: PathBuf,
}

impl Repository {
    /// An empty repository.
    pub async fn new(testbed: &Testbed, name: &str) -> anyhow::Result<Self> {
        let url = format!("{}/{name}.git", testbed.git.trim_end_matches('/'));
        reqwest::Client::new().put(&url).send().await?.error_for_status()?;
        let clone = testbed.directory.path().join(name);
        std::fs::create_dir(&clone)?;
        let repository = Self { url, clone };
        repository.git(&["init", "--quiet", "--initial-branch=main"]).await?;
        Ok(repository)
    }

    /// Writes files, by path and content, commits and pushes them; gives the commit's id.
    pub async fn push(&self, files: &[(String, String)]) -> anyhow::Result<String> {
        for (path, content) in files {
            let path = self.clone.join(path);
            if let Some(parent) = path.parent() {
                std::fs::create_dir_all(parent)?;
            }
            std::fs::write(path, content)?;
        }
        self.git(&["add", "--all"]).await?;
        self.git(&["commit", "--quiet", "--allow-empty", "--message", "Change applications"]).await?;
        self.git(&["push", "--quiet", "--force", &self.url, "HEAD:main"]).await?;
        Ok(self.git(&["rev-parse", "HEAD"]).await?.trim().to_owned())
    }

    /// Runs Git without regard to this machine's configuration.
    async fn git(&self, arguments: &[&str]) -> anyhow::Result<String> {
        let mut command = Command::new("git");
        command.current_dir(&self.clone).args(arguments);
        command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
        for person in ["AUTHOR", "COMMITTER"] {
            command
                .env(format!("GIT_{person}_NAME"), "Jane")
                .env(format!("GIT_{person}_EMAIL"), "jane@example.com");
        }
        let output = command.output().await?;
        let error = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "git {}: {error}", arguments.join(" "));
        Ok(String::from_utf8(output.stdout)?)
    }
}
