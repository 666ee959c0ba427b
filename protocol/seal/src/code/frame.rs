//! One byte string for a label and its parts, that no other label and parts have.

/// `ASCII(label) ‖ 00 ‖ u32be(len p1) ‖ p1 ‖ …`.
///
/// # Panics
/// When a part has 4 GiB or more; every caller's parts are bounded far below.
pub fn frame(label: &str, parts: &[&[u8]]) -> Vec<u8> {
    let length = label.len() + 1 + parts.iter().map(|part| 4 + part.len()).sum::<usize>();
    let mut framed = Vec::with_capacity(length);
    framed.extend(label.bytes());
    framed.push(0);
    for part in parts {
        let length = u32::try_from(part.len()).expect("the parts of a frame are bounded far below 4 GiB");
        framed.extend(length.to_be_bytes());
        framed.extend_from_slice(part);
    }
    framed
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_frame_is_label_zero_and_each_part_behind_its_length() {
        assert_eq!(frame("ab", &[b"x", b""]), b"ab\0\0\0\0\x01x\0\0\0\0");
        assert_eq!(frame("ab", &[]), b"ab\0");
    }

    proptest! {
        #[test]
        fn different_parts_have_different_frames(
            a in prop::collection::vec(prop::collection::vec(0..3_u8, 0..4), 0..4),
            b in prop::collection::vec(prop::collection::vec(0..3_u8, 0..4), 0..4),
        ) {
            let of = |parts: &[Vec<u8>]| frame("l", &parts.iter().map(Vec::as_slice).collect::<Vec<_>>());
            prop_assert_eq!(of(&a) == of(&b), a == b);
        }
    }
}
