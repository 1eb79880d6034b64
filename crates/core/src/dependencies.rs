//! Which Applications must be ready before a new release of another one begins (`spec.dependsOn`).

use std::collections::{BTreeSet, HashMap, VecDeque};

use crate::api::{AppKey, Application, ApplicationSpec, ApplicationStatus};

/// Longest text that one dependency's message gets, in bytes.
const TOLD_BYTES: usize = 200;
/// Most dependencies that one message tells of.
const TOLD: usize = 3;

/// What is known of a dependency.
#[derive(Clone, Copy, Debug)]
pub enum Dependency<'a> {
    /// There is no such Application.
    Missing,
    /// Its namespace is not one that this controller looks after.
    Elsewhere,
    /// It is there.
    Known {
        /// The resource as last seen.
        app: &'a Application,
        /// Its status as last written, which may be newer than the resource.
        status: &'a ApplicationStatus,
        /// It is about to be looked at, so that its status may not be the last word.
        pending: bool,
    },
}

/// Why a dependency keeps another Application from beginning a release.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unready {
    /// It was ready and is about to be looked at again: the answer comes in a moment.
    Pending,
    /// Why it is not ready, in words.
    Because(String),
    /// Why it never will be as long as nobody changes something here.
    Never(String),
}

/// The Applications that one names, without itself twice.
pub fn named(app: &AppKey, spec: &ApplicationSpec) -> BTreeSet<AppKey> {
    let key = |dependency: &crate::api::Dependency| {
        AppKey::new(dependency.namespace.as_deref().unwrap_or(&app.namespace), &dependency.name)
    };
    spec.depends_on.iter().map(key).collect()
}

/// Whether a dependency is ready: at the present generation of its specification, with its newest release.
pub fn unready(dependency: Dependency<'_>) -> Option<Unready> {
    let (app, status, pending) = match dependency {
        Dependency::Missing => return Some(Unready::Because("there is no such Application".into())),
        Dependency::Elsewhere => {
            return Some(Unready::Never(
                "its namespace is not looked after by this controller (see --watch-namespace)".into(),
            ));
        }
        Dependency::Known { app, status, pending } => (app, status, pending),
    };
    let because = |text: &str| Some(Unready::Because(text.to_owned()));
    if app.metadata.deletion_timestamp.is_some() {
        return because("it is being deleted");
    }
    let Some(ready) = status.conditions.iter().find(|condition| condition.type_ == "Ready") else {
        return because("it was not looked at yet");
    };
    if ready.status != "True" {
        return Some(Unready::Because(short(&format!("{}: {}", ready.reason, ready.message))));
    }
    if ready.observed_generation != app.metadata.generation || status.next.is_some() || pending {
        return Some(Unready::Pending);
    }
    None
}

/// What an Application waits for, as people are told: `team-a/database: Degraded: ...`.
pub fn tell_unready(app: &AppKey, unready: &[(AppKey, Unready)]) -> String {
    let name = |key: &AppKey| if key.namespace == app.namespace { key.name.clone() } else { key.to_string() };
    let told: Vec<_> = unready
        .iter()
        .take(TOLD)
        .map(|(key, why)| match why {
            Unready::Pending => format!("{}: it is being looked at", name(key)),
            Unready::Because(why) | Unready::Never(why) => format!("{}: {why}", name(key)),
        })
        .collect();
    let more = match unready.len().saturating_sub(TOLD) {
        0 => String::new(),
        more => format!("; and {more} more"),
    };
    format!("waits for {}{more}", told.join("; "))
}

/// The shortest way along dependencies from an Application back to itself, if there is one: it begins and
/// ends with the Application.
pub fn cycle(app: &AppKey, depends_on: &dyn Fn(&AppKey) -> BTreeSet<AppKey>) -> Option<Vec<AppKey>> {
    let mut from: HashMap<AppKey, AppKey> = HashMap::new();
    let mut queue = VecDeque::from([app.clone()]);
    while let Some(key) = queue.pop_front() {
        for next in depends_on(&key) {
            if next == *app {
                let mut path = vec![next];
                let mut at = &key;
                while at != app {
                    path.push(at.clone());
                    at = from.get(at)?;
                }
                path.push(app.clone());
                path.reverse();
                return Some(path);
            }
            if !from.contains_key(&next) {
                from.insert(next.clone(), key.clone());
                queue.push_back(next);
            }
        }
    }
    None
}

/// A cycle in words: `a -> b -> a`, with namespaces where there are several.
pub fn tell_cycle(path: &[AppKey]) -> String {
    let one = path.iter().all(|key| path.first().is_some_and(|first| first.namespace == key.namespace));
    let names: Vec<_> = path.iter().map(|key| if one { key.name.clone() } else { key.to_string() }).collect();
    format!("Applications depend on each other: {}; remove one of these from dependsOn", names.join(" -> "))
}

fn short(text: &str) -> String {
    if text.len() <= TOLD_BYTES {
        return text.trim_end_matches([':', ' ']).to_owned();
    }
    let mut end = TOLD_BYTES;
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}…", text.get(..end).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::{Value, from_value, json};

    use super::*;

    fn app(extra: Value) -> Application {
        let mut body = json!({
            "apiVersion": "windlass.dev/v1alpha1", "kind": "Application",
            "metadata": {"name": "database", "namespace": "team-a", "generation": 2},
            "spec": {"sources": [{"name": "env", "git": {"url": "https://git.example/e.git", "branch": "main"}}]},
        });
        for (key, value) in extra.as_object().unwrap() {
            let target = body.get_mut(key).and_then(Value::as_object_mut);
            match target {
                Some(target) => target.extend(value.as_object().unwrap().clone()),
                None => body[key] = value.clone(),
            }
        }
        from_value(body).unwrap()
    }

    fn ready(status: &str, generation: i64) -> Value {
        json!({"conditions": [{
            "type": "Ready", "status": status, "reason": "Degraded", "message": "web: crash",
            "observedGeneration": generation, "lastTransitionTime": "2026-01-01T00:00:00Z"
        }]})
    }

    fn with(mut status: Value, key: &str, value: Value) -> Value {
        status[key] = value;
        status
    }

    #[rstest]
    #[case(ready("True", 2), false, None)]
    #[case(ready("True", 2), true, Some(Unready::Pending))]
    #[case(ready("True", 1), false, Some(Unready::Pending))]
    #[case(ready("False", 2), true, Some(Unready::Because("Degraded: web: crash".into())))]
    #[case(json!({}), true, Some(Unready::Because("it was not looked at yet".into())))]
    #[case(
        with(ready("True", 2), "next", json!({"digest": "d", "revision": "main@1", "since": "2026-01-01T00:00:00Z"})),
        false,
        Some(Unready::Pending)
    )]
    fn ready_is_what_is_ready_with_its_newest_release(
        #[case] status: Value,
        #[case] pending: bool,
        #[case] expected: Option<Unready>,
    ) {
        let app = app(json!({}));
        let status: ApplicationStatus = from_value(status).unwrap();
        assert_eq!(unready(Dependency::Known { app: &app, status: &status, pending }), expected);
    }

    #[test]
    fn what_is_not_there_or_not_ours_or_going_is_not_ready() {
        let words = |dependency| match unready(dependency) {
            Some(Unready::Because(why)) => why,
            other => panic!("{other:?}"),
        };
        assert_eq!(words(Dependency::Missing), "there is no such Application");
        let going = app(json!({"metadata": {"deletionTimestamp": "2026-01-01T00:00:00Z"}}));
        let status: ApplicationStatus = from_value(ready("True", 2)).unwrap();
        let known = Dependency::Known { app: &going, status: &status, pending: false };
        assert_eq!(words(known), "it is being deleted");
        assert!(
            matches!(unready(Dependency::Elsewhere), Some(Unready::Never(why)) if why.contains("--watch-namespace"))
        );
    }

    #[test]
    fn names_are_keys_in_the_own_namespace_unless_they_say_another() {
        let app = app(
            json!({"spec": {"dependsOn": [{"name": "a"}, {"name": "b", "namespace": "other"}, {"name": "a"}]}}),
        );
        let keys: Vec<_> =
            named(&AppKey::new("team-a", "x"), &app.spec).iter().map(ToString::to_string).collect();
        assert_eq!(keys, ["other/b", "team-a/a"]);
    }

    #[rstest]
    #[case(&[("a", "b"), ("b", "a")], Some("a -> b -> a"))]
    #[case(&[("a", "a")], Some("a -> a"))]
    #[case(&[("a", "b"), ("b", "c"), ("c", "d"), ("d", "a"), ("b", "d")], Some("a -> b -> d -> a"))]
    #[case(&[("a", "b"), ("b", "c"), ("c", "b")], None)]
    #[case(&[("a", "b"), ("a", "c"), ("b", "d"), ("c", "d")], None)]
    fn cycles_are_told_by_path(#[case] edges: &[(&str, &str)], #[case] expected: Option<&str>) {
        let key = |name: &str| AppKey::new("n", name);
        let depends_on = |of: &AppKey| -> BTreeSet<AppKey> {
            edges.iter().filter(|(from, _)| *from == of.name).map(|(_, to)| key(to)).collect()
        };
        let found = cycle(&key("a"), &depends_on).map(|path| tell_cycle(&path));
        assert_eq!(
            found,
            expected.map(|path| format!(
                "Applications depend on each other: {path}; remove one of these from dependsOn"
            ))
        );
    }

    #[test]
    fn all_that_is_waited_for_is_told_as_far_as_there_is_room() {
        let app = AppKey::new("team-a", "shop");
        let because = |key: AppKey| (key, Unready::Because("Degraded: crash".into()));
        let unready =
            [because(AppKey::new("team-a", "database")), (AppKey::new("other", "queue"), Unready::Pending)];
        assert_eq!(
            tell_unready(&app, &unready),
            "waits for database: Degraded: crash; other/queue: it is being looked at"
        );
        let many: Vec<_> = (0..20).map(|i| because(AppKey::new("team-a", &format!("a{i}")))).collect();
        assert!(tell_unready(&app, &many).ends_with("; and 17 more"));
        assert!(short(&"é".repeat(200)).len() < 210);
    }
}
