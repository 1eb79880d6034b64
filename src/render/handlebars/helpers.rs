//! How the engine calls the functions of templates.

use std::sync::Arc;

use handlebars::{Context, Handlebars, HelperDef, RenderContext, RenderError, ScopedJson};
use serde_json::Value;

use super::checks::{Budget, cost, present};
use super::functions::Function;

/// A function as the engine knows it.
pub(super) struct Helper {
    /// What it computes.
    pub(super) function: &'static Function,
    /// What its work is charged to.
    pub(super) budget: Arc<Budget>,
}

impl HelperDef for Helper {
    fn call_inner<'reg: 'rc, 'rc>(
        &self,
        call: &handlebars::Helper<'rc>,
        _: &'reg Handlebars<'reg>,
        data: &'rc Context,
        _: &mut RenderContext<'reg, 'rc>,
    ) -> Result<ScopedJson<'rc>, RenderError> {
        for (position, param) in call.params().iter().enumerate() {
            if position > 0 || !self.function.optional_first {
                present(param, data)?;
            }
        }
        let arguments: Vec<&Value> = call.params().iter().map(|param| param.value()).collect();
        self.budget.spend(arguments.iter().map(|value| cost(value)).sum())?;
        let result = (self.function.call)(&arguments)?;
        self.budget.spend(cost(&result))?;
        Ok(ScopedJson::Derived(result))
    }
}
