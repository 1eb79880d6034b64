//! Whose fault it is that an image can't be pulled. Container runtimes tell it in free text only.

use super::FailureClass;

/// What a registry says that is busy, broken or out of reach, and a node that has no room.
const PASSING: [&str; 26] = [
    "too many requests",
    "toomanyrequests",
    "rate limit",
    "internal server error",
    "bad gateway",
    "service unavailable",
    "gateway timeout",
    "gateway time-out",
    "unexpected status code 5",
    "status code 429",
    "pull qps exceeded",
    "timeout",
    "timed out",
    "deadline exceeded",
    "connection refused",
    "connection reset",
    "no such host",
    "server misbehaving",
    "temporary failure",
    "no route to host",
    "network is unreachable",
    "unexpected eof",
    "broken pipe",
    "no space left on device",
    "registryunavailable",
    "registry is unavailable",
];

/// What a registry says of an image that is not there, or not for us.
const LASTING: [&str; 13] = [
    "not found",
    "manifest unknown",
    "name unknown",
    "does not exist",
    "unauthorized",
    "authorization failed",
    "authentication required",
    "access denied",
    "denied:",
    "forbidden",
    "insufficient_scope",
    "no match for platform",
    "no matching manifest",
];

/// The class of a pull error. One that is not known is taken for the environment's: holding a good release is
/// the smaller harm.
pub(super) fn class(image: &str, message: &str) -> FailureClass {
    let text = without_names(image, &message.to_lowercase());
    let says = |phrases: &[&str]| phrases.iter().any(|phrase| text.contains(phrase));
    if !says(&PASSING) && says(&LASTING) { FailureClass::Release } else { FailureClass::Environment }
}

/// The kubelet's sentence without what comes and goes: the back-off, the outer layers of the error.
pub(super) fn told(message: &str) -> &str {
    let mut rest = message;
    for layer in ["ErrImagePull: ", "rpc error: code = ", "desc = "] {
        if let Some((_, inner)) = rest.split_once(layer) {
            rest = inner;
        }
    }
    // The back-off alone says nothing, and an Event of a pull that goes on neither.
    if rest.starts_with("Back-off pulling image") || rest.starts_with("Error: ") { "" } else { rest }
}

/// The text without references and addresses, whose words could be anything (`registry/timeout:503`).
fn without_names(image: &str, text: &str) -> String {
    let text = if image.is_empty() { text.to_owned() } else { text.replace(&image.to_lowercase(), " ") };
    let mut kept = String::with_capacity(text.len());
    for (index, part) in text.split('"').enumerate() {
        // Every second part stands in quotes.
        if index % 2 == 0 {
            let words = part.split_whitespace().filter(|word| !word.contains('/') || *word == "i/o");
            kept.extend(words.flat_map(|word| [word, " "]));
        }
    }
    kept
}
