use axum::extract::Request;
use axum::http::uri::Authority;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::net::IpAddr;

const CONTENT_SECURITY_POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; \
     connect-src 'self'; img-src 'self' data:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

const HEADERS: [(&str, &str); 6] = [
    ("content-security-policy", CONTENT_SECURITY_POLICY),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "no-referrer"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
];

/// Adds the headers that keep a page from running or loading anything but our own files, and from being
/// framed, sniffed or stored. An answer that sets its own `Cache-Control` keeps it.
pub async fn harden(mut response: Response) -> Response {
    let headers = response.headers_mut();
    for (name, value) in HEADERS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Turns away requests whose Host is not a name of this machine's loopback. A website that points its own
/// name at 127.0.0.1 (DNS rebinding) could otherwise read the pages through a visitor's browser.
pub async fn loopback_host_only(request: Request, next: Next) -> Response {
    let from_header = request.headers().get(header::HOST).map(|host| host.to_str().unwrap_or_default());
    let from_target = request.uri().authority().map(Authority::as_str);
    let names: Vec<&str> = from_header.into_iter().chain(from_target).collect();
    if !names.is_empty() && names.iter().all(|name| is_loopback(name)) {
        return next.run(request).await;
    }
    let refusal = "This page is served on loopback only: open it as http://localhost:PORT or \
                   http://127.0.0.1:PORT, or start Windlass with --anonymous to serve it under any name.\n";
    harden((StatusCode::MISDIRECTED_REQUEST, refusal).into_response()).await
}

fn is_loopback(host: &str) -> bool {
    let Ok(authority) = host.parse::<Authority>() else { return false };
    if authority.as_str().contains('@') {
        return false;
    }
    let name = authority.host();
    let address = name.trim_start_matches('[').trim_end_matches(']');
    name.eq_ignore_ascii_case("localhost")
        || address.parse::<IpAddr>().is_ok_and(|address| address.to_canonical().is_loopback())
}
