use windlass_core::health::cause::FailureClass;
use windlass_core::object::Cluster;

use super::*;

fn unhealthy(name: &str, version: u64, desired: &str) -> Unhealthy {
    let id = ObjectId {
        cluster: Cluster::default(),
        group: "apps".into(),
        kind: "Deployment".into(),
        namespace: "shop".into(),
        name: name.into(),
    };
    Unhealthy { id, version, desired: Some(Digest::of_bytes(desired.as_bytes())), unseen: false }
}

fn cause(message: &str) -> Cause {
    Cause { stuck: true, class: FailureClass::Release, message: message.into() }
}

struct Case {
    causes: Causes,
    queue: Arc<Queue>,
    app: AppKey,
}

fn case() -> Case {
    let queue = Arc::new(Queue::default());
    Case { causes: Causes::new(queue.clone()), queue, app: AppKey::new("team-a", "shop") }
}

impl Case {
    fn known(&self, one: &Unhealthy) -> Option<String> {
        self.causes.of(&one.id, one.desired.as_ref()).map(|cause| cause.message)
    }

    /// Whether the Application was told since the last call.
    async fn told(&self) -> bool {
        let told = !self.queue.is_empty();
        while !self.queue.is_empty() {
            let (key, _) = self.queue.next().await;
            self.queue.done(&key);
        }
        told
    }
}

#[tokio::test(start_paused = true)]
async fn looks_less_and_less_often() {
    let case = case();
    let web = unhealthy("web", 1, "a");
    case.causes.watch(&case.app, vec![web.clone()]);
    let mut waits = Vec::new();
    for _ in 0..9 {
        let before = Instant::now();
        assert_eq!(case.causes.next().await, web);
        waits.push(before.elapsed().as_secs());
        case.causes.looked(&web, Some(None));
        // Being noted again changes nothing.
        case.causes.watch(&case.app, vec![web.clone()]);
    }
    assert_eq!(waits, [1, 2, 5, 10, 20, 30, 30, 30, 30]);
    for _ in 9..OFTEN + 1 {
        case.causes.next().await;
        case.causes.looked(&web, Some(None));
    }
    let before = Instant::now();
    case.causes.next().await;
    assert_eq!(before.elapsed(), RARELY);
}

#[tokio::test(start_paused = true)]
async fn looks_soon_at_one_that_changed() {
    let case = case();
    case.causes.watch(&case.app, vec![unhealthy("web", 1, "a")]);
    for _ in 0..6 {
        let web = case.causes.next().await;
        case.causes.looked(&web, Some(None));
    }
    case.causes.watch(&case.app, vec![unhealthy("web", 2, "a")]);
    let before = Instant::now();
    case.causes.next().await;
    assert_eq!(before.elapsed(), Duration::from_secs(2));
}

#[tokio::test(start_paused = true)]
async fn tells_the_application_when_the_cause_changes() {
    let case = case();
    let web = unhealthy("web", 1, "a");
    case.causes.watch(&case.app, vec![web.clone()]);
    for (found, told, known) in [
        (Some(None), false, None),
        (Some(Some(cause("crash"))), true, Some("crash")),
        (Some(Some(cause("crash"))), false, Some("crash")),
        (None, false, Some("crash")),
        (Some(Some(cause("image"))), true, Some("image")),
        (Some(None), true, None),
    ] {
        case.causes.next().await;
        case.causes.looked(&web, found);
        assert_eq!(case.told().await, told, "{known:?}");
        assert_eq!(case.known(&web).as_deref(), known);
    }
}

#[tokio::test(start_paused = true)]
async fn a_cause_is_of_one_template_only() {
    let case = case();
    let (bad, good) = (unhealthy("web", 1, "bad"), unhealthy("web", 2, "good"));
    case.causes.watch(&case.app, vec![bad.clone()]);
    case.causes.next().await;
    case.causes.looked(&bad, Some(Some(cause("crash"))));
    assert_eq!(case.known(&good), None);
    case.causes.watch(&case.app, vec![good.clone()]);
    assert_eq!((case.known(&bad), case.known(&good)), (None, None));
    // A look that had begun before says nothing of the new one.
    case.told().await;
    case.causes.looked(&bad, Some(Some(cause("crash"))));
    assert_eq!((case.known(&bad), case.known(&good)), (None, None));
    assert!(!case.told().await);
}

#[tokio::test(start_paused = true)]
async fn forgets_what_is_healthy_and_looks_at_nothing_then() {
    let case = case();
    let (web, db) = (unhealthy("web", 1, "a"), unhealthy("db", 1, "a"));
    case.causes.watch(&case.app, vec![web.clone(), db.clone()]);
    case.causes.watch(&AppKey::new("team-b", "other"), Vec::new());
    case.causes.watch(&case.app, vec![db.clone()]);
    assert_eq!(case.causes.next().await, db);
    case.causes.watch(&case.app, Vec::new());
    case.causes.looked(&db, Some(Some(cause("crash"))));
    assert_eq!(case.known(&db), None);
    let hour = Duration::from_secs(3600);
    assert!(tokio::time::timeout(hour, case.causes.next()).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn looks_first_when_its_controller_has_looked() {
    let case = case();
    let web = unhealthy("web", 1, "a");
    let unseen = Unhealthy { unseen: true, ..web.clone() };
    let began = Instant::now();
    case.causes.watch(&case.app, vec![unseen.clone()]);
    assert!(tokio::time::timeout(Duration::from_secs(9), case.causes.next()).await.is_err());
    case.causes.watch(&case.app, vec![web.clone()]);
    assert_eq!(case.causes.next().await, web);
    assert_eq!(began.elapsed(), Duration::from_secs(10), "a second after its controller looked");
    // One whose controller never looks may be explained too.
    let other = AppKey::new("team-b", "other");
    let unseen = Unhealthy { unseen: true, ..unhealthy("db", 1, "a") };
    case.causes.watch(&case.app, Vec::new());
    case.causes.watch(&other, vec![unseen.clone()]);
    assert_eq!(case.causes.next().await, unseen);
    assert_eq!(began.elapsed(), Duration::from_secs(20));
}

#[tokio::test(start_paused = true)]
async fn looks_later_where_many_start_together() {
    let mut waits = Vec::new();
    for many in [1, 10, 100, 1000] {
        let case = case();
        for i in 0..many {
            let app = AppKey::new("team-a", &format!("app-{i}"));
            case.causes.watch(&app, vec![unhealthy(&format!("web-{i}"), 1, "a")]);
        }
        let began = Instant::now();
        case.causes.next().await;
        waits.push(began.elapsed().as_millis());
    }
    assert_eq!(waits, [1000, 1180, 2980, 5000]);
}

#[tokio::test(start_paused = true)]
async fn one_that_is_healthy_before_it_is_looked_at_is_forgotten() {
    let case = case();
    let (web, db) = (unhealthy("web", 1, "a"), unhealthy("db", 1, "a"));
    case.causes.watch(&case.app, vec![web.clone()]);
    assert_eq!(case.causes.next().await, web);
    case.causes.recovered(&web);
    let hour = Duration::from_secs(3600);
    assert!(tokio::time::timeout(hour, case.causes.next()).await.is_err());
    // It is noted again, while another one waits for its own time.
    case.causes.watch(&case.app, vec![web.clone(), db.clone()]);
    case.causes.recovered(&db);
    assert_eq!(
        [case.causes.next().await.id, case.causes.next().await.id]
            .iter()
            .collect::<std::collections::BTreeSet<_>>(),
        [&web.id, &db.id].into_iter().collect()
    );
}
