//! A QR code as a picture inside the page. It needs no file and no stylesheet.

use qrcodegen::{QrCode, QrCodeEcc};
use std::fmt::Write as _;

/// Light modules around the code, without which scanners do not find it.
const BORDER: i32 = 4;

/// The picture of `text` (SVG), dark on white in each theme; `None` if the text is too long.
pub(super) fn svg(text: &str, name: &str) -> Option<String> {
    let code = QrCode::encode_text(text, QrCodeEcc::Medium).ok()?;
    let size = code.size() + 2 * BORDER;
    let mut path = String::new();
    for y in 0..code.size() {
        for x in (0..code.size()).filter(|x| code.get_module(*x, y)) {
            let _ = write!(path, "M{},{}h1v1h-1z", x + BORDER, y + BORDER);
        }
    }
    // The name needs no escaping: it is one of our own texts.
    Some(format!(
        "<svg class=\"qr\" role=\"img\" viewBox=\"0 0 {size} {size}\" width=\"240\" height=\"240\">\
         <title>{name}</title><path fill=\"#fff\" d=\"M0,0h{size}v{size}h-{size}z\"/>\
         <path fill=\"#000\" d=\"{path}\"/></svg>"
    ))
}

#[cfg(test)]
mod tests {
    use super::svg;

    #[test]
    fn a_picture_has_its_finder_and_no_style() {
        let picture = svg("otpauth://totp/a:b?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", "name").unwrap();
        assert!(picture.contains("M4,4h1v1h-1zM5,4h1v1h-1z") && !picture.contains("style"), "{picture}");
        assert!(svg(&"x".repeat(5_000), "name").is_none());
    }
}
