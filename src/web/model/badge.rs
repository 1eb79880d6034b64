use windlass_core::api::{HealthStatus, SyncStatus};

/// A state as shape, text and colour; each state has a shape of its own, so that it can be told without
/// seeing colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Badge {
    /// The state as the API names it.
    pub value: &'static str,
    /// The text.
    pub label: &'static str,
    /// The symbol's id in the page.
    pub symbol: &'static str,
    /// The colour.
    pub tone: Tone,
}

/// What a colour says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Tone {
    /// As it should be.
    Good,
    /// Nothing to do, on purpose.
    Idle,
    /// On its way.
    Busy,
    /// Cannot be told.
    Unknown,
    /// Needs attention.
    Warn,
    /// Failed.
    Bad,
}

impl Tone {
    /// The class in the style sheet.
    pub fn class(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Idle => "idle",
            Self::Busy => "busy",
            Self::Unknown => "unknown",
            Self::Warn => "warn",
            Self::Bad => "bad",
        }
    }
}

impl Badge {
    /// A state whose label is its name in the API.
    const fn new(value: &'static str, symbol: &'static str, tone: Tone) -> Self {
        Self { value, label: value, symbol, tone }
    }

    /// Of a health.
    pub fn health(status: HealthStatus) -> Self {
        match status {
            HealthStatus::Healthy => Self::new("Healthy", "healthy", Tone::Good),
            HealthStatus::Suspended => Self::new("Suspended", "suspended", Tone::Idle),
            HealthStatus::Progressing => Self::new("Progressing", "progressing", Tone::Busy),
            HealthStatus::Unknown => Self::new("Unknown", "unknown", Tone::Unknown),
            HealthStatus::Missing => Self::new("Missing", "missing", Tone::Warn),
            HealthStatus::Degraded => Self::new("Degraded", "degraded", Tone::Bad),
        }
    }

    /// Of a sync state.
    pub fn sync(status: SyncStatus) -> Self {
        match status {
            SyncStatus::Synced => Self::new("Synced", "synced", Tone::Good),
            SyncStatus::OutOfSync => {
                Self { label: "Out of sync", ..Self::new("OutOfSync", "outofsync", Tone::Warn) }
            }
            SyncStatus::Unknown => Self::new("Unknown", "syncunknown", Tone::Unknown),
        }
    }

    /// Of one object's sync state.
    pub fn in_sync(in_sync: bool) -> Self {
        Self::sync(if in_sync { SyncStatus::Synced } else { SyncStatus::OutOfSync })
    }

    /// Of a condition after kstatus: `Ready` is good when true; all others speak up when true.
    pub fn condition(kind: &str, status: &str) -> Self {
        match (kind, status) {
            ("Ready" | "Healthy", "True") => Self::new("True", "healthy", Tone::Good),
            ("Ready" | "Healthy", "False") => Self::new("False", "no", Tone::Warn),
            ("Reconciling", "True") => Self::new("True", "progressing", Tone::Busy),
            ("Stalled", "True") => Self::new("True", "degraded", Tone::Bad),
            (_, "True") => Self::new("True", "yes", Tone::Idle),
            (_, "False") => Self::new("False", "no", Tone::Idle),
            _ => Self::new("Unknown", "unknown", Tone::Unknown),
        }
    }

    /// Of a past release's result.
    pub fn result(result: &str) -> Self {
        match result {
            "Synced" => Self::new("Synced", "synced", Tone::Good),
            "Failed" => Self::new("Failed", "degraded", Tone::Bad),
            _ => Self::new("Unknown", "unknown", Tone::Unknown),
        }
    }
}
