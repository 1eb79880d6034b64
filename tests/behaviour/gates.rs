//! Gates ask a real Prometheus.

use windlass::prometheus::{Endpoint, Guard, Prometheus as Client};
use windlass_core::gate::Sample;

use crate::harness::{Prometheus, Target, block_on, until};
use crate::tests;

tests![what_prometheus_answers];

fn what_prometheus_answers() {
    let target = Target::new(0.25);
    let mut prometheus = Prometheus::of(&target);
    let client = Client::new(Guard::default()).unwrap();
    let endpoint = Endpoint { address: prometheus.address(), authorization: None };
    let ask = |query: &str| block_on(client.query(&endpoint, query));
    let why = |query: &str| match ask(query) {
        Sample::NoData(why) => why,
        value => panic!("{query}: {value:?}"),
    };
    until("the metric is there", || match ask("error_ratio") {
        Sample::Value(0.25) => Ok(()),
        other => Err(format!("{other:?}")),
    });
    assert_eq!(ask("error_ratio * 2"), Sample::Value(0.5));
    assert_eq!(ask("scalar(error_ratio)"), Sample::Value(0.25));
    assert_eq!(why("no_such_metric"), "the query gives no series");
    assert!(why("error_ratio / 0 * 0").contains("NaN"));
    assert!(why("{__name__=~'up|error_ratio'}").contains("2 series"));
    assert!(why("error_ratio[1m]").contains("matrix"));
    assert!(why("sum(").contains("the query is refused"));
    target.set(Some(0.5));
    until("a new value is seen", || match ask("error_ratio") {
        Sample::Value(0.5) => Ok(()),
        other => Err(format!("{other:?}")),
    });
    prometheus.stop();
    assert!(why("error_ratio").contains("cannot be reached"), "{}", why("error_ratio"));
    let elsewhere = Endpoint { address: "http://169.254.169.254".into(), authorization: None };
    let refused = block_on(client.query(&elsewhere, "up"));
    assert_eq!(refused, Sample::NoData("http://169.254.169.254 may not be asked for metrics".into()));
}
