//! A tap between wallets and their relay: it sees what a network observer sees if there were no TLS, and counts sizes of frames.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Ipv6Addr, Shutdown, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};

use mailbox::frame::{HEAD_BYTES, turn_bytes};
use mailbox::statement::{INDEX_BYTES, ROW_BYTES, SignedRound};

/// Bytes that are taken off a socket at once.
const PIECE_BYTES: usize = 64 << 10;
/// Bytes of an HTTP head that is looked for.
const HEAD_BYTES_MAX: usize = 8 << 10;

/// What went by.
#[derive(Default)]
pub(super) struct Seen {
    /// Frames by their direction, type and length; rounds and buckets by their type alone.
    pub(super) frames: BTreeMap<(bool, u8, usize), u64>,
    /// Lengths and turns that should not be.
    pub(super) faults: Vec<String>,
    pub(super) links: u64,
    pub(super) bytes_up: u64,
    pub(super) bytes_down: u64,
}

/// Listens on 127.0.0.1 and hands on to the same port of ::1, until the process ends.
pub(super) fn open(port: u16) -> Result<Arc<Mutex<Seen>>, String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).map_err(|fault| fault.to_string())?;
    let seen = Arc::new(Mutex::new(Seen::default()));
    let all = seen.clone();
    std::thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let Ok(relay) = TcpStream::connect((Ipv6Addr::LOCALHOST, port)) else { continue };
            let (_, _) = (client.set_nodelay(true), relay.set_nodelay(true));
            let (Ok(client_too), Ok(relay_too)) = (client.try_clone(), relay.try_clone()) else { continue };
            let (up, down) = (all.clone(), all.clone());
            std::thread::spawn(move || hand_on(client, relay, true, &up));
            std::thread::spawn(move || hand_on(relay_too, client_too, false, &down));
        }
    });
    Ok(seen)
}

fn hand_on(mut from: TcpStream, mut to: TcpStream, is_up: bool, seen: &Mutex<Seen>) {
    let mut reader = Reader { is_up, ..Reader::default() };
    let mut piece = vec![0; PIECE_BYTES];
    while let Ok(read) = from.read(&mut piece) {
        if read == 0 || to.write_all(&piece[..read]).is_err() {
            break;
        }
        reader.hear(&piece[..read], &mut seen.lock().unwrap_or_else(PoisonError::into_inner));
    }
    let (_, _) = (to.shutdown(Shutdown::Write), from.shutdown(Shutdown::Read));
}

/// One direction of one connection: an HTTP head, and if that was an upgrade, WebSocket frames.
#[derive(Default)]
struct Reader {
    is_up: bool,
    buffer: Vec<u8>,
    is_link: bool,
    is_plain: bool,
    /// Rows that the last ROUND spoke of.
    rows: Option<usize>,
    turned: BTreeSet<u64>,
}

impl Reader {
    fn hear(&mut self, piece: &[u8], seen: &mut Seen) {
        if self.is_up {
            seen.bytes_up += piece.len() as u64;
        } else {
            seen.bytes_down += piece.len() as u64;
        }
        if self.is_plain {
            return;
        }
        self.buffer.extend_from_slice(piece);
        if !self.is_link && !self.head(seen) {
            return;
        }
        while let Some((opcode, payload, taken)) = frame(&self.buffer) {
            if opcode == 2 {
                self.look(&payload, seen);
            }
            self.buffer.drain(..taken);
        }
    }

    /// Whether the head is over and frames follow.
    fn head(&mut self, seen: &mut Seen) -> bool {
        let Some(end) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") else {
            self.is_plain = self.buffer.len() > HEAD_BYTES_MAX;
            return false;
        };
        let begins = |with: &[u8]| self.buffer.starts_with(with);
        let is_link = if self.is_up { begins(b"GET /relay/v1/link ") } else { begins(b"HTTP/1.1 101 ") };
        (self.is_link, self.is_plain) = (is_link, !is_link);
        self.buffer.drain(..end + 4);
        seen.links += u64::from(is_link && self.is_up);
        is_link
    }

    fn look(&mut self, frame: &[u8], seen: &mut Seen) {
        let kind = frame.first().copied().unwrap_or(0xff);
        let rest = |fixed: usize, each: usize| {
            frame
                .len()
                .checked_sub(HEAD_BYTES + fixed)
                .filter(|rest| rest % each == 0)
                .map(|rest| rest / each)
        };
        let (fits, length) = match (self.is_up, kind) {
            (true, 0x01) => (frame.len() == HEAD_BYTES + 41, frame.len()),
            (true, 0x03) => {
                let round = frame[4..].first_chunk().map(|bytes| u64::from_be_bytes(*bytes));
                let is_only = round.is_some_and(|round| self.turned.insert(round));
                (frame.len() == turn_bytes(1) && is_only, frame.len())
            }
            (false, 0x02) => (frame.len() == HEAD_BYTES + 54, frame.len()),
            (false, 0x04) => (frame.len() == HEAD_BYTES + 9, frame.len()),
            (false, 0x05) => {
                self.rows = rest(SignedRound::bytes(1), INDEX_BYTES);
                (self.rows.is_some(), 0)
            }
            (false, 0x0a) => (rest(10, ROW_BYTES).is_some_and(|rows| self.rows.take() == Some(rows)), 0),
            (_, 0x7f) => (frame.len() <= HEAD_BYTES + 122, frame.len()),
            _ => (false, frame.len()),
        };
        *seen.frames.entry((self.is_up, kind, length)).or_default() += 1;
        if !fits {
            seen.faults.push(format!("type {kind:#04x}, {} bytes, up: {}", frame.len(), self.is_up));
        }
    }
}

/// The first whole WebSocket frame: opcode, payload, and bytes it took.
fn frame(bytes: &[u8]) -> Option<(u8, Vec<u8>, usize)> {
    let (&first, &second) = (bytes.first()?, bytes.get(1)?);
    let (length, mut at) = match second & 0x7f {
        126 => (usize::from(u16::from_be_bytes(*bytes.get(2..)?.first_chunk()?)), 4),
        127 => (usize::try_from(u64::from_be_bytes(*bytes.get(2..)?.first_chunk()?)).ok()?, 10),
        short => (usize::from(short), 2),
    };
    let mask: [u8; 4] = if second & 0x80 == 0 {
        [0; 4]
    } else {
        at += 4;
        *bytes.get(at - 4..)?.first_chunk()?
    };
    let payload = bytes.get(at..at.checked_add(length)?)?;
    let payload = payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
    Some((first & 0x0f, payload, at + length))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn up(reader: &mut Reader, seen: &mut Seen, payload: &[u8]) {
        let length = u16::try_from(payload.len()).expect("a short frame").to_be_bytes();
        let masked: Vec<u8> = payload.iter().map(|byte| byte ^ 7).collect();
        reader.hear(&[&[0x82, 0xfe][..], &length, &[7; 4], &masked].concat(), seen);
    }

    #[test]
    fn a_turn_of_another_size_or_a_second_one_in_a_round_is_told() {
        let (mut reader, mut seen) = (Reader { is_up: true, ..Reader::default() }, Seen::default());
        reader.hear(b"GET /relay/v1/link HTTP/1.1\r\nhost: x\r\n", &mut seen);
        reader.hear(b"\r\n", &mut seen);
        let turn = |round: u8, bytes: usize| {
            let mut turn = vec![0; bytes];
            (turn[0], turn[11]) = (0x03, round);
            turn
        };
        up(&mut reader, &mut seen, &turn(1, turn_bytes(1)));
        up(&mut reader, &mut seen, &turn(2, turn_bytes(1)));
        assert!(seen.faults.is_empty() && seen.links == 1, "{:?}", seen.faults);
        up(&mut reader, &mut seen, &turn(2, turn_bytes(1)));
        up(&mut reader, &mut seen, &turn(3, turn_bytes(1) - 1));
        assert_eq!(seen.faults.len(), 2);
        assert_eq!(seen.frames[&(true, 3, turn_bytes(1))], 3);
    }
}
