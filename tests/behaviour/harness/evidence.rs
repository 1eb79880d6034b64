//! What a failed test shows: its panic, the logs of its controllers, its Applications.

use std::cell::RefCell;
use std::panic;

use super::timing;

thread_local! {
    static EVIDENCE: RefCell<Vec<String>> = const { RefCell::new(Vec::new()) };
}

/// Lines of a log that are shown.
const TAIL: usize = 80;

/// Keeps the message of a test's panic for its report; a panic elsewhere is printed at once.
pub fn collect_panics() {
    let print = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if timing::current().is_empty() {
            print(info);
        } else {
            add("", &info.to_string());
        }
    }));
}

/// Adds to the report of this thread's test.
pub fn add(title: &str, text: &str) {
    let lines: Vec<_> = text.lines().collect();
    let shown = lines.get(lines.len().saturating_sub(TAIL)..).unwrap_or_default().join("\n");
    let title = if title.is_empty() { String::new() } else { format!("---- {title}\n") };
    EVIDENCE.with_borrow_mut(|evidence| evidence.push(format!("{title}{shown}")));
}

/// The report of this thread's test.
pub fn take() -> String {
    EVIDENCE.take().join("\n")
}
