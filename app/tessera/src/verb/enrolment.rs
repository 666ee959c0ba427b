//! `tessera enrolment …`

use super::{Page, Session, Write, encoded};
use crate::failure::Failure;
use clap::Subcommand;
use serde_json::json;

/// Verbs of enrolments.
#[derive(Subcommand)]
pub enum Verb {
    /// Invite somebody to enrol a device: a link that works once
    Invite {
        /// Seconds until the link ends
        #[arg(long)]
        ttl_s: Option<u32>,
        #[command(flatten)]
        write: Write,
    },
    /// All enrolled devices; no person is named
    List(#[command(flatten)] Page),
    /// One device
    Show {
        /// Its id, `enr_…`
        id: String,
    },
    /// Let a waiting device in, or unlock one
    Approve {
        /// Its id
        id: String,
        #[command(flatten)]
        write: Write,
    },
    /// End a device for ever, and every grant that it signed for
    Revoke {
        /// Its id
        id: String,
        /// `lost_device`, `compromised`, `expired_document` or `user_request`
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        write: Write,
    },
}

/// Runs the verb.
pub fn run(verb: &Verb, session: &Session) -> Result<(), Failure> {
    let one = |id: &str| format!("/enrolments/{}", encoded(id));
    match verb {
        Verb::Invite { ttl_s, write } => {
            let body = ttl_s.map_or_else(|| json!({}), |ttl_s| json!({ "ttl_s": ttl_s }));
            session.post("/enrolments/invite", &body, write)
        }
        Verb::List(page) => session.list("/enrolments", page),
        Verb::Show { id } => session.show(&session.client.get(&one(id))?),
        Verb::Approve { id, write } => session.post(&format!("{}/approve", one(id)), &json!({}), write),
        Verb::Revoke { id, reason, write } => {
            session.confirm(&format!("end {id} for ever?"))?;
            session.post(&format!("{}/revoke", one(id)), &json!({ "reason": reason }), write)
        }
    }
}
