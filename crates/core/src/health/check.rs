//! Users' own rules for the health of a kind, in the Common Expression Language (github.com/google/cel-spec).
//!
//! An expression is bounded in length and nesting here, but not in what it costs: two nested comprehensions
//! over a long list take long. So the controller evaluates it in a worker, which is killed at its deadline.

use std::collections::HashMap;
use std::sync::Arc;

use cel::objects::{Key, Map};
use cel::parser::PrattParser;
use cel::{Context, ExecutionError, Value as Cel};
use serde_json::Value;

use super::body::{Body, clipped};
use super::{Health, being_deleted, not_observed};
use crate::api::HealthStatus;

/// Longest expression in bytes, as the schema has it too.
pub const MAX_EXPRESSION: usize = 2048;
/// Deepest nesting of parts of an expression.
const DEPTH: u16 = 32;
/// Bytes of an error that are told; it may quote values of the object.
const TOLD: usize = 300;

/// An expression that can't be used, or that failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckError {
    /// It is longer than [`MAX_EXPRESSION`].
    #[error("it is longer than {MAX_EXPRESSION} bytes")]
    TooLong,
    /// It is no expression.
    #[error("it cannot be read: {0}")]
    Syntax(String),
    /// It can't be evaluated.
    #[error("it cannot be evaluated: {0}")]
    Evaluation(String),
    /// Its value is none of those that mean something.
    #[error(
        "its value is {0}, and not true, false, a status ('Healthy', 'Progressing', 'Degraded', 'Suspended', \
         'Unknown'), or a map with a status and a message"
    )]
    Value(String),
}

/// An expression that was read.
pub struct Check(cel::IdedExpr);

impl Check {
    /// Reads an expression.
    ///
    /// # Errors
    /// [`CheckError::TooLong`] and [`CheckError::Syntax`].
    pub fn new(expression: &str) -> Result<Self, CheckError> {
        if expression.len() > MAX_EXPRESSION {
            return Err(CheckError::TooLong);
        }
        let parsed = PrattParser::new().max_recursion_depth(DEPTH).parse(expression);
        parsed.map(Self).map_err(|errors| {
            let first = errors.errors.first().map(|error| (error.pos, error.msg.clone()));
            let ((line, column), message) = first.unwrap_or_default();
            CheckError::Syntax(format!("line {line}, column {column}: {}", clipped(&message, TOLD)))
        })
    }

    /// Judges a live object. One that is being deleted, and one whose controller has not seen its latest
    /// change, are Progressing whatever the expression says. A field that is not there yet is a reason to
    /// wait, no error.
    ///
    /// # Errors
    /// [`CheckError::Evaluation`] and [`CheckError::Value`].
    pub fn judge(&self, object: &Value) -> Result<Health, CheckError> {
        let body = Body(object);
        if !body.text("/metadata/deletionTimestamp").is_empty() {
            return Ok(being_deleted(body));
        }
        if let Some(health) = not_observed(body) {
            return Ok(health);
        }
        let mut context = Context::default();
        context.add_variable_from_value("self", to_cel(object));
        match context.resolve(&self.0) {
            Ok(value) => health(&value),
            Err(ExecutionError::NoSuchKey(key)) => {
                Ok(Health::progressing(format!("the health check found no field {}", clipped(&key, 100))))
            }
            Err(ExecutionError::IndexOutOfBounds(_)) => {
                Ok(Health::progressing("the health check found no such entry in a list"))
            }
            Err(error) => Err(CheckError::Evaluation(clipped(&error.to_string(), TOLD))),
        }
    }

    /// Whether the expression is true of these variables.
    ///
    /// # Errors
    /// [`CheckError::Evaluation`], and [`CheckError::Value`] with the type of a value that is no truth.
    pub fn truth(&self, variables: &serde_json::Map<String, Value>) -> Result<bool, CheckError> {
        let mut context = Context::default();
        for (name, value) in variables {
            context.add_variable_from_value(name.as_str(), to_cel(value));
        }
        match context.resolve(&self.0) {
            Ok(Cel::Bool(truth)) => Ok(truth),
            Ok(other) => Err(CheckError::Value(format!("of type {}", other.type_of()))),
            Err(error) => Err(CheckError::Evaluation(clipped(&error.to_string(), TOLD))),
        }
    }
}

fn health(value: &Cel) -> Result<Health, CheckError> {
    match value {
        Cel::Bool(true) => Ok(Health::healthy()),
        Cel::Bool(false) => Ok(Health::progressing("the health check is not true yet")),
        Cel::String(name) => status(name, ""),
        Cel::Map(map) => match (text(map, "status"), text(map, "message")) {
            (Some(name), message) => status(&name, message.as_deref().map_or("", String::as_str)),
            (None, _) => Err(CheckError::Value("a map without a status".into())),
        },
        other => Err(CheckError::Value(format!("of type {}", other.type_of()))),
    }
}

fn status(name: &str, message: &str) -> Result<Health, CheckError> {
    let status = match name {
        "Healthy" => return Ok(Health::healthy()),
        "Progressing" => HealthStatus::Progressing,
        "Degraded" => HealthStatus::Degraded,
        "Suspended" => HealthStatus::Suspended,
        "Unknown" => HealthStatus::Unknown,
        other => return Err(CheckError::Value(format!("'{}'", clipped(other, 100)))),
    };
    let message = clipped(message, crate::api::MAX_MESSAGE / 2);
    let told = if message.is_empty() { format!("the health check says {name}") } else { message };
    Ok(Health::new(status, told))
}

fn text(map: &Map, key: &str) -> Option<Arc<String>> {
    match map.map.get(&Key::from(key))? {
        Cel::String(text) => Some(text.clone()),
        _ => None,
    }
}

/// Numbers become `int` where they fit, as in Kubernetes' own CEL.
fn to_cel(value: &Value) -> Cel {
    match value {
        Value::Null => Cel::Null,
        Value::Bool(flag) => Cel::Bool(*flag),
        Value::Number(number) => number
            .as_i64()
            .map(Cel::Int)
            .or_else(|| number.as_u64().map(Cel::UInt))
            .or_else(|| number.as_f64().map(Cel::Float))
            .unwrap_or(Cel::Null),
        Value::String(text) => Cel::String(Arc::new(text.clone())),
        Value::Array(list) => Cel::List(Arc::new(list.iter().map(to_cel).collect())),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(key, value)| (Key::from(key.as_str()), to_cel(value)));
            Cel::Map(Map { map: Arc::new(fields.collect::<HashMap<_, _>>()) })
        }
    }
}
