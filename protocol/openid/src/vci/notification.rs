//! What a wallet tells of the credentials it was given (OpenID4VCI 1.0, 11).

use super::check::{Check, IssueRefusal};
use crate::wire;
use crypto::secret::Secret;
use serde_json::Value;

/// Most bytes of a notification: an id, a word and a sentence.
pub const NOTIFICATION_BYTES_MAX: usize = 8 * 1024;

/// Most bytes of an id; ours have 43.
pub const NOTIFICATION_ID_BYTES_MAX: usize = 256;

/// Most bytes of `event_description`; it is read to be bounded and kept nowhere, as it is a stranger's free text.
pub const DESCRIPTION_BYTES_MAX: usize = 4 * 1024;

/// A notification of the right form.
#[derive(Debug)]
pub struct NotificationRequest {
    id: Secret<String>,
    /// What became of the credentials.
    pub event: NotificationEvent,
}

/// What became of credentials (OpenID4VCI 1.0, 11.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotificationEvent {
    /// They are stored.
    Accepted,
    /// They could not be stored.
    Failure,
    /// The holder did not want them.
    Deleted,
}

impl NotificationEvent {
    /// The word of the standard.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            NotificationEvent::Accepted => "credential_accepted",
            NotificationEvent::Failure => "credential_failure",
            NotificationEvent::Deleted => "credential_deleted",
        }
    }

    /// Whether nobody holds the credentials after it.
    #[must_use]
    pub fn is_loss(self) -> bool {
        self != NotificationEvent::Accepted
    }

    /// Reads the word of the standard.
    #[must_use]
    pub fn parse(text: &str) -> Option<NotificationEvent> {
        [NotificationEvent::Accepted, NotificationEvent::Failure, NotificationEvent::Deleted]
            .into_iter()
            .find(|event| event.as_str() == text)
    }

    /// Whether this tells something new after `told`: nothing after a loss, and nothing twice, so that a repeated notification
    /// changes nothing (OpenID4VCI 1.0, 11.2).
    #[must_use]
    pub fn is_news(self, told: Option<NotificationEvent>) -> bool {
        match told {
            None => true,
            Some(NotificationEvent::Accepted) => self.is_loss(),
            Some(NotificationEvent::Failure | NotificationEvent::Deleted) => false,
        }
    }
}

impl NotificationRequest {
    /// Reads a body. Unknown members are ignored, duplicates refused.
    ///
    /// # Errors
    /// [`Check::NotificationForm`]; [`Check::NotificationKnown`] for an id that is none of ours by its length alone.
    pub fn parse(body: &[u8]) -> Result<NotificationRequest, IssueRefusal> {
        let Ok(Value::Object(members)) = wire::json(body, NOTIFICATION_BYTES_MAX) else {
            return Err(Check::NotificationForm.into());
        };
        let id = members.get("notification_id").and_then(Value::as_str).ok_or(Check::NotificationForm)?;
        let event = members.get("event").and_then(Value::as_str).and_then(NotificationEvent::parse);
        let event = event.ok_or(Check::NotificationForm)?;
        if let Some(description) = members.get("event_description")
            && description.as_str().is_none_or(|text| text.len() > DESCRIPTION_BYTES_MAX)
        {
            return Err(Check::NotificationForm.into());
        }
        if id.is_empty() || id.len() > NOTIFICATION_ID_BYTES_MAX {
            return Err(Check::NotificationKnown.into());
        }
        Ok(NotificationRequest { id: Secret::new(id.to_owned()), event })
    }

    /// SHA-256 of the id: what the stored notification is found by.
    #[must_use]
    pub fn id_sha256(&self) -> [u8; 32] {
        crypto::hash::sha256(self.id.expose().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::ErrorCode;
    use proptest::prelude::*;

    fn refusal(body: &str) -> Check {
        NotificationRequest::parse(body.as_bytes()).unwrap_err().check
    }

    #[test]
    fn a_notification_names_its_id_and_one_of_three_events() {
        let body =
            br#"{"notification_id":"canary","event":"credential_deleted","event_description":"no","x":1}"#;
        let request = NotificationRequest::parse(body).unwrap();
        assert_eq!(
            (request.event, request.id_sha256()),
            (NotificationEvent::Deleted, crypto::hash::sha256(b"canary"))
        );
        assert!(!format!("{request:?}").contains("canary"));
    }

    #[test]
    fn a_malformed_notification_is_invalid_notification_request() {
        for body in [
            "",
            "[]",
            "{}",
            r#"{"notification_id":"a"}"#,
            r#"{"event":"credential_accepted"}"#,
            r#"{"notification_id":"a","event":"credential_lost"}"#,
            r#"{"notification_id":1,"event":"credential_accepted"}"#,
            r#"{"notification_id":"a","event":"credential_accepted","event_description":1}"#,
            r#"{"notification_id":"a","notification_id":"b","event":"credential_accepted"}"#,
        ] {
            assert_eq!(refusal(body), Check::NotificationForm, "{body}");
        }
        assert_eq!(Check::NotificationForm.code(), ErrorCode::InvalidNotificationRequest);
    }

    #[test]
    fn a_notification_id_of_nobody_or_of_another_grant_is_invalid_notification_id() {
        for id in [String::new(), "n".repeat(NOTIFICATION_ID_BYTES_MAX + 1)] {
            let body = format!(r#"{{"notification_id":"{id}","event":"credential_accepted"}}"#);
            assert_eq!(refusal(&body), Check::NotificationKnown);
        }
        assert_eq!(Check::NotificationKnown.code(), ErrorCode::InvalidNotificationId);
    }

    #[test]
    fn a_loss_is_told_once_and_nothing_comes_after_it() {
        use NotificationEvent::{Accepted, Deleted, Failure};
        for event in [Accepted, Failure, Deleted] {
            assert!(event.is_news(None) && !event.is_news(Some(event)));
            assert!(!event.is_news(Some(Failure)) && !event.is_news(Some(Deleted)));
            assert_eq!(event.is_news(Some(Accepted)), event.is_loss());
            assert_eq!(NotificationEvent::parse(event.as_str()), Some(event));
        }
    }

    proptest! {
        #[test]
        fn no_body_makes_the_parser_panic(text in ".{0,200}", json in r#"\{"(event|notification_id)":[\[\]{}":,a-z]{0,60}\}"#) {
            let _ = NotificationRequest::parse(text.as_bytes());
            let _ = NotificationRequest::parse(json.as_bytes());
        }
    }
}
