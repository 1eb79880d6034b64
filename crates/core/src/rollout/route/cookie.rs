//! A cookie as a regular expression.

use crate::api::CookieMatch;

/// A regular expression for the header `Cookie` that finds exactly this cookie among others.
///
/// Routers differ in whether the expression has to match the whole value (Envoy) or any part of it, and in
/// the dialect (RE2, PCRE, POSIX): this one means the same to all of them.
pub(super) fn expression(cookie: &CookieMatch) -> String {
    format!("^(.*; ?)?{}={}(;.*)?$", quoted(&cookie.name), quoted(&cookie.value))
}

fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len());
    for c in text.chars() {
        if r"\.+*?()|[]{}^$".contains(c) {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted
}
