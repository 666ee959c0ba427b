//! Seals as barcodes, written by us and read back by somebody else's reader.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod world;

use tessera_seal::vds::barcode::{TooLong, data_matrix, of_text, qr};
use world::World;

#[test]
fn a_data_matrix_bears_the_seal_itself() {
    let seal = World::new().service_seal;
    let squares = data_matrix(&seal).unwrap();
    let dark: Vec<bool> = (0..squares.height())
        .flat_map(|line| (0..squares.width()).map(move |column| (column, line)))
        .map(|(column, line)| squares.is_dark(column, line))
        .collect();
    assert_eq!(datamatrix::DataMatrix::decode(&dark, squares.width()).unwrap(), seal);
}

#[test]
fn a_picture_of_squares_is_a_path_and_names_nothing_else() {
    let svg = qr(b"seal").unwrap().to_svg();
    assert!(svg.starts_with("<svg ") && svg.contains("h1v1h-1z") && !svg.contains("script"));
    let (width, height, luma) = qr(b"seal").unwrap().to_luma(3);
    assert_eq!((luma.len(), luma[0]), (width * height, 0xff));
}

#[test]
fn a_text_of_another_kind_holds_no_seal() {
    assert_eq!(of_text("TS1:BB8").as_deref(), Some(&b"AB"[..]));
    assert_eq!(of_text("https://example.org"), None);
    assert_eq!(of_text("TS1:A"), None);
    assert_eq!(of_text(&format!("TS1:{}", "0".repeat(7000))), None);
}

#[test]
fn what_is_too_long_for_a_barcode_is_refused() {
    assert_eq!(data_matrix(&[0; 4000]), Err(TooLong));
    assert_eq!(qr(&[0; 4000]), Err(TooLong));
}

#[cfg(feature = "barcode-reader")]
mod reading {
    use image::{GrayImage, ImageFormat};
    use std::io::Cursor;
    use tessera_seal::vds::barcode::{PICTURE_BYTES_MAX, ReadError, Squares, data_matrix, qr, read};

    use super::World;

    fn picture(squares: &Squares, format: ImageFormat) -> Vec<u8> {
        let (width, height, luma) = squares.to_luma(4);
        let size = (u32::try_from(width).unwrap(), u32::try_from(height).unwrap());
        let mut out = Cursor::new(Vec::new());
        GrayImage::from_raw(size.0, size.1, luma).unwrap().write_to(&mut out, format).unwrap();
        out.into_inner()
    }

    #[test]
    fn a_seal_is_found_in_a_picture_of_either_code_and_either_format() {
        let seal = World::new().service_seal;
        for format in [ImageFormat::Png, ImageFormat::Jpeg] {
            assert_eq!(read(&picture(&qr(&seal).unwrap(), format)).unwrap(), seal, "QR {format:?}");
            assert_eq!(
                read(&picture(&data_matrix(&seal).unwrap(), format)).unwrap(),
                seal,
                "matrix {format:?}"
            );
        }
    }

    #[test]
    fn a_picture_without_a_code_of_another_format_or_too_large_is_refused() {
        let mut out = Cursor::new(Vec::new());
        GrayImage::new(64, 64).write_to(&mut out, ImageFormat::Png).unwrap();
        assert_eq!(read(&out.into_inner()), Err(ReadError::NoBarcode));
        assert_eq!(read(b"GIF89a"), Err(ReadError::Picture));
        assert_eq!(read(&vec![0; PICTURE_BYTES_MAX + 1]), Err(ReadError::TooLarge));
        let mut out = Cursor::new(Vec::new());
        GrayImage::new(2001, 2000).write_to(&mut out, ImageFormat::Png).unwrap();
        assert_eq!(read(&out.into_inner()), Err(ReadError::TooLarge));
    }
}
