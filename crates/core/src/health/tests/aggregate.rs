use super::super::{Health, aggregate};
use crate::api::{HealthStatus, MAX_MESSAGE};
use crate::object::{Cluster, ObjectId};

fn id(kind: &str, name: &str) -> ObjectId {
    ObjectId {
        cluster: Cluster::default(),
        group: "apps".to_owned(),
        kind: kind.to_owned(),
        namespace: "shop".to_owned(),
        name: name.to_owned(),
    }
}

fn of(objects: &[(ObjectId, Health)]) -> (HealthStatus, String) {
    aggregate(objects.iter().map(|(id, health)| (id, health)))
}

#[test]
fn nothing_is_healthy() {
    assert_eq!(of(&[]), (HealthStatus::Healthy, String::new()));
    assert_eq!(of(&[(id("Deployment", "web"), Health::healthy())]), (HealthStatus::Healthy, String::new()));
}

#[test]
fn the_worst_is_named_first_whatever_the_order() {
    let objects = [
        (id("Deployment", "web"), Health::progressing("1 of 3 pods ready")),
        (id("Deployment", "ok"), Health::healthy()),
        (id("CronJob", "backup"), Health::suspended("suspended by spec.suspend")),
        (id("Job", "migrate"), Health::degraded("job failed: BackoffLimitExceeded")),
        (id("Deployment", "api"), Health::progressing("0 of 1 pod ready")),
        (id("StatefulSet", "db"), Health::progressing("0 of 1 pod ready")),
        (id("Deployment", "gone"), Health::missing()),
    ];
    let expected = (
        HealthStatus::Degraded,
        "Job shop/migrate: job failed: BackoffLimitExceeded; Deployment shop/gone: does not exist; \
         Deployment shop/api: 0 of 1 pod ready; and 2 more"
            .to_owned(),
    );
    assert_eq!(of(&objects), expected);
    let mut reversed = objects;
    reversed.reverse();
    assert_eq!(of(&reversed), expected);
}

#[test]
fn suspended_objects_are_named_when_nothing_is_worse() {
    let objects = [
        (id("CronJob", "backup"), Health::suspended("suspended by spec.suspend")),
        (id("Deployment", "web"), Health::healthy()),
    ];
    assert_eq!(
        of(&objects),
        (HealthStatus::Suspended, "CronJob shop/backup: suspended by spec.suspend".to_owned())
    );
}

#[test]
fn long_causes_leave_room_for_each_other() {
    let objects = ["a", "b", "c", "d"].map(|name| (id("Job", name), Health::degraded("x ".repeat(2000))));
    let (_, message) = of(&objects);
    assert!(message.len() <= MAX_MESSAGE);
    assert!(
        message.contains("Job shop/a: x")
            && message.contains("Job shop/b: x")
            && message.contains("Job shop/c: x")
    );
    assert!(message.ends_with("and 1 more"), "{message}");
}
