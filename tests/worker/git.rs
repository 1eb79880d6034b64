//! Fetch and render in their sandboxes, with a real Git server.

use std::time::{Duration, Instant};

use windlass::render::{Context, Files, RenderRequest, SourceInput};
use windlass::source::git::{Credentials, PathIdsRequest, Reference, ResolveRequest, Revision};

use crate::pool::{Bench, PATIENCE, bench};
use crate::server::{Mood, Server};

const MANIFEST: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: shop}\ndata: {greeting: ahoy}\n";

fn resolve(bench: &Bench, server: &Server) -> ResolveRequest {
    ResolveRequest {
        url: server.url.clone(),
        credentials: Credentials::Anonymous,
        mirror: bench.directory.path().join("cache/mirror"),
        references: vec![Reference::Branch("main".into())],
        renew: false,
    }
}

#[tokio::test]
async fn a_commit_becomes_objects_by_way_of_both_workers() {
    let (bench, server) = (bench(|_| {}), Server::start());
    let commit = server.commit("main", MANIFEST);
    let request = resolve(&bench, &server);
    let mirror = request.mirror.clone();

    let start = Instant::now();
    let revisions = bench.pool.resolve(request, PATIENCE).await.unwrap();
    println!("timing: first fetch {:?}", start.elapsed());
    assert_eq!(revisions, [Ok(Revision { reference: "main".into(), commit: commit.clone() })]);

    let paths = vec!["app/a.yaml".to_owned(), "app/none.yaml".to_owned()];
    let request = PathIdsRequest { mirror: mirror.clone(), commit: commit.clone(), paths };
    let ids = bench.pool.path_ids(request, PATIENCE).await.unwrap();
    assert_eq!(ids, [Some(server.git(&["rev-parse", "HEAD:app/a.yaml"])), None]);

    let source = SourceInput {
        name: "env".into(),
        files: Files::Git { mirror, commit: commit.clone() },
        revision: commit,
        path: "app".into(),
        render: windlass_core::api::Render::default(),
    };
    let context = Context { app: "shop".into(), namespace: "team-a".into(), cluster: "in-cluster".into() };
    let request = RenderRequest { context, sources: vec![source] };
    let rendered = bench.pool.render(request, PATIENCE).await.unwrap();
    let objects = &rendered.sources[0].objects;
    assert_eq!(objects.len(), 1);
    assert_eq!(objects[0].body["data"]["greeting"], "ahoy");
}

#[tokio::test]
async fn a_server_that_never_answers_costs_its_deadline() {
    let (bench, server) = (bench(|_| {}), Server::start());
    server.be(Mood::Silent);
    let request = resolve(&bench, &server);
    let failure = bench.pool.resolve(request, Duration::from_millis(500)).await.unwrap_err();
    assert_eq!((failure.reason.as_str(), failure.transient), ("FetchTimeout", true));
    assert!(failure.message.contains(&server.url), "{failure}");
}
