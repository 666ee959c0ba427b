//! A request is a value: who asks, for whom, when, and with which randomness.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crypto::{hash, random};
use jiff::Timestamp;

use crate::actor::Actor;
use crate::id;
use crate::tenant::TenantId;

/// One request, one job tick or one socket frame. Made once, at the door; nobody below asks the system for the time
/// or for randomness. A long poll that wakes is a new one ([`Ctx::child`]).
#[derive(Clone, Debug)]
pub struct Ctx {
    /// Whose data may be read and written.
    pub tenant: TenantId,
    /// Who acts.
    pub actor: Actor,
    /// The one time of this request.
    pub now: Timestamp,
    /// Names the request in problems and logs.
    pub request_id: RequestId,
    entropy: Entropy,
}

impl Ctx {
    /// A new request; its id is drawn from `entropy`.
    pub fn new(tenant: TenantId, actor: Actor, now: Timestamp, entropy: Entropy) -> Ctx {
        let request_id = RequestId(id::from_bits("req", &entropy.draw()));
        Ctx { tenant, actor, now, request_id, entropy }
    }

    /// The next tick of the same actor for the same tenant: a new request id, a new time, the same source of
    /// randomness.
    pub fn child(&self, now: Timestamp) -> Ctx {
        Ctx::new(self.tenant.clone(), self.actor.clone(), now, self.entropy.clone())
    }

    /// The same request, acting for `tenant`: for jobs that walk over tenants, and for an operator of the instance
    /// who names one. Whether he may is decided before.
    pub fn for_tenant(&self, tenant: TenantId) -> Ctx {
        Ctx { tenant, ..self.clone() }
    }

    /// `N` random bytes: ids, nonces, salts. Key material is not made from it (custody asks its own generator).
    pub fn random<const N: usize>(&self) -> [u8; N] {
        self.entropy.draw()
    }

    /// `now` as Unix milliseconds, as times stand in rows.
    pub fn now_ms(&self) -> i64 {
        self.now.as_millisecond()
    }

    /// The source of randomness, for a `Ctx` made beside this one.
    pub fn entropy(&self) -> &Entropy {
        &self.entropy
    }
}

/// Where a request's randomness comes from. Clones share one stream, so two requests never draw the same bytes.
#[derive(Clone)]
pub enum Entropy {
    /// The operating system, through the house's one provider of cryptography.
    Os,
    /// A reproducible stream for tests and the simulator: [`Entropy::seeded`].
    Seeded(Arc<Seed>),
}

impl Entropy {
    /// A stream that is a function of `seed`. For tests and the simulator only.
    pub fn seeded(seed: u64) -> Entropy {
        let key = hash::sha256_of(&[b"tessera/seed/1", &seed.to_be_bytes()]);
        Entropy::Seeded(Arc::new(Seed { key, next: AtomicU64::new(0) }))
    }

    /// `N` bytes; never the same twice.
    pub fn draw<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0_u8; N];
        match self {
            Entropy::Os => random::fill(&mut bytes),
            Entropy::Seeded(seed) => seed.fill(&mut bytes),
        }
        bytes
    }
}

impl fmt::Debug for Entropy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Entropy::Os => "Os",
            Entropy::Seeded(_) => "Seeded(…)",
        })
    }
}

/// The state of a reproducible stream: HMAC-SHA-256 over a counter.
pub struct Seed {
    key: [u8; 32],
    next: AtomicU64,
}

impl Seed {
    fn fill(&self, bytes: &mut [u8]) {
        for block in bytes.chunks_mut(32) {
            let counter = self.next.fetch_add(1, Ordering::Relaxed);
            let stream = hash::hmac_sha256(&self.key, &[&counter.to_be_bytes()]);
            block.copy_from_slice(&stream[..block.len()]);
        }
    }
}

/// Names a request: `req_` and 26 characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RequestId(String);

impl RequestId {
    /// The id as it stands in problems, logs and `X-Request-Id`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seeded_stream_is_reproducible_and_never_repeats() {
        let (a, b) = (Entropy::seeded(7), Entropy::seeded(7));
        let first: [u8; 48] = a.draw();
        assert_eq!(first, b.draw::<48>());
        assert_ne!(first, a.draw::<48>());
        assert_ne!(first, Entropy::seeded(8).draw::<48>());
    }

    #[test]
    fn clones_of_a_seeded_stream_share_it() {
        let a = Entropy::seeded(7);
        let b = a.clone();
        assert_ne!(a.draw::<16>(), b.draw::<16>());
    }

    #[test]
    fn two_requests_have_two_ids() {
        let entropy = Entropy::seeded(7);
        let ctx = Ctx::new(TenantId::SYSTEM, Actor::system(), Timestamp::UNIX_EPOCH, entropy);
        assert_ne!(ctx.request_id, ctx.child(Timestamp::UNIX_EPOCH).request_id);
        assert!(!format!("{ctx:?}").contains("key"));
    }
}
