//! From the engine's errors to sentences for people.

use std::collections::BTreeMap;
use std::error::Error;

use handlebars::{RenderError, RenderErrorReason};

use crate::failure::Failure;

/// What is wrong in a template, as our own checks and helpers tell it to the engine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub(super) struct Fault {
    reason: &'static str,
    message: String,
}

impl Fault {
    /// A variable has no value that can be used.
    pub(super) fn unknown(message: impl Into<String>) -> Self {
        Self { reason: "UnknownVariable", message: message.into() }
    }

    /// The template is wrong.
    pub(super) fn invalid(message: impl Into<String>) -> Self {
        Self { reason: "InvalidTemplate", message: message.into() }
    }

    /// The template does more than it may.
    pub(super) fn limit(message: impl Into<String>) -> Self {
        Self { reason: "TemplateLimit", message: message.into() }
    }

    /// At a place.
    pub(super) fn at(self, line: usize, column: usize) -> FaultAt {
        FaultAt { fault: self, place: Some((line, column)) }
    }
}

impl From<Fault> for RenderError {
    fn from(fault: Fault) -> Self {
        RenderErrorReason::NestedError(Box::new(fault)).into()
    }
}

/// A fault and, if it is known, its line and column in the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct FaultAt {
    fault: Fault,
    place: Option<(usize, usize)>,
}

impl From<Fault> for FaultAt {
    fn from(fault: Fault) -> Self {
        Self { fault, place: None }
    }
}

impl FaultAt {
    /// The failure of a file.
    pub(super) fn in_file(self, file: &str) -> Failure {
        let message = match self.place {
            Some((line, column)) => format!("{file}:{line}:{column}: {}", self.fault.message),
            None => format!("{file}: {}", self.fault.message),
        };
        Failure::permanent(self.fault.reason, message)
    }
}

/// The failure of rendering the template `file`, which may lie in a partial that it includes.
pub(super) fn of_render(error: &RenderError, file: &str, partials: &BTreeMap<String, String>) -> Failure {
    let fault = match error.reason() {
        RenderErrorReason::NestedError(error) => own(error.as_ref()),
        RenderErrorReason::IOError(error) => error.get_ref().and_then(own),
        RenderErrorReason::MissingVariable(path) => Some(Fault::unknown(match path {
            Some(path) => format!("`{path}` is null or empty; give it a value or add {{{{else}}}}"),
            None => "a variable is null or empty".to_owned(),
        })),
        RenderErrorReason::InvalidJsonIndex(index) => {
            Some(Fault::unknown(format!("`{index}` is asked of a list, whose entries have numbers from 0")))
        }
        _ => None,
    };
    let fault = fault.unwrap_or_else(|| Fault::invalid(error.reason().to_string()));
    let partial = error.template_name.as_ref().and_then(|name| partials.get(name));
    let place = error.line_no.zip(error.column_no);
    match partial {
        Some(partial) => {
            let message = format!("{} (included by {file})", fault.message);
            FaultAt { fault: Fault { message, ..fault }, place }.in_file(partial)
        }
        None => FaultAt { fault, place }.in_file(file),
    }
}

fn own(error: &(dyn Error + Send + Sync + 'static)) -> Option<Fault> {
    error.downcast_ref::<Fault>().cloned()
}
