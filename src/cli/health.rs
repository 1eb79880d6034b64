//! `windlass health -f FILE`: the health of the objects in a file, by the rules that the controller uses, those
//! of an Application's own checks included, and without a cluster. What `kubectl get -o yaml` wrote is such a file.

#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::Path;

use anyhow::{Context, ensure};
use serde::Serialize;
use serde_json::Value;
use windlass_core::api::{HealthCheck, HealthStatus};
use windlass_core::health::{Health, assess};
use windlass_core::object::Gvk;
use windlass_core::yaml;

use super::offline;
use super::output::{Exit, Output, Table};
use crate::worker::{self, CheckRequest, Request, Response};

/// More than any file of objects that fits into memory several times over.
const MAX_BYTES: u64 = 256 << 20;

/// The health of one object, as JSON and YAML have it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Row<'a> {
    api_version: &'a str,
    kind: &'a str,
    namespace: &'a str,
    name: &'a str,
    status: HealthStatus,
    message: String,
}

/// Judges each object in `file` (`-` is standard input) and writes the result to `out`, in the order of the
/// file. Lists are taken apart. The health checks of the Application in `application` come before the built-in
/// rules. [`Exit::Ok`] when every object is Healthy or Suspended, else
/// [`Exit::Differs`].
///
/// # Errors
/// The file cannot be read, is no YAML or JSON, or has nothing in it; or `out` cannot be written.
pub fn run(
    file: &Path,
    application: Option<&Path>,
    output: Output,
    out: &mut dyn Write,
) -> anyhow::Result<Exit> {
    let checks = match application {
        Some(path) => offline::load(path, None)?.spec.health.checks,
        None => Vec::new(),
    };
    let (name, text) = if file == Path::new("-") {
        ("standard input".to_owned(), read(io::stdin().lock()))
    } else {
        (file.display().to_string(), File::open(file).map_err(anyhow::Error::from).and_then(read))
    };
    let text = text.with_context(|| format!("cannot read {name}"))?;
    let documents = yaml::load(&name, &text)?;
    ensure!(!documents.is_empty(), "{name} has no objects in it");
    report(documents.into_iter().map(|document| document.value), &checks, output, out)
}

fn read(from: impl Read) -> anyhow::Result<Vec<u8>> {
    let mut text = Vec::new();
    from.take(MAX_BYTES + 1).read_to_end(&mut text)?;
    ensure!(text.len() as u64 <= MAX_BYTES, "it is larger than {} MiB", MAX_BYTES >> 20);
    Ok(text)
}

fn report(
    values: impl Iterator<Item = Value>,
    checks: &[HealthCheck],
    output: Output,
    out: &mut dyn Write,
) -> anyhow::Result<Exit> {
    let mut objects = Vec::new();
    values.for_each(|value| flatten(value, &mut objects));
    let rows: Vec<Row> = objects.iter().map(|body| row(body, checks)).collect();
    match output {
        Output::Table => table(&rows).write(out)?,
        Output::Json => {
            serde_json::to_writer_pretty(&mut *out, &rows)?;
            writeln!(out)?;
        }
        Output::Yaml => out.write_all(yaml::write(&serde_json::to_value(&rows)?).as_bytes())?,
    }
    out.flush()?;
    let well = |row: &Row| row.status.is_good();
    Ok(if rows.iter().all(well) { Exit::Ok } else { Exit::Differs })
}

/// Takes `v1` `List` and typed lists such as `DeploymentList` apart. The API server leaves kind and
/// apiVersion out of the items of typed lists.
fn flatten(mut value: Value, objects: &mut Vec<Value>) {
    let text = |key| value.get(key).and_then(Value::as_str).unwrap_or_default().to_owned();
    let (kind, api_version) = (text("kind"), text("apiVersion"));
    let items = match (kind.strip_suffix("List"), value.get_mut("items")) {
        (Some(item_kind), Some(Value::Array(items))) => Some((item_kind, std::mem::take(items))),
        _ => None,
    };
    let Some((item_kind, items)) = items else {
        objects.push(value);
        return;
    };
    for mut item in items {
        if let Some(fields) = item.as_object_mut()
            && !item_kind.is_empty()
            && !fields.contains_key("kind")
        {
            fields.insert("kind".to_owned(), item_kind.into());
            fields.insert("apiVersion".to_owned(), api_version.as_str().into());
        }
        flatten(item, objects);
    }
}

fn row<'a>(body: &'a Value, checks: &[HealthCheck]) -> Row<'a> {
    let text = |path| body.pointer(path).and_then(Value::as_str).unwrap_or_default();
    let gvk = Gvk::new(text("/apiVersion"), text("/kind"));
    let health = match checks.iter().find(|check| check.fits(&gvk.group, &gvk.kind)) {
        Some(check) => checked(check, body),
        None => assess(body),
    };
    Row {
        api_version: text("/apiVersion"),
        kind: text("/kind"),
        namespace: text("/metadata/namespace"),
        name: text("/metadata/name"),
        status: health.status,
        message: health.message,
    }
}

fn checked(check: &HealthCheck, body: &Value) -> Health {
    let request = CheckRequest { expression: check.cel.clone(), objects: vec![body.clone()] };
    let health = match worker::handle(Request::Check(request)) {
        Response::Checked(all) => all.into_iter().next(),
        _ => None,
    };
    let error = |error| format!("its health check is wrong: {error}");
    match health {
        Some(Ok(health)) => health,
        Some(Err(message)) => Health { status: HealthStatus::Unknown, message: error(message) },
        None => Health { status: HealthStatus::Unknown, message: error("it gave no answer".into()) },
    }
}

fn table(rows: &[Row]) -> Table {
    let mut table = Table::new(&["KIND", "NAMESPACE/NAME", "STATUS", "MESSAGE"]);
    for row in rows {
        let group = Gvk::new(row.api_version, row.kind).group;
        let kind = if group.contains('.') { format!("{}.{group}", row.kind) } else { row.kind.to_owned() };
        let name = match row.namespace {
            "" => row.name.to_owned(),
            namespace => format!("{namespace}/{}", row.name),
        };
        table.row([kind, name, format!("{:?}", row.status), row.message.clone()]);
    }
    table
}
