//! The functions of templates. They see their arguments and nothing else.

use std::ops::RangeInclusive;

use base64::Engine as _;
use handlebars::JsonTruthy;
use semver::{Version, VersionReq};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use windlass_core::yaml;

use super::error::Fault;

/// Widest indentation.
const MAX_INDENT: u64 = 100;

/// A function of templates.
pub(super) struct Function {
    /// Its name in templates.
    pub(super) name: &'static str,
    /// How many arguments it takes.
    pub(super) arguments: RangeInclusive<usize>,
    /// Whether its first argument may be a variable that does not exist; it is null then.
    pub(super) optional_first: bool,
    /// Computes it from as many arguments as it takes.
    pub(super) call: fn(&[&Value]) -> Result<Value, Fault>,
}

/// All functions.
pub(super) const FUNCTIONS: &[Function] = &[
    Function { name: "default", arguments: 2..=2, optional_first: true, call: default },
    Function { name: "required", arguments: 1..=2, optional_first: true, call: required },
    function("quote", 1..=1, |a| Ok(quote(text(a, 0)?).into())),
    function("toYaml", 1..=1, |a| Ok(yaml::write(argument(a, 0)).trim_end_matches('\n').into())),
    function("indent", 2..=2, |a| indent(a).map(Value::String)),
    function("nindent", 2..=2, |a| Ok(format!("\n{}", indent(a)?).into())),
    function("b64enc", 1..=1, |a| Ok(base64::engine::general_purpose::STANDARD.encode(text(a, 0)?).into())),
    function("sha256", 1..=1, sha256),
    function("lower", 1..=1, |a| Ok(text(a, 0)?.to_lowercase().into())),
    function("upper", 1..=1, |a| Ok(text(a, 0)?.to_uppercase().into())),
    function("trunc", 2..=2, trunc),
    function("eq", 2..=2, |a| Ok((argument(a, 0) == argument(a, 1)).into())),
    function("ne", 2..=2, |a| Ok((argument(a, 0) != argument(a, 1)).into())),
    function("and", 2..=16, |a| Ok(a.iter().all(|value| value.is_truthy(false)).into())),
    function("or", 2..=16, |a| Ok(a.iter().any(|value| value.is_truthy(false)).into())),
    function("not", 1..=1, |a| Ok((!argument(a, 0).is_truthy(false)).into())),
    function("semverCompare", 2..=2, semver_compare),
];

const fn function(
    name: &'static str,
    arguments: RangeInclusive<usize>,
    call: fn(&[&Value]) -> Result<Value, Fault>,
) -> Function {
    Function { name, arguments, optional_first: false, call }
}

/// The function of a name.
pub(super) fn find(name: &str) -> Option<&'static Function> {
    FUNCTIONS.iter().find(|function| function.name == name)
}

fn default(arguments: &[&Value]) -> Result<Value, Fault> {
    let [value, fallback] = [argument(arguments, 0), argument(arguments, 1)];
    Ok(if value.is_null() { fallback.clone() } else { value.clone() })
}

fn required(arguments: &[&Value]) -> Result<Value, Fault> {
    let value = argument(arguments, 0);
    if !value.is_null() && value.as_str() != Some("") {
        return Ok(value.clone());
    }
    let message =
        if arguments.len() > 1 { text(arguments, 1)? } else { "a required value is not set".into() };
    Err(Fault::unknown(message))
}

/// In double quotes, as JSON writes it, with an escape for what YAML does not take or folds.
fn quote(text: String) -> String {
    let escaped = |c: char| matches!(c, '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}');
    Value::String(text).to_string().chars().fold(String::new(), |mut quoted, c| {
        if escaped(c) {
            quoted.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            quoted.push(c);
        }
        quoted
    })
}

fn indent(arguments: &[&Value]) -> Result<String, Fault> {
    let margin = " ".repeat(usize::try_from(number(arguments, 1, MAX_INDENT)?).unwrap_or_default());
    let text = text(arguments, 0)?;
    // An empty line stays empty: trailing spaces would become part of a block scalar.
    let lines =
        text.split('\n').map(|line| if line.is_empty() { String::new() } else { format!("{margin}{line}") });
    Ok(lines.collect::<Vec<_>>().join("\n"))
}

fn sha256(arguments: &[&Value]) -> Result<Value, Fault> {
    let digest = Sha256::digest(text(arguments, 0)?);
    Ok(digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>().into())
}

fn trunc(arguments: &[&Value]) -> Result<Value, Fault> {
    let length = usize::try_from(number(arguments, 1, u64::MAX)?).unwrap_or(usize::MAX);
    Ok(text(arguments, 0)?.chars().take(length).collect::<String>().into())
}

fn semver_compare(arguments: &[&Value]) -> Result<Value, Fault> {
    let [version, range] = [text(arguments, 0)?, text(arguments, 1)?];
    let parsed = Version::parse(&full_version(&version))
        .map_err(|error| Fault::invalid(format!("semverCompare: `{version}` is not a version: {error}")))?;
    let range = VersionReq::parse(&range).map_err(|error| {
        Fault::invalid(format!("semverCompare: `{range}` is not a range such as `>=1.2, <2`: {error}"))
    })?;
    Ok(range.matches(&parsed).into())
}

/// `v1.30` is 1.30.0.
fn full_version(version: &str) -> String {
    let version = version.strip_prefix('v').unwrap_or(version);
    let core = version.split_once(['-', '+']).map_or(version, |(core, _)| core);
    let missing = 2usize.saturating_sub(core.matches('.').count());
    format!("{core}{}{}", ".0".repeat(missing), version.strip_prefix(core).unwrap_or_default())
}

fn argument<'a>(arguments: &[&'a Value], position: usize) -> &'a Value {
    arguments.get(position).copied().unwrap_or(&Value::Null)
}

/// An argument as text; numbers and booleans as they would be printed.
fn text(arguments: &[&Value], position: usize) -> Result<String, Fault> {
    match argument(arguments, position) {
        Value::String(text) => Ok(text.clone()),
        scalar @ (Value::Number(_) | Value::Bool(_)) => Ok(scalar.to_string()),
        Value::Null => {
            Err(Fault::unknown("a helper needs text, but the value is null; see {{default name \"value\"}}"))
        }
        Value::Array(_) => {
            Err(Fault::invalid("a helper needs text, but the value is a list; see {{toYaml name}}"))
        }
        Value::Object(_) => {
            Err(Fault::invalid("a helper needs text, but the value is a mapping; see {{toYaml name}}"))
        }
    }
}

fn number(arguments: &[&Value], position: usize, most: u64) -> Result<u64, Fault> {
    let value = argument(arguments, position);
    value.as_u64().filter(|number| *number <= most).ok_or_else(|| {
        let range = if most == u64::MAX { "0 or more".into() } else { format!("0 to {most}") };
        Fault::invalid(format!(
            "a helper needs a whole number of {range} as its second argument, not {value}"
        ))
    })
}
