//! A very small HTTP server: one thread a connection, one answer a connection.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

/// What a peer was asked.
pub(crate) struct Asked {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) host: Option<String>,
    pub(crate) authorization: Option<String>,
    /// The proof of the key that a token is bound to.
    pub(crate) dpop: Option<String>,
    /// The proof of a wallet's device.
    pub(crate) proof: Option<String>,
    pub(crate) body: Vec<u8>,
}

/// What it answers.
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) location: Option<String>,
    pub(crate) dpop_nonce: Option<String>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn of(status: u16, body: impl Into<Vec<u8>>) -> Reply {
        Reply { status, location: None, dpop_nonce: None, body: body.into() }
    }

    pub(crate) fn json(status: u16, body: &impl serde::Serialize) -> Reply {
        Reply::of(status, serde_json::to_vec(body).unwrap())
    }
}

/// Serves for as long as the process lives; the port.
pub(crate) fn serve(answer: impl Fn(Asked) -> Reply + Send + Sync + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let answer = Arc::new(answer);
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let answer = Arc::clone(&answer);
            // A client that goes away early is its own affair.
            std::thread::spawn(move || drop(converse(stream, &*answer)));
        }
    });
    port
}

fn converse(stream: TcpStream, answer: &dyn Fn(Asked) -> Reply) -> std::io::Result<()> {
    let mut reader = BufReader::new(stream.try_clone()?);
    let asked = read(&mut reader)?;
    write(stream, &answer(asked))
}

pub(crate) fn read(reader: &mut impl BufRead) -> std::io::Result<Asked> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let mut words = line.split(' ');
    let method = words.next().unwrap_or_default().to_owned();
    let path = words.next().unwrap_or_default().to_owned();
    let (mut length, mut host, mut authorization, mut dpop, mut proof) = (0, None, None, None, None);
    loop {
        let mut header = String::new();
        reader.read_line(&mut header)?;
        let Some((name, value)) = header.trim_end().split_once(':') else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = value.trim().parse().unwrap(),
            "host" => host = Some(value.trim().to_owned()),
            "seal-proof" => proof = Some(value.trim().to_owned()),
            "authorization" => authorization = Some(value.trim().to_owned()),
            "dpop" => dpop = Some(value.trim().to_owned()),
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    Ok(Asked { method, path, host, authorization, dpop, proof, body })
}

pub(crate) fn write(mut stream: impl Write, reply: &Reply) -> std::io::Result<()> {
    let location = reply.location.as_ref().map(|to| format!("location: {to}\r\n")).unwrap_or_default();
    let nonce = reply.dpop_nonce.as_ref().map(|nonce| format!("dpop-nonce: {nonce}\r\n")).unwrap_or_default();
    let (status, length) = (reply.status, reply.body.len());
    write!(
        stream,
        "HTTP/1.1 {status} X\r\nconnection: close\r\n{location}{nonce}content-length: {length}\r\n\r\n"
    )?;
    stream.write_all(&reply.body)?;
    stream.flush()
}
