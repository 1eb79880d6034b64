use rstest::rstest;
use serde_json::{Value, json};

use super::super::*;

fn object(annotations: Value) -> Object {
    Object::new(json!({
        "apiVersion": "batch/v1", "kind": "Job",
        "metadata": {"name": "migrate", "namespace": "shop", "annotations": annotations}
    }))
    .unwrap()
}

fn hook(phases: &[Phase], delete_succeeded: bool, delete_failed: bool) -> Role {
    Role::Hook(Hook { phases: phases.to_vec(), delete_succeeded, delete_failed })
}

#[rstest]
#[case(json!({}), 0)]
#[case(json!({"windlass.dev/wave": "-5"}), -5)]
#[case(json!({"argocd.argoproj.io/sync-wave": "3"}), 3)]
#[case(json!({"argocd.argoproj.io/sync-wave": "3", "windlass.dev/wave": "1"}), 1)]
#[case(json!({"helm.sh/hook": "pre-install", "helm.sh/hook-weight": "7"}), 7)]
#[case(json!({"helm.sh/hook": "pre-install", "helm.sh/hook-weight": "7", "argocd.argoproj.io/sync-wave": "2"}), 2)]
#[case(json!({"helm.sh/hook-weight": "7"}), 0)]
fn waves_of_three_tools_are_understood(#[case] annotations: Value, #[case] wave: i32) {
    assert_eq!(Placement::of(&object(annotations)).unwrap().wave, wave);
}

#[rstest]
#[case(json!({}), Role::Ordinary)]
#[case(json!({"windlass.dev/hook": "PreSync"}), hook(&[Phase::PreSync], false, false))]
#[case(json!({"windlass.dev/hook": "Rollback"}), hook(&[Phase::Rollback], false, false))]
#[case(json!({"argocd.argoproj.io/hook": "PostSync, PreSync"}), hook(&[Phase::PreSync, Phase::PostSync], false, false))]
#[case(json!({"argocd.argoproj.io/hook": "SyncFail,PostDelete"}), hook(&[Phase::SyncFail], false, false))]
#[case(json!({"argocd.argoproj.io/hook": "Skip"}), Role::Skipped)]
#[case(json!({"argocd.argoproj.io/hook": "PostDelete"}), Role::Skipped)]
#[case(json!({"argocd.argoproj.io/hook": "Sync", "windlass.dev/hook": "None"}), Role::Ordinary)]
#[case(
    json!({"argocd.argoproj.io/hook": "Sync", "argocd.argoproj.io/hook-delete-policy": "HookSucceeded,HookFailed"}),
    hook(&[Phase::Sync], true, true)
)]
#[case(
    json!({"helm.sh/hook": "pre-install,pre-upgrade", "helm.sh/hook-delete-policy": "before-hook-creation,hook-succeeded"}),
    hook(&[Phase::PreSync], true, false)
)]
#[case(
    json!({"helm.sh/hook": "post-upgrade,post-rollback", "windlass.dev/hook-delete-policy": "HookFailed",
           "helm.sh/hook-delete-policy": "hook-succeeded"}),
    hook(&[Phase::PostSync, Phase::Rollback], false, true)
)]
#[case(json!({"helm.sh/hook": "crd-install"}), Role::Ordinary)]
#[case(json!({"helm.sh/hook": "test"}), Role::Skipped)]
#[case(json!({"helm.sh/hook": "pre-delete"}), Role::Skipped)]
fn hooks_of_three_tools_are_understood(#[case] annotations: Value, #[case] role: Role) {
    assert_eq!(Placement::of(&object(annotations)).unwrap().role, role);
}

#[rstest]
#[case(json!({"windlass.dev/wave": "first"}), "windlass.dev/wave is \"first\"; it must be a whole number")]
#[case(json!({"argocd.argoproj.io/sync-wave": "1.5"}), "argocd.argoproj.io/sync-wave is \"1.5\"")]
#[case(json!({"windlass.dev/wave": "2147483648"}), "from -2147483648 to 2147483647")]
#[case(json!({"windlass.dev/hook": "Presync"}), "PreSync, Sync, PostSync, SyncFail, Rollback, Skip or None")]
#[case(json!({"argocd.argoproj.io/hook": ""}), "argocd.argoproj.io/hook is \"\"")]
#[case(json!({"helm.sh/hook": "pre-instal"}), "a hook that Helm knows")]
#[case(
    json!({"windlass.dev/hook": "Sync", "windlass.dev/hook-delete-policy": "hook-succeeded"}),
    "BeforeHookCreation, HookSucceeded or HookFailed"
)]
fn a_wrong_value_is_told_with_what_it_may_be(#[case] annotations: Value, #[case] words: &str) {
    let error = Placement::of(&object(annotations)).unwrap_err().to_string();
    assert!(error.contains(words), "{error}");
}

#[test]
fn hooks_are_no_objects_of_the_release_and_are_part_of_its_digest() {
    let origin = Origin { source: "env".into(), file: "c.yaml".into(), document: 1, line: 1 };
    let of = |bodies: Vec<Object>| {
        let objects = bodies.into_iter().map(|object| ReleaseObject { object, origin: origin.clone() });
        Release::new("main@1".into(), Cluster::default(), objects.collect())
    };
    let named = |name: &str, annotations: Value| {
        let mut body = object(annotations).into_body();
        body["metadata"]["name"] = name.into();
        Object::new(body).unwrap()
    };
    let hooked = || named("a", json!({"windlass.dev/hook": "PreSync", "windlass.dev/wave": "4"}));
    let release = of(vec![hooked(), named("b", json!({"windlass.dev/wave": "2"})), named("c", json!({}))]);
    let names: Vec<_> = release.ids().iter().map(|id| id.name.as_str()).collect();
    assert_eq!((names, release.len()), (vec!["b", "c"], 2));
    assert_eq!(release.waves().collect::<Vec<_>>(), [2, 0]);
    let hooks: Vec<_> = release.hooks().map(|hook| (hook.id.name.as_str(), hook.wave)).collect();
    assert_eq!(hooks, [("a", 4)]);
    let a = hooked().id(&Cluster::default());
    assert!(release.get(&a).is_none() && release.object_digest(&a).is_none());
    assert_eq!(release.hook(&a).unwrap().digest, &hooked().digest());
    assert_ne!(
        release.digest(),
        of(vec![named("b", json!({"windlass.dev/wave": "2"})), named("c", json!({}))]).digest()
    );
}
