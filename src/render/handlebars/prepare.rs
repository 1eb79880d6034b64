//! Parses a template and rewrites what the engine made of it, so that strictness has no holes:
//! - `{{x}}` prints through a helper that refuses null, lists and mappings, which the engine would print as
//!   nothing or as `[object]`;
//! - a variable that a block or a partial is given is checked to exist, where the engine takes a missing one
//!   for false;
//! - the body of every template and block begins with a charge for its steps, since the engine never stops,
//!   and an include is charged for the values that the engine copies for it.
//!
//! Helpers that do not exist and partials that are not there are found here too, taken branch or not.

use std::collections::{BTreeMap, HashMap};

use handlebars::template::{
    DecoratorTemplate, HelperTemplate, Parameter, Subexpression, TemplateElement, TemplateMapping,
};
use handlebars::{Handlebars, Template};

use super::checks::{CHECK, PRINT, STEP, steps_of};
use super::error::{Fault, FaultAt};
use super::functions::{self, FUNCTIONS};
use super::includes::Include;
use super::tags;

/// Deepest nesting of blocks and partials; the engine recurses.
pub(super) const MAX_NESTING: usize = 64;
/// The blocks, and how many arguments they take.
const BLOCKS: &[(&str, usize)] = &[("if", 1), ("unless", 1), ("each", 1), ("with", 1), ("raw", 0)];
/// Most named arguments of a partial; each is copied, with everything in it.
const MAX_NAMED: usize = 16;

/// Adds a template to the engine and answers with what it includes.
pub(super) fn register(
    registry: &mut Handlebars<'static>,
    name: &str,
    text: &[u8],
    partials: &BTreeMap<String, String>,
) -> Result<Vec<Include>, FaultAt> {
    let text = std::str::from_utf8(text).map_err(|error| {
        Fault::invalid(format!("the template is not UTF-8 (byte {}); save it as UTF-8", error.valid_up_to()))
    })?;
    tags::check(text)?;
    registry.register_template_string(name, text).map_err(|error| {
        tags::unbalanced(text).unwrap_or_else(|| {
            let fault = tags::unreadable();
            match error.pos() {
                Some((line, column)) => fault.at(line, column),
                None => fault.into(),
            }
        })
    })?;
    let Some(mut template) = registry.get_template(name).cloned() else { return Ok(Vec::new()) };
    let mut rewrite = Rewrite { partials, includes: Vec::new() };
    if let Some(first) = template.mapping.first().cloned() {
        rewrite.template(&mut template, &first, 0)?;
    }
    registry.register_template(name, template);
    Ok(rewrite.includes)
}

struct Rewrite<'a> {
    partials: &'a BTreeMap<String, String>,
    includes: Vec<Include>,
}

impl Rewrite<'_> {
    /// `outer` is the place of the element that holds the template.
    fn template(
        &mut self,
        template: &mut Template,
        outer: &TemplateMapping,
        depth: usize,
    ) -> Result<(), FaultAt> {
        if depth > MAX_NESTING {
            let message = format!("blocks are nested more than {MAX_NESTING} deep");
            return Err(Fault::limit(message).at(outer.0, outer.1));
        }
        let places = std::mem::take(&mut template.mapping);
        let elements = std::mem::take(&mut template.elements);
        let steps = elements.iter().map(cost).sum::<u64>() + 1;
        let mut add = |element, place: &TemplateMapping| {
            template.elements.push(element);
            template.mapping.push(place.clone());
        };
        add(call(STEP, vec![Parameter::Literal(steps.into())]), places.first().unwrap_or(outer));
        for (position, mut element) in elements.into_iter().enumerate() {
            let place = places.get(position).unwrap_or(outer);
            for call in self.element(&mut element, place, depth)? {
                add(call, place);
            }
            add(element, place);
        }
        Ok(())
    }

    /// Rewrites an element and answers with what must come before it.
    fn element(
        &mut self,
        element: &mut TemplateElement,
        place: &TemplateMapping,
        depth: usize,
    ) -> Result<Vec<TemplateElement>, FaultAt> {
        let at = |fault: Fault| fault.at(place.0, place.1);
        match element {
            TemplateElement::RawString(_) | TemplateElement::Comment(_) => Ok(Vec::new()),
            TemplateElement::Expression(expression) | TemplateElement::HtmlExpression(expression) => {
                print(expression).map_err(at)?;
                Ok(Vec::new())
            }
            TemplateElement::HelperBlock(block) => {
                let checks = block_checks(block).map_err(at)?;
                for body in [&mut block.template, &mut block.inverse].into_iter().flatten() {
                    self.template(body, place, depth + 1)?;
                }
                Ok(checks)
            }
            TemplateElement::PartialExpression(include) => {
                let name = self.partial(include).map_err(at)?;
                self.includes.push(Include { name, line: place.0, depth });
                if include.hash.len() > MAX_NAMED {
                    let message = format!("a partial takes at most {MAX_NAMED} named arguments");
                    return Err(at(Fault::limit(message)));
                }
                let arguments = || include.params.iter().chain(named(&include.hash));
                let mut before = checks(arguments()).map_err(at)?;
                let mut copied: Vec<_> = arguments().cloned().collect();
                if include.params.is_empty() {
                    copied.extend(Parameter::parse("this").ok());
                }
                copied.insert(0, Parameter::Literal(1.into()));
                before.push(call(STEP, copied));
                Ok(before)
            }
            // The engine keeps what is written in such a block in memory without a bound: a partial that
            // writes its block twice, 40 deep in itself, is a terabyte.
            TemplateElement::PartialBlock(_) => Err(at(Fault::invalid(
                "{{#> }} is not supported; include the partial with {{> name}} and give it named arguments",
            ))),
            TemplateElement::DecoratorExpression(_) | TemplateElement::DecoratorBlock(_) => Err(at(
                Fault::invalid("{{* }} is not supported; put a partial into a file of its own, `_name.hbs`"),
            )),
            _ => Err(at(Fault::invalid("this kind of tag is not supported"))),
        }
    }

    fn partial(&self, include: &DecoratorTemplate) -> Result<String, Fault> {
        let Some(name) = include.name.as_name() else {
            return Err(Fault::invalid("the name of a partial cannot be computed; write it out"));
        };
        if self.partials.contains_key(name) {
            return Ok(name.to_owned());
        }
        let known: Vec<_> = self.partials.keys().map(String::as_str).collect();
        let known = if known.is_empty() { "no others".to_owned() } else { known.join(", ") };
        Err(Fault::invalid(format!(
            "there is no partial `{name}`, which would be in a file `_{name}.hbs`; there are {known}"
        )))
    }
}

/// Lets an expression print through our helper.
fn print(expression: &mut HelperTemplate) -> Result<(), Fault> {
    let name = std::mem::replace(&mut expression.name, Parameter::Name(PRINT.into()));
    let params = std::mem::take(&mut expression.params);
    let hash = std::mem::take(&mut expression.hash);
    let is_call =
        !params.is_empty() || !hash.is_empty() || name.as_name().and_then(functions::find).is_some();
    let value = if is_call { Parameter::Subexpression(Subexpression::new(name, params, hash)) } else { name };
    check_calls(&value)?;
    expression.params = vec![value];
    Ok(())
}

fn block_checks(block: &HelperTemplate) -> Result<Vec<TemplateElement>, Fault> {
    let name = block.name.as_name().unwrap_or_default();
    let Some((_, count)) = BLOCKS.iter().find(|(known, _)| *known == name) else {
        let known = BLOCKS.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        return Err(Fault::invalid(format!("there is no block `{name}`; blocks are {known}")));
    };
    if block.params.len() != *count {
        return Err(wrong_count(name, &(*count..=*count), block.params.len()));
    }
    checks(block.params.iter().chain(named(&block.hash)))
}

/// Checks of the variables among arguments; the helpers that arguments call check their own.
fn checks<'a>(arguments: impl Iterator<Item = &'a Parameter>) -> Result<Vec<TemplateElement>, Fault> {
    let mut variables = Vec::new();
    for argument in arguments {
        check_calls(argument)?;
        if matches!(argument, Parameter::Path(_)) {
            variables.push(argument.clone());
        }
    }
    Ok(if variables.is_empty() { Vec::new() } else { vec![call(CHECK, variables)] })
}

/// Checks names and numbers of arguments of the helpers that an argument calls.
fn check_calls(argument: &Parameter) -> Result<(), Fault> {
    let Parameter::Subexpression(call) = argument else { return Ok(()) };
    let TemplateElement::Expression(call) = call.as_element() else { return Ok(()) };
    let name = call.name.as_name().unwrap_or_default();
    let Some(function) = functions::find(name) else {
        let known = FUNCTIONS.iter().map(|function| function.name).collect::<Vec<_>>().join(", ");
        return Err(Fault::invalid(format!("there is no helper `{name}`; helpers are {known}")));
    };
    if let Some(named) = call.hash.keys().min() {
        return Err(Fault::invalid(format!("`{name}` takes no named arguments, but `{named}=` is given")));
    }
    if !function.arguments.contains(&call.params.len()) {
        return Err(wrong_count(name, &function.arguments, call.params.len()));
    }
    if name == "default" && matches!(call.params.first(), Some(Parameter::Literal(_))) {
        return Err(Fault::invalid("`default` takes the value first: {{default name \"value\"}}"));
    }
    call.params.iter().try_for_each(check_calls)
}

/// Named arguments in the order of their names: the engine's map has another order in every process, and of
/// two wrong ones always the same must be told.
fn named(arguments: &HashMap<String, Parameter>) -> impl Iterator<Item = &Parameter> {
    arguments.iter().collect::<BTreeMap<_, _>>().into_values()
}

fn wrong_count(name: &str, takes: &std::ops::RangeInclusive<usize>, given: usize) -> Fault {
    let (least, most) = (takes.start(), takes.end());
    let takes = if least == most { least.to_string() } else { format!("{least} to {most}") };
    let arguments = if *most == 1 { "argument" } else { "arguments" };
    Fault::invalid(format!("`{name}` takes {takes} {arguments}, not {given}"))
}

/// An element that calls a helper and writes nothing.
fn call(name: &str, params: Vec<Parameter>) -> TemplateElement {
    *Subexpression::new(Parameter::Name(name.into()), params, HashMap::new()).element
}

fn cost(element: &TemplateElement) -> u64 {
    match element {
        TemplateElement::RawString(text) => steps_of(text.len()),
        _ => 1,
    }
}
