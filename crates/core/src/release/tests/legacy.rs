use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;

use super::super::*;
use super::{kept, object};
use crate::api::{ApplicationStatus, Quarantined, ReleaseRef};

fn pointer(kept: &Kept) -> ReleaseRef {
    ReleaseRef {
        digest: kept.release.digest().as_str().into(),
        revision: "main@1".into(),
        since: Time("2026-01-01T00:00:00Z".parse().unwrap()),
        fields: "f".into(),
        hooks: Vec::new(),
        healthy_since: None,
        gates: Vec::new(),
        unhealthy_before: Vec::new(),
    }
}

fn failed(digest: &str) -> Quarantined {
    Quarantined {
        digest: digest.into(),
        revision: "main@2".into(),
        reason: "Degraded".into(),
        message: String::new(),
        since: Time("2026-01-01T00:00:00Z".parse().unwrap()),
        hooks: Vec::new(),
        write_back: String::new(),
    }
}

/// A release of one object that belongs to an Application.
fn owned(number: u64, data: &str, app: &str) -> Kept {
    let mut object = object("a", data);
    object.object.set_annotation("owner", app);
    Kept { render: None, ..kept(number, vec![object]) }
}

#[test]
fn what_failed_is_known_under_the_new_name() {
    let (good, bad) = (owned(1, "good", "old"), owned(2, "bad", "old"));
    let digest = |kept: &Kept| kept.release.digest().as_str().to_owned();
    let quarantined = vec![failed(&digest(&bad)), failed("of a release that is not kept")];
    let status = ApplicationStatus {
        stable: Some(pointer(&good)),
        next: Some(ReleaseRef { digest: "unknown".into(), ..pointer(&bad) }),
        quarantined: quarantined.clone(),
        ..ApplicationStatus::default()
    };
    let releases = Releases { stable: Some(good), next: Some(bad), previous: vec![], quarantined };
    let legacy = Legacy { releases, status };
    let renamed = legacy.renamed(&|_, object| object.set_annotation("owner", "new"));

    let (good, bad) = (owned(1, "good", "new"), owned(2, "bad", "new"));
    assert_eq!(renamed.releases.stable, Some(good.clone()));
    assert_eq!(renamed.releases.undone().map(|(kept, _)| kept), Some(&bad));
    assert_eq!(renamed.releases.present(), Some(good.clone()));
    assert_eq!(renamed.status.quarantined, [failed(&digest(&bad))]);
    assert_eq!(renamed.status.stable, Some(ReleaseRef { fields: String::new(), ..pointer(&good) }));
    assert_eq!(renamed.status.next, None);
}
