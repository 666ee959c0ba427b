//! The WebSocket to a relay: whole frames in, whole frames out, and a wait with an end.

use super::doors::RelayFault;
use crate::http::{Client, Stream};
use std::io::ErrorKind;
use std::time::Duration;
use tungstenite::protocol::WebSocketConfig;
use tungstenite::{Error, Message, WebSocket};

/// The relay answers the upgrade within this.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(5);
/// One frame of the link, and a little for the protocol around it.
const MESSAGE_BYTES_MAX: usize = mailbox::frame::FRAME_BYTES_MAX;
/// The shortest wait that the system can be asked for.
const WAIT_MIN: Duration = Duration::from_millis(1);

pub(super) struct Link(WebSocket<Stream>);

impl Link {
    pub(super) fn open(http: &Client, url: &str) -> Result<Self, RelayFault> {
        let fault = |fault: &dyn std::fmt::Display| RelayFault::Link(fault.to_string());
        let stream = http.connect(url, HANDSHAKE_TIMEOUT)?;
        let base = url.trim_end_matches('/');
        let address = base.replacen("http", "ws", 1) + "/relay/v1/link";
        let config = WebSocketConfig::default()
            .max_message_size(Some(MESSAGE_BYTES_MAX))
            .max_frame_size(Some(MESSAGE_BYTES_MAX));
        let (socket, _) = tungstenite::client::client_with_config(address, stream, Some(config))
            .map_err(|error| fault(&error))?;
        Ok(Self(socket))
    }

    pub(super) fn send(&mut self, frame: Vec<u8>) -> Result<(), RelayFault> {
        self.0.send(Message::Binary(frame.into())).map_err(|error| RelayFault::Link(error.to_string()))
    }

    /// The next frame; none when nothing came within `wait`.
    pub(super) fn receive(&mut self, wait: Duration) -> Result<Option<Vec<u8>>, RelayFault> {
        let fault = |fault: &dyn std::fmt::Display| RelayFault::Link(fault.to_string());
        self.0.get_ref().set_wait(wait.max(WAIT_MIN)).map_err(|error| fault(&error))?;
        match self.0.read() {
            Ok(Message::Binary(frame)) => Ok(Some(frame.to_vec())),
            Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)) => Ok(None),
            Ok(Message::Text(_)) => Err(fault(&"a text frame")),
            Ok(Message::Close(_)) => Err(fault(&"closed")),
            Err(Error::Io(error)) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                Ok(None)
            }
            Err(error) => Err(fault(&error)),
        }
    }

    pub(super) fn close(mut self) {
        // The relay may be gone already.
        let _ = self.0.close(None);
        let _ = self.0.flush();
    }
}
