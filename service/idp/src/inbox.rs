//! Inboxes: sign-ins that wait for one of a person's wallets.

use crate::enrolment::Enrolment;
use crate::signin::at;
use crate::{Idp, store};
use ::store::{Ctx, StoreFault};
use edge::Clock;
use jiff::Timestamp;
use seal::code::Sid;
use std::time::Duration;

/// Sign-ins of one inbox: a person has one that is addressed by handle, and those that a device of theirs has claimed.
const INBOX_MAX: usize = 8;
/// Longest long poll, seconds: below what proxies cut.
pub const WAIT_S_MAX: u32 = 25;

/// One sign-in that waits.
pub(crate) struct Waits {
    pub(crate) sid: Sid,
    pub(crate) expires_at: Timestamp,
}

impl Idp {
    /// What waits for this device, as soon as something does or `wait` is over.
    pub(crate) async fn inbox(
        &self,
        (ctx, clock): (&Ctx, &Clock),
        enrolment: &Enrolment,
        wait: Duration,
    ) -> Result<Vec<Waits>, StoreFault> {
        let key = (enrolment.person.as_str(), enrolment.id.as_str());
        self.poll((ctx, clock), key.0, wait, move |ctx| async move {
            let rows = store::signin::inbox(&self.store, &ctx, key, INBOX_MAX).await?;
            let waits: Vec<Waits> = rows
                .into_iter()
                .map(|(sid, until_ms)| Waits { sid: Sid::new(sid), expires_at: at(until_ms) })
                .collect();
            let worth = !waits.is_empty();
            Ok((waits, worth))
        })
        .await
    }
}
