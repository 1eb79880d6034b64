//! `windlass get [APP]`

mod events;
mod list;
mod show;
#[cfg(test)]
mod tests;

use clap::{Args, ValueEnum};
use jiff::Timestamp;
use kube::api::{DynamicObject, ListParams};
use serde_json::{Value, json};
use windlass_core::yaml;

use super::connection::{ConnectionArgs, read, type_meta};
use super::output::Exit;
use super::text::{self, Palette};

pub(super) use windlass_core::waiting::{condition, waiting_for};

/// Show Applications: what is applied, is it healthy, what is it waiting for.
#[derive(Args, Debug)]
pub struct Get {
    /// One Application, in detail
    #[arg(conflicts_with = "all_namespaces")]
    name: Option<String>,
    /// The Applications of all namespaces
    #[arg(short = 'A', long)]
    all_namespaces: bool,
    /// Form of the answer
    #[arg(short, long, value_enum, default_value_t)]
    output: Form,
    #[command(flatten)]
    connection: ConnectionArgs,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Form {
    /// Aligned columns, for people.
    #[default]
    Table,
    /// Columns with nothing cut off.
    Wide,
    /// JSON, for programs.
    Json,
    /// YAML, for files.
    Yaml,
}

impl Get {
    pub(super) async fn run(self) -> anyhow::Result<Exit> {
        let connection = self.connection.connect().await?;
        let now = Timestamp::now();
        if let Some(name) = &self.name {
            let object = connection.application(name).await?;
            text::print(&match self.output {
                Form::Table | Form::Wide => {
                    let told = events::events(&connection, name).await.unwrap_or_else(|error| {
                        text::progress(format!("note: its Events cannot be read: {error}"));
                        Vec::new()
                    });
                    let most = if self.output == Form::Wide { told.len() } else { show::EVENTS };
                    let told = told.get(..most.min(told.len())).unwrap_or_default();
                    show::page(&read(object)?, told, now, Palette::detect())
                }
                Form::Json => format!("{:#}\n", as_value(object)?),
                Form::Yaml => yaml::write(&as_value(object)?),
            })?;
            return Ok(Exit::Ok);
        }
        let api = if self.all_namespaces { connection.all_applications() } else { connection.applications() };
        let objects = connection.answer(api.list(&ListParams::default())).await?.items;
        if objects.is_empty() && matches!(self.output, Form::Table | Form::Wide) {
            let place = if self.all_namespaces { "any namespace" } else { connection.namespace.as_str() };
            text::progress(format!("no Applications in {place}"));
            return Ok(Exit::Ok);
        }
        text::print(&match self.output {
            Form::Table | Form::Wide => {
                list::table(objects, self.all_namespaces, self.output == Form::Wide, now)?
            }
            Form::Json => format!("{:#}\n", as_list(objects)?),
            Form::Yaml => yaml::write(&as_list(objects)?),
        })?;
        Ok(Exit::Ok)
    }
}

/// As the API server holds it, without the bookkeeping of field owners.
fn as_value(mut object: DynamicObject) -> serde_json::Result<Value> {
    object.metadata.managed_fields = None;
    let mut value = serde_json::to_value(object)?;
    // The items of a list come without.
    let (api_version, kind) = type_meta();
    value["apiVersion"] = api_version.into();
    value["kind"] = kind.into();
    Ok(value)
}

fn as_list(objects: Vec<DynamicObject>) -> serde_json::Result<Value> {
    let items = objects.into_iter().map(as_value).collect::<serde_json::Result<Vec<_>>>()?;
    Ok(json!({"apiVersion": "v1", "kind": "List", "items": items}))
}

/// A span of time in one unit, or two where the first is small: `45s`, `3m10s`, `5h`, `12d`.
pub(super) fn age(since: Timestamp, now: Timestamp) -> String {
    let seconds = now.as_second().saturating_sub(since.as_second()).max(0);
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match seconds {
        0..120 => format!("{seconds}s"),
        120..600 => match seconds % 60 {
            0 => format!("{minutes}m"),
            rest => format!("{minutes}m{rest}s"),
        },
        600..7_200 => format!("{minutes}m"),
        7_200..172_800 => format!("{hours}h"),
        _ => format!("{days}d"),
    }
}
