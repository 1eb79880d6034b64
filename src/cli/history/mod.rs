//! `windlass history APP`

#[cfg(test)]
mod tests;

use clap::Args;
use jiff::Timestamp;
use serde_json::{Value, json};
use windlass_core::api::{ApplicationStatus, HistoryEntry};
use windlass_core::yaml;

use super::connection::{ConnectionArgs, read};
use super::get::age;
use super::output::{Exit, Output, Table};
use super::text;

/// Shortest beginning of a digest that names a release.
const SHORTEST_DIGEST: usize = 6;

/// Show the releases of an Application, the newest first: what the cluster has, and what `windlass rollback`
/// can go back to.
#[derive(Args, Debug)]
pub struct History {
    /// The Application
    name: String,
    /// Form of the answer
    #[arg(short, long, value_enum, default_value_t)]
    output: Output,
    #[command(flatten)]
    connection: ConnectionArgs,
}

impl History {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let connection = self.connection.connect().await?;
        let status = read(connection.application(&self.name).await?)?.status.unwrap_or_default();
        if status.history.is_empty() && self.output == Output::Table {
            text::progress(format!("{}: no release yet", self.name));
            return Ok(Exit::Ok);
        }
        text::print(&match self.output {
            Output::Table => table(&status, Timestamp::now())?,
            Output::Json => format!("{:#}\n", values(&status)?),
            Output::Yaml => yaml::write(&values(&status)?),
        })?;
        Ok(Exit::Ok)
    }
}

/// Digest of the release that the cluster should have: the one that was begun last, or what was restored when
/// that one was undone.
pub fn present(status: &ApplicationStatus) -> Option<&str> {
    let next = status.next.as_ref().filter(|next| !is_quarantined(status, &next.digest));
    next.or(status.stable.as_ref()).map(|release| release.digest.as_str())
}

fn is_quarantined(status: &ApplicationStatus, digest: &str) -> bool {
    status.quarantined.iter().any(|entry| entry.digest == digest)
}

/// Whether `windlass rollback` can go back to a release.
fn can_be_chosen(status: &ApplicationStatus, entry: &HistoryEntry) -> bool {
    entry.kept && present(status) != Some(&entry.digest) && !is_quarantined(status, &entry.digest)
}

/// The release to go back to by its number, its revision, its commit or the beginning of its digest; the last
/// one that can be chosen where none is named.
///
/// # Errors
/// A sentence that says why not, and which releases can be chosen.
pub fn choose<'a>(status: &'a ApplicationStatus, wish: Option<&str>) -> Result<&'a HistoryEntry, String> {
    let mut choices = status.history.iter().filter(|entry| can_be_chosen(status, entry));
    let found = match wish {
        Some(wish) => choices.find(|entry| is_named(entry, wish)),
        None => choices.next(),
    };
    if let Some(found) = found {
        return Ok(found);
    }
    let which = choices_of(status);
    let Some(wish) = wish else { return Err(which) };
    let named = status.history.iter().find(|entry| is_named(entry, wish));
    Err(match named {
        None => format!("there is no release {wish} in the history; {which}"),
        Some(entry) if present(status) == Some(&entry.digest) => {
            format!("release {wish} is what the cluster has; {which}")
        }
        Some(entry) if is_quarantined(status, &entry.digest) => format!(
            "release {wish} is quarantined; `windlass retry` applies it again if Git still says it; {which}"
        ),
        Some(_) => format!("the objects of release {wish} are not kept any more; {which}"),
    })
}

/// `these can be chosen: 3 (main@abc1234), 1 (main@def5678)`
fn choices_of(status: &ApplicationStatus) -> String {
    let mut digests = Vec::new();
    let mut choices = Vec::new();
    for entry in status.history.iter().filter(|entry| can_be_chosen(status, entry)) {
        // What was gone back to has more than one number.
        if !digests.contains(&&entry.digest) {
            digests.push(&entry.digest);
            choices.push(format!("{} ({})", entry.number, entry.revision));
        }
    }
    if choices.is_empty() {
        "no earlier release is kept that can be gone back to".to_owned()
    } else {
        format!("these can be chosen: {}", choices.join(", "))
    }
}

fn is_named(entry: &HistoryEntry, wish: &str) -> bool {
    let mut commits = entry.revision.split(',').filter_map(|one| one.rsplit_once('@'));
    wish.parse() == Ok(entry.number)
        || entry.revision == wish
        || commits.any(|(_, commit)| commit == wish)
        || wish.len() >= SHORTEST_DIGEST && entry.digest.starts_with(wish)
}

/// What to say of the place of a release.
fn place(status: &ApplicationStatus, index: usize, entry: &HistoryEntry) -> &'static str {
    if is_present(status, index) {
        "present"
    } else if is_quarantined(status, &entry.digest) {
        "quarantined"
    } else if can_be_chosen(status, entry) {
        "kept"
    } else {
        ""
    }
}

/// Of what was applied more than once the last time counts.
fn is_present(status: &ApplicationStatus, index: usize) -> bool {
    let digest = present(status);
    status.history.iter().position(|entry| digest == Some(&entry.digest)) == Some(index)
}

fn table(status: &ApplicationStatus, now: Timestamp) -> anyhow::Result<String> {
    let mut table = Table::new(&["NUMBER", "REVISION", "AGE", "RESULT", "STATE", "TRIGGER", "MESSAGE"]);
    for (index, entry) in status.history.iter().enumerate() {
        table.row([
            entry.number.to_string(),
            entry.revision.clone(),
            age(entry.started_at.0, now),
            entry.result.clone(),
            place(status, index, entry).to_owned(),
            entry.trigger.clone(),
            entry.message.clone(),
        ]);
    }
    let mut out = Vec::new();
    table.write(&mut out)?;
    Ok(String::from_utf8(out)?)
}

/// The history as the status has it, with what the table says of the place of each release.
fn values(status: &ApplicationStatus) -> serde_json::Result<Value> {
    let mut items = Vec::new();
    for (index, entry) in status.history.iter().enumerate() {
        let mut value = serde_json::to_value(entry)?;
        value["present"] = is_present(status, index).into();
        value["canBeChosen"] = can_be_chosen(status, entry).into();
        items.push(value);
    }
    Ok(json!({"items": items}))
}
