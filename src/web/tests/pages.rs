use std::sync::Arc;

use axum::http::{Method, StatusCode};
use serde_json::Value;
use windlass_core::api::{AppKey, HealthStatus};

use super::fixtures::{key, object, shop, view};
use super::{get, send};
use crate::controller::view::Views;

/// Names of the Applications in the table, in its order.
fn listed(body: &str) -> Vec<&str> {
    let rows = body.split("<tr id=\"app:").skip(1);
    rows.filter_map(|row| row.split_once('"')?.0.split_once(':')).map(|(_, name)| name).collect()
}

#[tokio::test]
async fn lists_applications_with_those_that_need_attention_first() {
    let (status, headers, body) = get(&shop(), "/").await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(headers["content-type"], "text/html; charset=utf-8");
    assert_eq!(headers["cache-control"], "no-store");
    assert_eq!(listed(&body), ["checkout", "web", "cart"]);
    assert!(body.contains("href=\"/applications/shop/checkout\""));
    assert!(body.contains("Deployment shop/checkout: image pull failed"));
    assert!(body.contains("main@3f2a9c1e<"), "the commit is cut");
    assert!(body.contains("3 applications: 2 synced, 0 progressing, 1 degraded or missing"));
}

#[tokio::test]
async fn filters_and_sorts_by_the_url() {
    let views = shop();
    for (url, expected) in [
        ("/?q=c", vec!["checkout", "cart"]),
        ("/?q=shop+CAR", vec!["cart"]),
        ("/?health=Degraded", vec!["checkout"]),
        ("/?sync=OutOfSync", vec!["web"]),
        ("/?sync=OutOfSync&health=Degraded", vec![]),
        ("/?sort=name", vec!["cart", "checkout", "web"]),
        ("/?sort=-name", vec!["web", "checkout", "cart"]),
        ("/?sort=health", vec!["checkout", "cart", "web"]),
        ("/?sync=%00&health=nonsense&sort=nonsense&p=-7", vec!["checkout", "web", "cart"]),
    ] {
        let (status, _, body) = get(&views, url).await;
        assert_eq!((status, listed(&body)), (StatusCode::OK, expected), "{url}");
    }
    assert!(get(&views, "/?q=none").await.2.contains("None of the 3 applications match"));
}

#[tokio::test]
async fn a_filter_is_kept_by_every_link_and_by_the_search() {
    let (.., body) = get(&shop(), "/?q=c&health=Degraded&sort=name").await;
    assert!(body.contains("href=\"/?q=c&#38;sort=name\" aria-current=\"true\""), "its facet widens the list");
    assert!(body.contains("name=\"health\" value=\"Degraded\""));
    assert!(body.contains("href=\"/?q=c&#38;health=Degraded&#38;sort=-name\""));
    assert!(
        body.contains("&#38;q=c&#38;health=Degraded&#38;sort=name\" hx-trigger"),
        "live with the same query"
    );
}

#[tokio::test]
async fn long_lists_come_in_pages() {
    let views = Views::default();
    for i in 0..230 {
        let key = key(&format!("app-{i:03}"));
        views.put(key.clone(), view(&key, "Synced", "Healthy", ""));
    }
    let views = Arc::new(views);
    for (url, first, count) in [
        ("/", "app-000", 100),
        ("/?p=2", "app-100", 100),
        ("/?p=3", "app-200", 30),
        ("/?p=99999999999999999999", "app-000", 100),
        ("/?p=9999", "app-200", 30),
    ] {
        let (.., body) = get(&views, url).await;
        let names = listed(&body);
        assert_eq!((names.first().copied(), names.len()), (Some(first), count), "{url}");
    }
    let (.., body) = get(&views, "/?p=2").await;
    assert!(body.contains("101–200 of 230 applications"));
    assert!(body.contains("href=\"/?p=3\" rel=\"next\"") && body.contains("href=\"/\" rel=\"prev\""));
}

#[tokio::test]
async fn shows_one_application_with_its_objects_conditions_sources_and_history() {
    let (status, _, body) = get(&shop(), "/applications/shop/checkout").await;
    assert_eq!(status, StatusCode::OK);
    let places: Vec<_> =
        ["Degraded</span> <span class=\"count\">1<", "Healthy</span> <span class=\"count\">2<"]
            .map(|heading| body.find(heading))
            .into();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "problems first: {places:?}");
    for text in ["ConfigMap", "settings", "Reconciling", "https://git.example/env.git", "branch main", "2 s"]
    {
        assert!(body.contains(text), "{text}");
    }
    assert!(body.contains("sync requested by jane (claimed)"));
}

#[tokio::test]
async fn many_objects_come_in_pages() {
    let mut big = view(&key("big"), "Synced", "Healthy", "");
    let objects =
        (0..1200).map(|i| object("ConfigMap", &format!("c{i:04}"), HealthStatus::Healthy, "", true));
    big.objects = objects.collect();
    big.objects.push(object("Deployment", "broken", HealthStatus::Degraded, "exit code 1", false));
    let views = Arc::new(Views::default());
    views.put(key("big"), big);
    let (.., first) = get(&views, "/applications/shop/big").await;
    assert_eq!(first.matches("<tr id=\"object:").count(), 500);
    assert!(first.contains("exit code 1") && first.contains("<span class=\"count\">1200<"));
    assert!(first.contains("1–500 of 1201 objects") && first.contains("1 out of sync"));
    let (.., last) = get(&views, "/applications/shop/big?p=3").await;
    assert_eq!(last.matches("<tr id=\"object:").count(), 201);
}

#[tokio::test]
async fn an_application_before_its_first_look_has_a_page() {
    let views = Arc::new(Views::default());
    let mut fresh = view(&key("fresh"), "Synced", "Healthy", "");
    Arc::make_mut(&mut fresh.application).status = None;
    views.put(key("fresh"), fresh);
    let (status, _, body) = get(&views, "/applications/shop/fresh").await;
    assert_eq!(status, StatusCode::OK);
    assert!(body.contains("Waiting for its first look") && body.contains("none yet"));
    assert!(get(&Arc::default(), "/").await.2.contains("No applications yet"));
}

#[tokio::test]
async fn what_is_not_there_is_a_404_page() {
    for url in ["/nope", "/applications/shop", "/applications/shop/none", "/applications/%3Cb%3E/x"] {
        let (status, headers, body) = get(&shop(), url).await;
        assert_eq!(status, StatusCode::NOT_FOUND, "{url}");
        assert!(headers.contains_key("content-security-policy"));
        assert!(body.contains("<h1>There is no") && !body.contains("<b>x"), "{url}");
    }
    assert_eq!(get(&shop(), "/assets/style.css").await.0, StatusCode::NOT_FOUND);
    assert_eq!(get(&shop(), "/api/v1/applications/shop/none").await.0, StatusCode::NOT_FOUND);
    assert_eq!(get(&shop(), "/events?page=none").await.0, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn only_reads_are_answered() {
    let (status, _, body) = send(&shop(), Method::HEAD, "/").await;
    assert_eq!((status, body.as_str()), (StatusCode::OK, ""));
    for method in [Method::POST, Method::PUT, Method::DELETE] {
        assert_eq!(send(&shop(), method, "/").await.0, StatusCode::METHOD_NOT_ALLOWED);
    }
}

#[tokio::test]
async fn assets_are_found_by_the_page_and_never_change() {
    let (.., page) = get(&shop(), "/").await;
    let links: Vec<&str> = page.split('"').filter(|text| text.starts_with("/assets/")).collect();
    assert_eq!(links.len(), 5);
    for link in links {
        let (status, headers, body) = get(&shop(), link).await;
        assert_eq!(status, StatusCode::OK, "{link}");
        assert_eq!(headers["cache-control"], "public, max-age=31536000, immutable");
        assert!(!body.is_empty());
    }
}

#[tokio::test]
async fn the_same_as_json() {
    let views = shop();
    let (.., body) = get(&views, "/api/v1/applications?health=Degraded").await;
    let list: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(list["total"], 3);
    assert_eq!(list["items"].as_array().map(Vec::len), Some(1));
    insta::assert_json_snapshot!(list["items"][0]);
    let (.., body) = get(&views, "/api/v1/applications/shop/web").await;
    let one: Value = serde_json::from_str(&body).unwrap();
    assert_eq!((&one["sync"], &one["objects"][0]["kind"]), (&"OutOfSync".into(), &"Service".into()));
}

#[tokio::test]
async fn names_in_urls_are_encoded() {
    let key = AppKey::new("a/b", "c?d#e%");
    let views = Arc::new(Views::default());
    views.put(key.clone(), view(&key, "Synced", "Healthy", ""));
    let url = "/applications/a%2Fb/c%3Fd%23e%25";
    assert!(get(&views, "/").await.2.contains(&format!("href=\"{url}\"")));
    assert_eq!(get(&views, url).await.0, StatusCode::OK);
}
