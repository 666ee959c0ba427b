//! Messages of a seal: a tag, a length in DER's short or long form, a value.

/// Most messages of one seal: none that is specified has twenty.
pub const MESSAGES_MAX: usize = 64;

/// Where the messages break off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TlvError {
    /// The length of tag {tag:02x} at {at} does not read, or passes the end.
    #[error("message {tag:02x} at byte {at} does not fit")]
    Length {
        /// Offset of the tag.
        at: usize,
        /// The tag.
        tag: u8,
    },
    /// More than [`MESSAGES_MAX`].
    #[error("more than {MESSAGES_MAX} messages")]
    TooMany,
}

/// One message: its tag, where it begins, its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message<'a> {
    /// The tag.
    pub tag: u8,
    /// Offset of the tag in the whole.
    pub at: usize,
    /// The value.
    pub value: &'a [u8],
}

/// The messages of `bytes` from `start` to the end, in order.
///
/// # Errors
/// [`TlvError`].
pub fn read(bytes: &[u8], start: usize) -> Result<Vec<Message<'_>>, TlvError> {
    let mut messages = Vec::new();
    let mut at = start;
    while let Some(tag) = bytes.get(at).copied() {
        if messages.len() == MESSAGES_MAX {
            return Err(TlvError::TooMany);
        }
        let bad = TlvError::Length { at, tag };
        let (length, value_at) = length(bytes, at + 1).ok_or(bad)?;
        let end = value_at.checked_add(length).ok_or(bad)?;
        let value = bytes.get(value_at..end).ok_or(bad)?;
        messages.push(Message { tag, at, value });
        at = end;
    }
    Ok(messages)
}

/// Writes one message.
///
/// # Panics
/// When the value has 64 KiB or more; a seal has 4 KiB at most.
pub fn write(out: &mut Vec<u8>, tag: u8, value: &[u8]) {
    out.push(tag);
    let length = u16::try_from(value.len()).expect("a message of a seal has less than 64 KiB");
    match length {
        0..=0x7f => out.push(length as u8),
        0x80..=0xff => out.extend([0x81, length as u8]),
        _ => {
            out.push(0x82);
            out.extend(length.to_be_bytes());
        }
    }
    out.extend_from_slice(value);
}

/// The length at `at`, in its shortest form or 128 in one byte, and where the value begins.
fn length(bytes: &[u8], at: usize) -> Option<(usize, usize)> {
    match *bytes.get(at)? {
        // DER has no use for 0x80 here, and some signers write 128 so.
        short @ 0..=0x80 => Some((usize::from(short), at + 1)),
        0x81 => {
            let length = usize::from(*bytes.get(at + 1)?);
            (length > 0x7f).then_some((length, at + 2))
        }
        0x82 => {
            let length = u16::from_be_bytes([*bytes.get(at + 1)?, *bytes.get(at + 2)?]);
            (length > 0xff).then_some((usize::from(length), at + 3))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_length_past_the_end_or_not_in_its_shortest_form_is_refused_by_place_and_tag() {
        assert_eq!(read(&[0, 1, 0, 5, 2, 9], 0), Err(TlvError::Length { at: 3, tag: 5 }));
        for long in [
            &[1, 0x81, 5, 0, 0, 0, 0, 0][..],
            &[1, 0x82, 0, 5, 0, 0, 0, 0, 0],
            &[1, 0x80],
            &[1, 0x83, 0, 0, 0],
            &[1],
        ] {
            assert_eq!(read(long, 0), Err(TlvError::Length { at: 0, tag: 1 }));
        }
        assert_eq!(read(&[0; 2 * MESSAGES_MAX + 2], 0), Err(TlvError::TooMany));
    }

    #[test]
    fn a_length_of_128_is_read_in_either_of_the_ways_that_signers_write_it() {
        for head in [&[3, 0x80][..], &[3, 0x81, 0x80]] {
            let bytes = [head, &[7; 128]].concat();
            let messages = read(&bytes, 0).unwrap();
            assert_eq!((messages.len(), messages[0].value), (1, &[7; 128][..]));
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(values in prop::collection::vec((any::<u8>(), prop::collection::vec(any::<u8>(), 0..400)), 0..8)) {
            let mut out = vec![0xdc];
            for (tag, value) in &values {
                write(&mut out, *tag, value);
            }
            let read = read(&out, 1).unwrap();
            prop_assert_eq!(read.iter().map(|it| (it.tag, it.value.to_vec())).collect::<Vec<_>>(), values);
        }
    }
}
