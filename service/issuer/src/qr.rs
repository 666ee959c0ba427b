//! An offer's link as a QR code: an SVG without script, style or outside reference.

use qrcode::{Color, EcLevel, QrCode};
use std::fmt::Write;

/// Light squares around the code (ISO/IEC 18004).
const QUIET: usize = 4;

/// The picture of `link`; none for a link that no code holds.
pub(crate) fn svg(link: &str) -> Option<String> {
    let code = QrCode::with_error_correction_level(link, EcLevel::M).ok()?;
    let width = code.width();
    let mut path = String::new();
    for (at, colour) in code.to_colors().into_iter().enumerate() {
        if colour == Color::Dark {
            // Writing to a text never fails.
            let _ = write!(path, "M{} {}h1v1h-1z", at % width + QUIET, at / width + QUIET);
        }
    }
    let side = width + 2 * QUIET;
    Some(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {side} {side}\" shape-rendering=\"crispEdges\">\
         <title>Credential offer</title><path fill=\"#fff\" d=\"M0 0h{side}v{side}H0z\"/><path d=\"{path}\"/></svg>\n"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_becomes_squares_and_shows_nothing_of_itself_as_text() {
        let picture =
            svg("openid-credential-offer://?credential_offer_uri=https%3A%2F%2Fi.example%2Fcanary").unwrap();
        assert!(picture.starts_with("<svg ") && picture.contains("h1v1h-1z") && !picture.contains("canary"));
        assert_eq!(svg(&"x".repeat(4_000)), None, "no code holds that much");
    }
}
