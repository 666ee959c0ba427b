//! Seals as barcodes: squares out of bytes, and bytes out of pictures.
//!
//! ```text
//!   seal ── data_matrix ──▶ Squares ── to_svg, to_luma        (raw bytes)
//!   seal ── qr ──▶ Squares                                    (`TS1:` and Base45, for cameras of browsers)
//!   picture ── read (feature barcode-reader) ──▶ seal
//! ```

use super::SEAL_BYTES_MAX;
use super::base45;

/// What a seal in a QR code begins with.
pub const QR_PREFIX: &str = "TS1:";
/// Squares of light around a code, so that readers find its edge (ISO/IEC 18004, 9.1).
const QUIET: usize = 4;

/// The seal does not fit into a barcode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("too long for a barcode")]
pub struct TooLong;

/// The squares of a barcode.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Squares {
    width: usize,
    dark: Vec<bool>,
}

impl Squares {
    /// Squares of a line.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Lines.
    pub fn height(&self) -> usize {
        self.dark.len() / self.width
    }

    /// Whether a square is dark; those outside are light.
    pub fn is_dark(&self, column: usize, line: usize) -> bool {
        column < self.width && self.dark.get(line * self.width + column).copied().unwrap_or(false)
    }

    /// A picture of paths alone, scaled by whoever shows it.
    pub fn to_svg(&self) -> String {
        let (width, height) = (self.width + 2 * QUIET, self.height() + 2 * QUIET);
        let mut path = String::new();
        for line in 0..self.height() {
            for column in (0..self.width).filter(|column| self.is_dark(*column, line)) {
                path.push_str(&format!("M{},{}h1v1h-1z", column + QUIET, line + QUIET));
            }
        }
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" shape-rendering=\"crispEdges\">\
             <path fill=\"#fff\" d=\"M0,0h{width}v{height}h-{width}z\"/><path d=\"{path}\"/></svg>"
        )
    }

    /// Grey pixels, `scale` to a square, with the light around them: their width, height, and one byte each.
    pub fn to_luma(&self, scale: usize) -> (usize, usize, Vec<u8>) {
        let (width, height) = (scale * (self.width + 2 * QUIET), scale * (self.height() + 2 * QUIET));
        let mut luma = Vec::with_capacity(width * height);
        for y in 0..height {
            for x in 0..width {
                let dark = match ((x / scale).checked_sub(QUIET), (y / scale).checked_sub(QUIET)) {
                    (Some(column), Some(line)) => self.is_dark(column, line),
                    _ => false,
                };
                luma.push(if dark { 0 } else { 0xff });
            }
        }
        (width, height, luma)
    }
}

/// A Data Matrix with the seal's own bytes, as ICAO Doc 9303-13 prints it.
///
/// # Errors
/// [`TooLong`].
pub fn data_matrix(seal: &[u8]) -> Result<Squares, TooLong> {
    let code =
        datamatrix::DataMatrix::encode(seal, datamatrix::SymbolList::default()).map_err(|_| TooLong)?;
    let bitmap = code.bitmap();
    Ok(Squares { width: bitmap.width(), dark: bitmap.bits().to_vec() })
}

/// A QR code with the seal in Base45.
///
/// # Errors
/// [`TooLong`].
pub fn qr(seal: &[u8]) -> Result<Squares, TooLong> {
    let text = format!("{QR_PREFIX}{}", base45::encode(seal));
    let code = qrcode::QrCode::with_error_correction_level(text, qrcode::EcLevel::M).map_err(|_| TooLong)?;
    let dark = code.to_colors().into_iter().map(|color| color == qrcode::Color::Dark).collect();
    Ok(Squares { width: code.width(), dark })
}

/// The seal in a text that a camera read.
pub fn of_text(text: &str) -> Option<Vec<u8>> {
    let coded = text.strip_prefix(QR_PREFIX).filter(|coded| coded.len() <= SEAL_BYTES_MAX / 2 * 3)?;
    base45::decode(coded).ok()
}

#[cfg(feature = "barcode-reader")]
pub use reader::{PICTURE_BYTES_MAX, PICTURE_PIXELS_MAX, ReadError, read};

#[cfg(feature = "barcode-reader")]
mod reader {
    use std::io::Cursor;

    use image::{ImageFormat, ImageReader, Limits};
    use rxing::{BarcodeFormat, DecodeHints, helpers};

    use super::{SEAL_BYTES_MAX, of_text};

    /// Most bytes of a picture: what a telephone makes of one page.
    pub const PICTURE_BYTES_MAX: usize = 4 * 1024 * 1024;
    /// Most pixels: a barcode needs far fewer, and each costs time.
    pub const PICTURE_PIXELS_MAX: u64 = 4_000_000;
    /// Longest side, in pixels: no sane picture is a line.
    const SIDE_MAX: u32 = 8192;
    /// Most bytes that opening a picture may take: its pixels in full colour, twice.
    const OPENING_BYTES_MAX: u64 = 32 * 1024 * 1024;

    /// Why a picture gives no seal.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
    pub enum ReadError {
        /// More bytes, pixels or a longer side than the bounds.
        #[error("the picture is too large")]
        TooLarge,
        /// Neither PNG nor JPEG, or broken.
        #[error("not a PNG or JPEG picture")]
        Picture,
        /// No Data Matrix and no QR code was found.
        #[error("no barcode was found")]
        NoBarcode,
        /// The barcode holds no seal.
        #[error("the barcode holds no seal")]
        NoSeal,
    }

    /// The seal in a picture.
    ///
    /// # Errors
    /// [`ReadError`].
    pub fn read(picture: &[u8]) -> Result<Vec<u8>, ReadError> {
        if picture.len() > PICTURE_BYTES_MAX {
            return Err(ReadError::TooLarge);
        }
        let open = || {
            let reader = ImageReader::new(Cursor::new(picture)).with_guessed_format().ok();
            reader.filter(|it| matches!(it.format(), Some(ImageFormat::Png | ImageFormat::Jpeg)))
        };
        // The size first: it stands in the head, before anything is unpacked.
        let (width, height) =
            open().and_then(|reader| reader.into_dimensions().ok()).ok_or(ReadError::Picture)?;
        if width.max(height) > SIDE_MAX || u64::from(width) * u64::from(height) > PICTURE_PIXELS_MAX {
            return Err(ReadError::TooLarge);
        }
        let mut limits = Limits::default();
        limits.max_alloc = Some(OPENING_BYTES_MAX);
        let mut reader = open().ok_or(ReadError::Picture)?;
        reader.limits(limits);
        let luma = reader.decode().map_err(|_| ReadError::Picture)?.into_luma8().into_raw();
        find(&luma, width, height)
    }

    fn find(luma: &[u8], width: u32, height: u32) -> Result<Vec<u8>, ReadError> {
        let detect = |format| {
            let mut hints = DecodeHints { TryHarder: Some(true), ..DecodeHints::default() };
            helpers::detect_in_luma_slice_with_hints(luma, width, height, Some(format), &mut hints).ok()
        };
        if let Some(found) = detect(BarcodeFormat::QR_CODE) {
            return of_text(found.getText()).ok_or(ReadError::NoSeal);
        }
        let found = detect(BarcodeFormat::DATA_MATRIX).ok_or(ReadError::NoBarcode)?;
        // Text would go through a character set; the codewords are what stands in the symbol.
        let bytes = datamatrix::data::decode_data(found.getRawBytes()).map_err(|_| ReadError::NoSeal)?;
        if bytes.is_empty() || bytes.len() > SEAL_BYTES_MAX { Err(ReadError::NoSeal) } else { Ok(bytes) }
    }
}
