use std::fmt::Write;
use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use sha2::{Digest, Sha256};

/// A file that pages load, under a name that changes with its content, so that browsers may keep it for
/// ever.
struct Asset {
    /// Its name in the templates.
    name: &'static str,
    /// Its name in URLs: `style.0a1b2c3d4e5f.css`.
    file: String,
    content_type: &'static str,
    content: &'static str,
}

const CSS: &str = "text/css; charset=utf-8";
const JAVASCRIPT: &str = "text/javascript; charset=utf-8";
const SVG: &str = "image/svg+xml";

static ASSETS: LazyLock<Vec<Asset>> = LazyLock::new(|| {
    [
        ("style.css", CSS, include_str!("assets/style.css")),
        ("live.js", JAVASCRIPT, include_str!("assets/live.js")),
        ("mark.svg", SVG, include_str!("assets/mark.svg")),
        ("htmx.js", JAVASCRIPT, include_str!("assets/vendor/htmx-4.0.1.min.js")),
        ("hx-sse.js", JAVASCRIPT, include_str!("assets/vendor/hx-sse-4.0.1.min.js")),
    ]
    .into_iter()
    .map(|(name, content_type, content)| {
        let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
        let file = format!("{stem}.{}.{extension}", fingerprint(&[content]));
        Asset { name, file, content_type, content }
    })
    .collect()
});

/// Changes whenever an asset does; a live page that was made by another version reloads itself.
static VERSION: LazyLock<String> =
    LazyLock::new(|| fingerprint(&ASSETS.iter().map(|asset| asset.content).collect::<Vec<_>>()));

fn fingerprint(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    parts.iter().for_each(|part| hash.update(part));
    hash.finalize().iter().take(6).fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// The path of an asset by its plain name, for the templates.
pub fn url(name: &str) -> String {
    let file = ASSETS.iter().find(|asset| asset.name == name).map_or(name, |asset| &asset.file);
    format!("/assets/{file}")
}

/// The version of all assets together.
pub fn version() -> &'static str {
    &VERSION
}

/// `GET /assets/{file}`
pub async fn file(Path(file): Path<String>) -> Response {
    match ASSETS.iter().find(|asset| asset.file == file) {
        Some(asset) => {
            let headers = [
                (header::CONTENT_TYPE, asset.content_type),
                (header::CACHE_CONTROL, "public, max-age=31536000, immutable"),
            ];
            (headers, asset.content).into_response()
        }
        None => (StatusCode::NOT_FOUND, "no such file\n").into_response(),
    }
}
