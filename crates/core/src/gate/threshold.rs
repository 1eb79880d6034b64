use super::look::{Look, Sample, number};
use crate::api::Threshold;

/// Judges the value of a `threshold` gate's query.
pub fn threshold(spec: &Threshold, sample: &Sample) -> Look {
    let value = match sample {
        Sample::Value(value) => *value,
        Sample::NoData(why) => return Look::NoData(why.clone()),
    };
    let bound = |text: &Option<String>| text.as_deref().and_then(|text| text.parse::<f64>().ok());
    let bad = |why: String| Look::Bad { value: number(value), why };
    match (bound(&spec.min), bound(&spec.max)) {
        (Some(min), _) if value < min => {
            bad(format!("below min {}", spec.min.as_deref().unwrap_or_default()))
        }
        (_, Some(max)) if value > max => {
            bad(format!("above max {}", spec.max.as_deref().unwrap_or_default()))
        }
        _ => Look::Good(number(value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::Duration;

    #[test]
    fn a_value_is_good_up_to_its_bounds() {
        let spec = |min: Option<&str>, max: Option<&str>| Threshold {
            query: "q".into(),
            min: min.map(Into::into),
            max: max.map(Into::into),
            interval: Duration::from_secs(15),
            consecutive: 3,
        };
        let bad = |value: &str, why: &str| Look::Bad { value: value.into(), why: why.into() };
        for (min, max, value, expected) in [
            (None, Some("0.01"), 0.01, Look::Good("0.01".into())),
            (None, Some("0.01"), 0.5, bad("0.5", "above max 0.01")),
            (Some("10"), None, 9.5, bad("9.5", "below min 10")),
            (Some("-1"), Some("1"), -2.0, bad("-2", "below min -1")),
            (Some("-1"), Some("1"), 2.0, bad("2", "above max 1")),
        ] {
            assert_eq!(threshold(&spec(min, max), &Sample::number(value)), expected);
        }
        let none = threshold(&spec(None, Some("1")), &Sample::number(f64::NAN));
        assert_eq!(none, Look::NoData("the query gives NaN, which is no number to judge".into()));
    }
}
