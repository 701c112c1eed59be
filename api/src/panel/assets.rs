//! The few files that pages load, built into the program. The name of a file contains the hash of its content, so a
//! browser may keep the file for a long time: a new version has a new name.

use super::page::Fault;
use axum::extract::Path;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use common::text::hex;
use std::sync::LazyLock;

/// The path below which the files are.
pub(super) const ROOT: &str = "/assets/";

/// A file.
struct Asset {
    name: String,
    kind: &'static str,
    content: &'static [u8],
}

impl Asset {
    fn new(stem: &str, ending: &str, kind: &'static str, content: &'static [u8]) -> Self {
        let hash: String = hex::encode(&openssl::sha::sha256(content)).chars().take(16).collect();
        Self { name: format!("{stem}-{hash}.{ending}"), kind, content }
    }
}

static ALL: LazyLock<[Asset; 3]> = LazyLock::new(|| {
    [
        Asset::new("panel", "css", "text/css; charset=utf-8", include_bytes!("../../assets/panel.css")),
        Asset::new("panel", "js", "text/javascript; charset=utf-8", include_bytes!("../../assets/panel.js")),
        Asset::new("icon", "svg", "image/svg+xml", include_bytes!("../../assets/icon.svg")),
    ]
});

/// The paths of the stylesheet, the script and the icon.
pub(super) fn paths() -> [String; 3] {
    let [style, script, icon] = &*ALL;
    [style, script, icon].map(|asset| format!("{ROOT}{}", asset.name))
}

/// Sends one of the files.
pub(super) async fn get(Path(name): Path<String>) -> Result<Response, Fault> {
    let asset = ALL.iter().find(|asset| asset.name == name).ok_or(Fault::None)?;
    let headers =
        [(header::CONTENT_TYPE, asset.kind), (header::CACHE_CONTROL, "public, max-age=31536000, immutable")];
    Ok((headers, asset.content).into_response())
}
