//! What happened, for people; kept only where somebody reads it.

#[derive(Default)]
pub struct Trace {
    pub told: bool,
    pub lines: Vec<String>,
}

impl Trace {
    pub fn tell(&mut self, now: i64, line: impl FnOnce() -> String) {
        if self.told {
            self.lines.push(format!("{:>9.1}s {}", now as f64 / 1000.0, line()));
        }
    }
}
