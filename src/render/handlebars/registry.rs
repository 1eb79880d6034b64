//! The engine with nothing in it but what a template may use.

use std::sync::Arc;

use handlebars::{Handlebars, no_escape};

use super::checks::{self, Budget};
use super::functions::FUNCTIONS;
use super::helpers::Helper;

/// Helpers of the engine that stand in for ours, write to a log or are not needed.
const REMOVED: &[&str] = &["lookup", "log", "eq", "ne", "gt", "gte", "lt", "lte", "and", "or", "not", "len"];

/// An engine without templates, all of whose work is charged to `budget`.
pub(super) fn new(budget: &Arc<Budget>) -> Handlebars<'static> {
    let mut registry = Handlebars::new();
    registry.set_strict_mode(true);
    registry.register_escape_fn(no_escape);
    // A partial that stands alone on its line is indented as that line is, or its keys would move up.
    registry.set_prevent_indent(false);
    for name in REMOVED {
        registry.unregister_helper(name);
    }
    for function in FUNCTIONS {
        registry.register_helper(function.name, Box::new(Helper { function, budget: budget.clone() }));
    }
    checks::register(&mut registry, budget);
    registry
}
