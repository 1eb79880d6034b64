//! What Prometheus answers to an instant query.

use serde::Deserialize;
use serde_json::Value;
use windlass_core::gate::Sample;
use windlass_core::gate::ratio::{Point, Series as Counter};

/// Most series that counters are read from.
const MAX_SERIES: usize = 2000;

#[derive(Deserialize)]
struct Answer {
    status: String,
    #[serde(default)]
    error: String,
    data: Option<Data>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    result_type: String,
    result: Value,
}

#[derive(Deserialize)]
struct Series {
    value: (f64, String),
}

/// The one number in an answer, or why there is none. `Err` where the query itself is refused.
pub fn sample(body: &[u8]) -> Result<Sample, String> {
    let Ok(answer) = serde_json::from_slice::<Answer>(body) else {
        return Ok(Sample::NoData("the answer is not that of a Prometheus".into()));
    };
    if answer.status != "success" {
        return Err(answer.error);
    }
    let Some(data) = answer.data else { return Ok(Sample::NoData("the answer is empty".into())) };
    let text = match data.result_type.as_str() {
        "scalar" => serde_json::from_value::<(f64, String)>(data.result).map(|(_, text)| text),
        "vector" => match serde_json::from_value::<Vec<Series>>(data.result) {
            Ok(series) => match <[Series; 1]>::try_from(series) {
                Ok([one]) => Ok(one.value.1),
                Err(none) if none.is_empty() => {
                    return Ok(Sample::NoData("the query gives no series".into()));
                }
                Err(many) => {
                    let count = many.len();
                    return Ok(Sample::NoData(format!(
                        "the query gives {count} series; aggregate them to one"
                    )));
                }
            },
            Err(error) => Err(error),
        },
        other => return Ok(Sample::NoData(format!("the query gives a {other}, not a number"))),
    };
    Ok(match text.ok().and_then(|text| number(&text)) {
        Some(value) => Sample::number(value),
        None => Sample::NoData("the answer holds no number".into()),
    })
}

#[derive(Deserialize)]
struct Row {
    metric: Metric,
    #[serde(default)]
    values: Vec<(f64, String)>,
}

#[derive(Deserialize)]
struct Metric {
    #[serde(default)]
    pod: String,
}

/// The points of all series in an answer, each with its label `pod`. `Err` where they are not known.
pub fn series(body: &[u8]) -> Result<Vec<Counter>, String> {
    let answer = serde_json::from_slice::<Answer>(body);
    let Ok(answer) = answer else { return Err("the answer is not that of a Prometheus".into()) };
    if answer.status != "success" {
        return Err(answer.error);
    }
    let data = answer.data.filter(|data| data.result_type == "matrix");
    let rows = data.and_then(|data| serde_json::from_value::<Vec<Row>>(data.result).ok());
    let Some(rows) = rows else { return Err("the answer has no series".into()) };
    if rows.len() > MAX_SERIES {
        return Err(format!("there are {} series, more than {MAX_SERIES}; select fewer", rows.len()));
    }
    let point = |(seconds, text): (f64, String)| {
        Some(Point { at: (seconds * 1000.0).round() as i64, value: number(&text)? })
    };
    let counter = |row: Row| Counter {
        pod: row.metric.pod,
        points: row.values.into_iter().filter_map(point).collect(),
    };
    Ok(rows.into_iter().map(counter).collect())
}

/// As Prometheus writes numbers, `NaN`, `+Inf` and `-Inf` among them.
fn number(text: &str) -> Option<f64> {
    match text {
        "+Inf" => Some(f64::INFINITY),
        "-Inf" => Some(f64::NEG_INFINITY),
        other => other.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn no_data(body: &str) -> String {
        match sample(body.as_bytes()) {
            Ok(Sample::NoData(why)) => why,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn one_number_is_a_sample() {
        let vector = r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{"a":"b"},"value":[1.5,"0.25"]}]}}"#;
        assert_eq!(sample(vector.as_bytes()), Ok(Sample::Value(0.25)));
        let scalar = r#"{"status":"success","data":{"resultType":"scalar","result":[1.5,"3"]}}"#;
        assert_eq!(sample(scalar.as_bytes()), Ok(Sample::Value(3.0)));
    }

    #[test]
    fn everything_else_is_no_data() {
        let vector = |result: &str| {
            format!(r#"{{"status":"success","data":{{"resultType":"vector","result":{result}}}}}"#)
        };
        let one = r#"{"metric":{},"value":[1,"1"]}"#;
        assert_eq!(no_data(&vector("[]")), "the query gives no series");
        assert_eq!(
            no_data(&vector(&format!("[{one},{one}]"))),
            "the query gives 2 series; aggregate them to one"
        );
        assert!(no_data(&vector(r#"[{"value":[1,"NaN"]}]"#)).contains("NaN"));
        assert!(no_data(&vector(r#"[{"value":[1,"+Inf"]}]"#)).contains("inf"));
        assert!(no_data(&vector(r#"[{"histogram":[1,{}]}]"#)).contains("no number"));
        assert!(no_data("<html>").contains("not that of a Prometheus"));
        assert!(no_data(r#"{"status":"success"}"#).contains("empty"));
        assert!(no_data(&vector("7")).contains("no number"));
    }

    #[test]
    fn points_are_read_with_their_pods() {
        let body = r#"{"status":"success","data":{"resultType":"matrix","result":[
            {"metric":{"pod":"web-1","code":"500"},"values":[[1.5,"3"],[16.501,"NaN"]]},{"metric":{},"values":[]}]}}"#;
        let read = series(body.as_bytes()).unwrap();
        assert_eq!((read[0].pod.as_str(), read[0].points[0]), ("web-1", Point { at: 1500, value: 3.0 }));
        assert!(read[0].points[1].at == 16_501 && read[0].points[1].value.is_nan());
        assert_eq!(read[1], Counter::default());
        let vector = r#"{"status":"success","data":{"resultType":"vector","result":[]}}"#;
        assert_eq!(series(vector.as_bytes()), Err("the answer has no series".into()));
        let row = r#"{"metric":{},"values":[]}"#;
        let many = format!(
            r#"{{"status":"success","data":{{"resultType":"matrix","result":[{}]}}}}"#,
            vec![row; MAX_SERIES + 1].join(",")
        );
        assert!(series(many.as_bytes()).unwrap_err().contains("select fewer"));
    }

    #[test]
    fn a_wrong_query_is_told() {
        let body = r#"{"status":"error","errorType":"bad_data","error":"parse error: unexpected end"}"#;
        assert_eq!(sample(body.as_bytes()), Err("parse error: unexpected end".into()));
    }
}
