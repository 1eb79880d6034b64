use serde_json::{Value, from_value, json};
use windlass_core::object::{Cluster, Digest};

use super::*;

struct Case {
    world: World,
    queue: Arc<Queue>,
    app: AppKey,
    id: ObjectId,
}

fn case() -> Case {
    let queue = Arc::new(Queue::default());
    let world = World::new(Instance::new("windlass", "uid"), queue.clone());
    let id = ObjectId {
        cluster: Cluster::default(),
        group: String::new(),
        kind: "ConfigMap".into(),
        namespace: "shop".into(),
        name: "a".into(),
    };
    Case { world, queue, app: AppKey::new("team-a", "shop"), id }
}

impl Case {
    fn meta(&self, version: u64, fields: &Value) -> ObjectMeta {
        from_value(json!({
            "resourceVersion": version.to_string(),
            "annotations": {"windlass.dev/owner": self.world.instance.annotation(&self.app, &self.id)},
            "managedFields": [{"manager": self.world.managers.main, "operation": "Apply", "fieldsV1": fields}]
        }))
        .unwrap()
    }

    fn see(&self, version: u64, fields: &Value) {
        self.world.seen(self.id.clone(), self.meta(version, fields), Health::healthy());
    }

    fn apply(&self, version: u64, fields: &Value) {
        let observed = self.world.observation(&self.id, &self.meta(version, fields), Health::healthy());
        let applied = Applied { digest: Digest::of_bytes(b"x"), fields: observed.fields.clone() };
        self.world.claim(&self.app, std::iter::once(&self.id));
        self.world.record_applied(&self.id, applied, observed);
    }

    /// Whether somebody was told since the last call.
    async fn told(&self) -> bool {
        let told = !self.queue.is_empty();
        while !self.queue.is_empty() {
            let (key, _) = self.queue.next().await;
            self.queue.done(&key);
        }
        told
    }

    fn version(&self) -> Option<u64> {
        self.world.observed(&self.id).map(|o| o.resource_version)
    }
}

#[tokio::test]
async fn our_own_apply_is_no_news_and_somebody_elses_is() {
    let case = case();
    let ours = json!({"f:data": {"f:a": {}}});
    case.apply(5, &ours);
    case.see(5, &ours);
    case.see(6, &ours);
    assert!(!case.told().await, "a foreign field does not take ours");
    case.see(7, &json!({"f:data": {}}));
    assert!(case.told().await, "a field of ours was taken");
}

#[tokio::test]
async fn what_is_older_than_known_is_ignored() {
    let case = case();
    case.apply(9, &json!({"f:a": {}}));
    case.see(8, &json!({}));
    case.world.left(case.id.clone(), 7);
    assert_eq!(case.version(), Some(9));
    assert!(!case.told().await);
}

#[tokio::test]
async fn a_late_answer_does_not_bring_a_deleted_object_back() {
    let case = case();
    case.apply(5, &json!({}));
    case.world.left(case.id.clone(), 6);
    assert!(case.told().await);
    case.apply(5, &json!({}));
    assert_eq!(case.version(), None);
    case.apply(7, &json!({}));
    assert_eq!(case.version(), Some(7));
}

#[tokio::test]
async fn a_list_without_an_object_means_look() {
    let case = case();
    let kind = GroupKind::of(&case.id);
    case.apply(5, &json!({}));
    case.world.restarted(&kind);
    case.world.synced(&kind);
    assert_eq!(case.version(), None);
    assert!(case.told().await);
    // It was created after the list was made: the watch shows it with the version that is known.
    case.see(5, &json!({}));
    assert_eq!(case.version(), Some(5));
}

#[tokio::test]
async fn a_claim_is_the_first_ones_and_the_next_is_told_when_it_ends() {
    let case = case();
    let other = AppKey::new("team-b", "other");
    let ids = [case.id.clone()];
    assert!(case.world.claim(&case.app, ids.iter()).is_empty());
    assert_eq!(case.world.claim(&other, ids.iter()).len(), 1);
    assert_eq!(case.world.claimed_by_other(&case.id, &other), Some(case.app.clone()));
    assert!(!case.world.is_wanted(&case.id));
    case.world.want(&other, ids.iter());
    assert_eq!(case.queue.next().await.0, case.app, "the owner is asked once");
    case.queue.done(&case.app);
    case.world.want(&other, ids.iter());
    assert!(!case.told().await, "it is no news");
    assert!(case.world.is_wanted(&case.id));
    case.world.unclaim(&other, ids.iter());
    assert!(!case.told().await, "only the owner can give it up");
    case.world.unclaim(&case.app, ids.iter());
    assert_eq!(case.queue.next().await.0, other);
    assert!(case.world.claim(&other, ids.iter()).is_empty());
}
