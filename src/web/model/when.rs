use jiff::Timestamp;

/// A moment as people read it.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct When {
    /// RFC 3339, for machines.
    pub datetime: String,
    /// `2026-11-21 04:00:02 UTC`
    pub absolute: String,
    /// `5 min ago`
    pub relative: String,
}

impl When {
    /// `moment`, seen from `now`.
    pub fn new(moment: Timestamp, now: Timestamp) -> Self {
        let utc = moment.to_zoned(jiff::tz::TimeZone::UTC);
        Self {
            datetime: utc.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            absolute: utc.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
            relative: relative(now.as_second().saturating_sub(moment.as_second()))
                .unwrap_or_else(|| utc.strftime("%Y-%m-%d").to_string()),
        }
    }
}

/// How long ago something was; `None` once the date says more. The clocks of other machines may be ahead:
/// the near future is now.
fn relative(seconds: i64) -> Option<String> {
    const MINUTE: i64 = 60;
    const HOUR: i64 = 60 * MINUTE;
    const DAY: i64 = 24 * HOUR;
    Some(match seconds {
        _ if seconds < 5 => "just now".into(),
        _ if seconds < MINUTE => format!("{seconds} s ago"),
        _ if seconds < HOUR => format!("{} min ago", seconds / MINUTE),
        _ if seconds < DAY => format!("{} h ago", seconds / HOUR),
        _ if seconds < 60 * DAY => format!("{} d ago", seconds / DAY),
        _ => return None,
    })
}
