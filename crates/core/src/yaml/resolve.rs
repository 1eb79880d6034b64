//! What a scalar means: the table of Go's yaml.v2, which is YAML 1.1 with some of 1.2's numbers.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The value of a scalar.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Scalar {
    Null,
    Bool(bool),
    Int(i64),
    Uint(u64),
    Float(f64),
    Text(String),
}

const NULL: &str = "tag:yaml.org,2002:null";
const BOOL: &str = "tag:yaml.org,2002:bool";
const STR: &str = "tag:yaml.org,2002:str";
const INT: &str = "tag:yaml.org,2002:int";
const FLOAT: &str = "tag:yaml.org,2002:float";
const TIMESTAMP: &str = "tag:yaml.org,2002:timestamp";
const BINARY: &str = "tag:yaml.org,2002:binary";

/// Resolves a scalar that was written with `tag` (empty for none), `plain` if without quotes.
pub(super) fn resolve(tag: &str, plain: bool, value: &str) -> Result<Scalar, String> {
    if tag.is_empty() && !plain {
        return Ok(Scalar::Text(value.to_owned()));
    }
    let mismatch = |found: &str| {
        let short = tag.strip_prefix("tag:yaml.org,2002:").unwrap_or(tag);
        format!("{value:?} is {found}, not what its tag !!{short} says")
    };
    match tag {
        "" => Ok(implicit(value)),
        BINARY => {
            // Line breaks inside are layout.
            let packed = value.replace(['\r', '\n'], "");
            let bytes = STANDARD.decode(packed).map_err(|_| "!!binary holds no base64".to_owned())?;
            String::from_utf8(bytes).map(Scalar::Text).map_err(|_| {
                "!!binary holds bytes that are no text; JSON has no such value, use a Secret's data"
                    .to_owned()
            })
        }
        STR => Ok(Scalar::Text(value.to_owned())),
        NULL | BOOL | INT | FLOAT | TIMESTAMP => match (tag, implicit(value)) {
            (NULL, Scalar::Null) => Ok(Scalar::Null),
            (BOOL, found @ Scalar::Bool(_))
            | (INT, found @ (Scalar::Int(_) | Scalar::Uint(_)))
            | (FLOAT, found @ Scalar::Float(_)) => Ok(found),
            #[expect(clippy::cast_precision_loss, reason = "as the tag asks for")]
            (FLOAT, Scalar::Int(number)) => Ok(Scalar::Float(number as f64)),
            (TIMESTAMP, Scalar::Text(text)) => Ok(Scalar::Text(text)),
            (_, Scalar::Null) => Err(mismatch("null")),
            (_, Scalar::Bool(_)) => Err(mismatch("a boolean")),
            (_, Scalar::Int(_) | Scalar::Uint(_)) => Err(mismatch("an integer")),
            (_, Scalar::Float(_)) => Err(mismatch("a float")),
            (_, Scalar::Text(_)) => Err(mismatch("text")),
        },
        // A tag of the user's own says nothing to JSON.
        _ => Ok(Scalar::Text(value.to_owned())),
    }
}

fn implicit(value: &str) -> Scalar {
    match value {
        "" | "~" | "null" | "Null" | "NULL" => return Scalar::Null,
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            return Scalar::Bool(true);
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            return Scalar::Bool(false);
        }
        ".nan" | ".NaN" | ".NAN" => return Scalar::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => return Scalar::Float(f64::INFINITY),
        "-.inf" | "-.Inf" | "-.INF" => return Scalar::Float(f64::NEG_INFINITY),
        _ => {}
    }
    let number = match value.as_bytes().first() {
        Some(b'.') => float(value),
        Some(b'+' | b'-' | b'0'..=b'9') => number(&value.replace('_', "")),
        _ => None,
    };
    number.unwrap_or_else(|| Scalar::Text(value.to_owned()))
}

/// Go's `ParseInt` and `ParseUint` with base 0, then yaml.v2's float.
fn number(text: &str) -> Option<Scalar> {
    let (negative, digits) = match text.as_bytes().first()? {
        b'-' => (true, text.get(1..)?),
        b'+' => (false, text.get(1..)?),
        _ => (false, text),
    };
    if let Some(magnitude) = magnitude(digits) {
        let signed = i128::from(magnitude) * if negative { -1 } else { 1 };
        if let Ok(int) = i64::try_from(signed) {
            return Some(Scalar::Int(int));
        }
        if !negative && !text.starts_with('+') {
            return Some(Scalar::Uint(magnitude));
        }
    }
    float(text)
}

fn magnitude(digits: &str) -> Option<u64> {
    let lower = digits.to_ascii_lowercase();
    let (radix, rest) = match lower.as_bytes() {
        [b'0', b'x', ..] => (16, lower.get(2..)?),
        [b'0', b'o', ..] => (8, lower.get(2..)?),
        [b'0', b'b', ..] => (2, lower.get(2..)?),
        [b'0', _, ..] => (8, lower.get(1..)?),
        _ => (10, lower.as_str()),
    };
    // from_str_radix would take a sign of its own.
    if rest.is_empty() || !rest.chars().all(|c| c.is_digit(radix)) {
        return None;
    }
    u64::from_str_radix(rest, radix).ok()
}

/// `[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?`, finite.
fn float(text: &str) -> Option<Scalar> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let all_digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let shaped = all_digits(whole) && all_digits(fraction) && !(whole.is_empty() && fraction.is_empty());
    let exponent_shaped = exponent.is_none_or(|e| {
        let digits = e.strip_prefix(['-', '+']).unwrap_or(e);
        !digits.is_empty() && all_digits(digits)
    });
    let value: f64 = if shaped && exponent_shaped { text.parse().ok()? } else { return None };
    value.is_finite().then_some(Scalar::Float(value))
}
