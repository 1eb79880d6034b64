//! A rollback is told to Git: the files of one Application, as they were, in one commit.

use windlass::source::git::{Credentials, RestoreRequest, restore};

use crate::harness::Scene;
use crate::tests;

tests![files_are_restored_by_a_push, what_stands_in_the_way_is_told];

/// A request to take a bad commit back, for what stands below `shop`.
fn request(scene: &Scene, good: &str, bad: &str, target: &str) -> RestoreRequest {
    RestoreRequest {
        url: scene.repository.url.clone(),
        credentials: Credentials::Anonymous,
        mirror: scene.directory().join("mirror"),
        branch: "main".into(),
        target: target.into(),
        good: good.into(),
        bad: bad.into(),
        paths: ["shop", "shop/web.yaml", "shop/new.yaml", "shop/gone.yaml"].map(String::from).to_vec(),
        author: "Windlass <windlass@example.org>".into(),
        message: "Take the release back\n".into(),
        seconds: 1_700_000_000,
    }
}

fn files_are_restored_by_a_push() {
    let scene = Scene::waiting(&[]);
    let good = scene.repository.commit(&[
        ("shop/web.yaml", Some("web: 1\n")),
        ("shop/gone.yaml", Some("gone: 1\n")),
        ("shop/deep/other.yaml", Some("other: 1\n")),
        ("rest.yaml", Some("rest: 1\n")),
    ]);
    let bad = scene.repository.commit(&[
        ("shop/web.yaml", Some("web: 2\n")),
        ("shop/new.yaml", Some("new: 1\n")),
        ("shop/gone.yaml", None),
        ("shop/deep/other.yaml", Some("other: 2\n")),
        ("rest.yaml", Some("rest: 2\n")),
    ]);
    let later = scene.repository.commit(&[("rest.yaml", Some("rest: 3\n"))]);

    let aside = restore(&request(&scene, &good, &bad, "windlass/rollback")).unwrap().unwrap();
    let restored = restore(&request(&scene, &good, &bad, "main")).unwrap().unwrap();
    assert_eq!(restored.files, 3);
    assert_eq!(restored.commit, aside.commit, "the same commit on either branch");
    let pulled = scene.repository.pull("main");
    assert_eq!(pulled.commit, restored.commit);
    assert_eq!(pulled.parent, later, "on top of what came since");
    let (author, message) = (pulled.author.as_str(), pulled.message.as_str());
    assert_eq!((author, message), ("Windlass <windlass@example.org>", "Take the release back"));
    assert_eq!(
        pulled.files,
        [
            ("rest.yaml", "rest: 3\n"),
            ("shop/deep/other.yaml", "other: 2\n"),
            ("shop/gone.yaml", "gone: 1\n"),
            ("shop/web.yaml", "web: 1\n"),
        ]
        .map(|(path, text)| (path.to_owned(), text.to_owned())),
        "only what the Application reads"
    );
    assert_eq!(restore(&request(&scene, &good, &bad, "main")), Ok(None), "it is restored already");

    // A branch of our own is replaced by what is needed now.
    let worse = scene.repository.commit(&[("shop/web.yaml", Some("web: 3\n"))]);
    let again = restore(&request(&scene, &good, &worse, "windlass/rollback")).unwrap().unwrap();
    assert_eq!(scene.repository.pull("windlass/rollback").commit, again.commit);
}

fn what_stands_in_the_way_is_told() {
    let scene = Scene::waiting(&[]);
    let good = scene.repository.commit(&[("shop/web.yaml", Some("web: 1\n"))]);
    let bad = scene.repository.commit(&[("shop/web.yaml", Some("web: 2\n"))]);
    let fixed = scene.repository.commit(&[("shop/web.yaml", Some("web: fixed\n"))]);
    let failure = restore(&request(&scene, &good, &bad, "main")).unwrap_err();
    assert_eq!((failure.reason.as_str(), failure.transient), ("GitMovedOn", false), "{failure}");
    assert!(failure.message.contains("shop/web.yaml was changed since on branch main"), "{failure}");
    assert_eq!(scene.repository.pull("main").commit, fixed);

    scene.repository.protect("jane", "secret");
    let failure = restore(&request(&scene, &good, &fixed, "main")).unwrap_err();
    assert_eq!(failure.reason, "AuthenticationFailed", "{failure}");
    let credentials = Credentials::Basic { username: "jane".into(), password: "secret".into() };
    let allowed = RestoreRequest { credentials, ..request(&scene, &good, &fixed, "main") };
    assert_eq!(restore(&allowed).unwrap().unwrap().files, 1);
}
