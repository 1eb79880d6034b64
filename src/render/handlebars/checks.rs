//! Helpers that templates cannot name: [`super::prepare`] puts calls of them around what people wrote.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use handlebars::{
    Context, Handlebars, Helper, HelperDef, HelperResult, Output, PathAndJson, RenderContext, RenderError,
    ScopedJson,
};
use serde_json::Value;

use super::error::Fault;

/// Prints its argument, which must be text, a number or a boolean.
pub(super) const PRINT: &str = " print";
/// Fails unless its argument exists.
pub(super) const CHECK: &str = " check";
/// Charges its first argument, a number of steps, and the handling of the others.
pub(super) const STEP: &str = " step";

/// Bytes that count as one step.
const STEP_BYTES: usize = 32;
/// Most names that a message lists.
const MAX_NAMES: usize = 10;

/// How much a template may still do.
pub(super) struct Budget {
    steps: AtomicU64,
    limit: u64,
}

impl Budget {
    /// A budget of `limit` steps.
    pub(super) fn new(limit: u64) -> Self {
        Self { steps: AtomicU64::new(0), limit }
    }

    /// Starts again, for the next template.
    pub(super) fn refill(&self) {
        self.steps.store(0, Ordering::Relaxed);
    }

    /// Charges steps.
    pub(super) fn spend(&self, steps: u64) -> Result<(), Fault> {
        let before = self.steps.fetch_add(steps, Ordering::Relaxed);
        if before.saturating_add(steps) <= self.limit {
            return Ok(());
        }
        Err(Fault::limit(format!(
            "rendering the template takes more than {} steps; are loops nested over long lists?",
            self.limit
        )))
    }
}

/// The steps that the handling of text costs.
pub(super) fn steps_of(bytes: usize) -> u64 {
    u64::try_from(1 + bytes / STEP_BYTES).unwrap_or(u64::MAX)
}

/// The steps that the handling of a value costs.
pub(super) fn cost(value: &Value) -> u64 {
    match value {
        Value::String(text) => steps_of(text.len()),
        Value::Array(items) => items.iter().map(cost).sum::<u64>() + 1,
        Value::Object(entries) => entries.values().map(cost).sum::<u64>() + 1,
        Value::Null | Value::Bool(_) | Value::Number(_) => 1,
    }
}

/// Adds the checks to the engine.
pub(super) fn register(registry: &mut Handlebars<'static>, budget: &Arc<Budget>) {
    registry.register_helper(PRINT, Box::new(Print(budget.clone())));
    registry.register_helper(CHECK, Box::new(Check));
    registry.register_helper(STEP, Box::new(Step(budget.clone())));
}

struct Print(Arc<Budget>);

impl HelperDef for Print {
    /// Gives the value back instead of writing it, since only the engine knows the indentation.
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        call: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        data: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        let Some(param) = call.param(0) else { return Ok(ScopedJson::Derived(Value::String(String::new()))) };
        present(param, data)?;
        let what = param.relative_path().map_or_else(|| "the result".into(), |path| format!("`{path}`"));
        let text = match param.value() {
            Value::String(text) => text.clone(),
            scalar @ (Value::Number(_) | Value::Bool(_)) => scalar.to_string(),
            Value::Null => {
                return Err(Fault::unknown(format!(
                    "{what} is null; give it a value, or say what stands for it: {{{{default name \"value\"}}}}"
                ))
                .into());
            }
            Value::Array(_) => return Err(compound(&what, "a list")),
            Value::Object(_) => return Err(compound(&what, "a mapping")),
        };
        self.0.spend(steps_of(text.len()))?;
        Ok(ScopedJson::Derived(Value::String(text)))
    }
}

fn compound(what: &str, kind: &str) -> RenderError {
    let message =
        format!("{what} is {kind}; write it with {{{{toYaml name}}}} or {{{{nindent (toYaml name) 4}}}}");
    Fault::invalid(message).into()
}

struct Check;

impl HelperDef for Check {
    fn call<'reg: 'rc, 'rc>(
        &self,
        call: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        data: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
        _: &mut dyn Output,
    ) -> HelperResult {
        call.params().iter().try_for_each(|param| present(param, data)).map_err(Into::into)
    }
}

struct Step(Arc<Budget>);

impl HelperDef for Step {
    fn call<'reg: 'rc, 'rc>(
        &self,
        call: &Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        _: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
        _: &mut dyn Output,
    ) -> HelperResult {
        let (steps, values) = call.params().split_first().ok_or_else(|| Fault::invalid("no steps"))?;
        let handled: u64 = values.iter().map(|value| cost(value.value())).sum();
        Ok(self.0.spend(handled.saturating_add(steps.value().as_u64().unwrap_or(1)))?)
    }
}

/// Fails where a variable has no value, and says what there is instead.
pub(super) fn present(param: &PathAndJson<'_>, data: &Context) -> Result<(), Fault> {
    if !param.is_value_missing() {
        return Ok(());
    }
    let path = param.relative_path().map_or("", String::as_str);
    Err(Fault::unknown(format!("unknown variable `{path}`; {}", hint(path, data.data()))))
}

/// What the values have where `path` leaves them.
fn hint(path: &str, values: &Value) -> String {
    let mut value = values;
    let mut known: Vec<&str> = Vec::new();
    for segment in path.split(['.', '/']) {
        let segment = segment.trim_matches(['[', ']']);
        match value.get(segment) {
            Some(inner) => value = inner,
            None => break,
        }
        known.push(segment);
    }
    if known.len() == path.split(['.', '/']).count() {
        return format!("inside this block it is `@root.{path}`");
    }
    let (place, has) = match known.as_slice() {
        [] => ("the values".to_owned(), "have"),
        known => (format!("`{}`", known.join(".")), "has"),
    };
    match value {
        Value::Object(map) if !map.is_empty() => {
            let names = map.keys().take(MAX_NAMES).map(String::as_str).collect::<Vec<_>>().join(", ");
            let more = if map.len() > MAX_NAMES { ", …" } else { "" };
            format!("{place} {has} {names}{more}")
        }
        Value::Object(_) => format!("{place} {has} no entries"),
        Value::Array(items) => format!("{place} is a list of {}, counted from 0", items.len()),
        _ => format!("{place} is no mapping"),
    }
}
