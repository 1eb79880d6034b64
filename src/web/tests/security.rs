use std::net::SocketAddr;
use std::sync::Arc;

use rstest::rstest;
use windlass_core::api::{AppKey, HealthStatus};

use super::fixtures::{key, object, shop, view};
use super::get;
use crate::controller::view::Views;
use crate::web::{Web, WebConfig, WebError};

const SCRIPT: &str = "<script>alert(1)</script>";
const IMAGE: &str = "\"><img src=x onerror=alert(2)>";

#[tokio::test]
async fn every_answer_has_the_headers_that_confine_it() {
    for url in ["/", "/nope", "/api/v1/applications", "/applications/shop/web"] {
        let (_, headers, _) = get(&shop(), url).await;
        let policy = headers["content-security-policy"].to_str().unwrap();
        assert!(
            policy.starts_with("default-src 'none';") && policy.contains("frame-ancestors 'none'"),
            "{url}"
        );
        assert!(!policy.contains("unsafe") && !policy.contains('*'));
        assert_eq!(headers["x-content-type-options"], "nosniff");
        assert_eq!(headers["referrer-policy"], "no-referrer");
        assert_eq!(headers["cross-origin-resource-policy"], "same-origin");
    }
}

#[tokio::test]
async fn pages_have_nothing_inline_that_the_policy_would_block() {
    for url in ["/", "/applications/shop/web", "/nope"] {
        let (.., body) = get(&shop(), url).await;
        assert!(
            !body.contains(" style=") && !body.contains("<style") && !body.contains("javascript:"),
            "{url}"
        );
        assert_eq!(body.matches("<script").count(), body.matches("<script src=\"/assets/").count());
    }
}

#[tokio::test]
async fn hostile_names_and_messages_appear_as_text() {
    let hostile = AppKey::new(IMAGE, SCRIPT);
    let mut view = view(&hostile, "Synced", "Degraded", &format!("{SCRIPT}\n\ndata: x\u{202e}\u{7}"));
    view.objects = vec![object(SCRIPT, IMAGE, HealthStatus::Degraded, SCRIPT, false)];
    let application = Arc::make_mut(&mut view.application);
    for source in &mut application.spec.sources {
        source.name = SCRIPT.into();
        source.git.url = "javascript:alert(3)".into();
        source.git.path = IMAGE.into();
    }
    let status = application.status.get_or_insert_default();
    status.sync.revision = SCRIPT.into();
    for condition in &mut status.conditions {
        condition.type_ = SCRIPT.into();
        condition.reason = IMAGE.into();
    }
    for entry in &mut status.history {
        entry.trigger = SCRIPT.into();
        entry.result = IMAGE.into();
        entry.revision = SCRIPT.into();
    }
    let views = Arc::new(Views::default());
    views.put(hostile, view);
    let search = "/?q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E";
    let page =
        "/applications/%22%3E%3Cimg%20src%3Dx%20onerror%3Dalert(2)%3E/%3Cscript%3Ealert(1)%3C%2Fscript%3E";
    for url in ["/", search, page, &format!("{page}x")] {
        let (.., body) = get(&views, url).await;
        assert!(!body.contains("<script>") && !body.contains("<img"), "{url}: {body}");
        assert!(body.contains("&#60;script&#62;alert(1)"), "{url}");
        assert!(!body.contains('\u{202e}') && !body.contains('\u{7}'), "{url}");
        assert!(!body.contains("href=\"javascript:"), "{url}");
    }
    assert!(get(&views, page).await.2.contains("⟨U+202E⟩␇"));
}

#[rstest]
#[case::name("localhost:8080", 200)]
#[case::capitals("LocalHost", 200)]
#[case::v4("127.0.0.1:8080", 200)]
#[case::v4_other("127.8.8.8", 200)]
#[case::v6("[::1]:8080", 200)]
#[case::rebound_name("windlass.attacker.example:8080", 421)]
#[case::prefix("localhost.attacker.example", 421)]
#[case::user("localhost@attacker.example", 421)]
#[case::other_address("192.168.1.4", 421)]
#[case::empty("", 421)]
#[tokio::test]
async fn on_loopback_only_its_own_names_are_served(#[case] host: &str, #[case] expected: u16) {
    let web = Web::bind(loopback()).await.unwrap();
    let url = format!("http://{}/", web.address());
    let server = tokio::spawn(web.serve(shop(), std::future::pending()));
    assert_eq!(status_for_host(&url, host).await, expected);
    server.abort();
}

#[tokio::test]
async fn with_anonymous_every_name_is_served() {
    let web = Web::bind(WebConfig { anonymous: true, ..loopback() }).await.unwrap();
    let url = format!("http://{}/", web.address());
    let server = tokio::spawn(web.serve(shop(), std::future::pending()));
    assert_eq!(status_for_host(&url, "dashboard.example").await, 200);
    server.abort();
}

async fn status_for_host(url: &str, host: &str) -> u16 {
    client().get(url).header("host", host).send().await.unwrap().status().as_u16()
}

pub fn client() -> reqwest::Client {
    let _ = rustls::crypto::ring::default_provider().install_default();
    reqwest::Client::builder().no_proxy().build().unwrap()
}

pub fn loopback() -> WebConfig {
    WebConfig { address: SocketAddr::from(([127, 0, 0, 1], 0)), anonymous: false }
}

#[rstest]
#[case("0.0.0.0:8080")]
#[case("[::]:8080")]
#[case("192.0.2.1:8080")]
#[case("[::ffff:192.0.2.1]:8080")]
#[tokio::test]
async fn other_addresses_than_loopback_need_anonymous(#[case] address: &str) {
    let refused = Web::bind(WebConfig { address: address.parse().unwrap(), anonymous: false }).await;
    let error = refused.unwrap_err();
    assert!(matches!(error, WebError::NotLoopback { .. }));
    assert!(error.to_string().contains("127.0.0.1:8080") && error.to_string().contains("--anonymous"));
}

#[tokio::test]
async fn anonymous_listens_anywhere_and_a_taken_port_is_told() {
    let web = Web::bind(WebConfig { address: "0.0.0.0:0".parse().unwrap(), anonymous: true }).await.unwrap();
    let error = Web::bind(WebConfig { address: web.address(), anonymous: true }).await.unwrap_err();
    assert!(error.to_string().contains("another program"), "{error}");
}

#[test]
fn an_application_cannot_take_the_place_of_another() {
    let rows: Vec<String> = [AppKey::new("a:b", "c"), AppKey::new("a", "b:c"), key("a-b")]
        .iter()
        .map(|key| {
            let view = view(key, "Synced", "Healthy", "");
            crate::web::model::ApplicationRow::new(key, &view, super::fixtures::now()).id
        })
        .collect();
    assert_eq!(rows, ["app:a%3Ab:c", "app:a:b%3Ac", "app:shop:a-b"]);
}
