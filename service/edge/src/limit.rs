//! Rates: how often an address, an actor or a tenant may come (L&O §8).
//!
//! An address stands here only as HMAC of its /32 or /64 under a key that lives as long as the process, so the table tells nobody
//! who came. What must be exact (tries of a code, single use) is a guarded row and not a rate.

use crate::clock::Clock;
use crate::door::Who;
use crypto::hash::MacKey;
use governor::middleware::NoOpMiddleware;
use governor::state::keyed::DashMapStateStore;
use governor::{Quota, RateLimiter};
use http::Method;
use serde::Deserialize;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Keys that one class remembers: 100,000 addresses are 10 MB. Beyond it new keys share buckets, so memory stays bounded.
pub const LIMIT_KEYS_MAX: usize = 100_000;

/// Buckets that new keys share when a class remembers too many.
const SHARED_BUCKETS: u64 = 1_024;

/// After so many checks a class forgets keys that have their whole burst again.
const SWEEP_EVERY: u64 = 8_192;

/// Development multiplies every class but the code doors, so that a demo's scripted outsiders on one address fit.
const DEV_FACTOR: u32 = 100;

/// Which rate a door has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// Pages of a sign-in: per address and tenant, as an office shares an address.
    Page,
    /// Doors where a code or a one-time link is tried: per address. The stricter rate per session is the room's to ask.
    Code,
    /// Token doors: per client, asked by the room as it alone knows the client; the address counts as [`Class::Public`].
    Token,
    /// Reads of the API: per actor.
    Read,
    /// Writes of the API: per actor.
    Write,
    /// Public doors, wallets' among them: per address.
    Public,
    /// Doors of a log: per address; auditors fetch everything.
    Log,
    /// A quota of the room's own; edge counts only the tenant's.
    Own,
}

impl Class {
    /// The class that follows from who may come and how.
    #[must_use]
    pub fn of(who: Who, method: &Method) -> Self {
        match who {
            Who::Public | Who::Tenant => Self::Public,
            Who::LogReader => Self::Log,
            Who::Role(_) | Who::Operator(_) if method.is_safe() => Self::Read,
            Who::Role(_) | Who::Operator(_) => Self::Write,
            Who::Visitor if method.is_safe() => Self::Page,
            // Whoever posts here tries to sign in.
            Who::Visitor => Self::Code,
        }
    }

    /// The name in metrics and events.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Code => "code",
            Self::Token => "token",
            Self::Read => "read",
            Self::Write => "write",
            Self::Public => "public",
            Self::Log => "log",
            Self::Own => "own",
        }
    }
}

/// `[rate]`: each class; 0 switches it off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RateConfig {
    /// Sign-in pages a minute, per address and tenant.
    pub page_per_min: u32,
    /// Tries at code doors a minute, per session.
    pub code_session_per_min: u32,
    /// Tries at code doors a minute, per address.
    pub code_address_per_min: u32,
    /// Token requests a minute, per client.
    pub token_per_min: u32,
    /// API reads a minute, per actor.
    pub read_per_min: u32,
    /// API writes a minute, per actor.
    pub write_per_min: u32,
    /// Requests at public doors a minute, per address.
    pub public_per_min: u32,
    /// Requests at log doors a second, per address.
    pub log_per_s: u32,
    /// Burst at log doors.
    pub log_burst: u32,
    /// Requests a second, per tenant.
    pub tenant_per_s: u32,
    /// Instances that share the load; each takes its part.
    pub instances: u32,
}

impl Default for RateConfig {
    fn default() -> Self {
        Self {
            page_per_min: 300,
            code_session_per_min: 10,
            code_address_per_min: 60,
            token_per_min: 60,
            read_per_min: 600,
            write_per_min: 120,
            public_per_min: 1_200,
            log_per_s: 500,
            log_burst: 10_000,
            tenant_per_s: 200,
            instances: 1,
        }
    }
}

impl RateConfig {
    /// What `--dev` makes of it: a hundred times as much, the code doors aside.
    #[must_use]
    pub const fn dev(self) -> Self {
        Self {
            page_per_min: self.page_per_min.saturating_mul(DEV_FACTOR),
            token_per_min: self.token_per_min.saturating_mul(DEV_FACTOR),
            read_per_min: self.read_per_min.saturating_mul(DEV_FACTOR),
            write_per_min: self.write_per_min.saturating_mul(DEV_FACTOR),
            public_per_min: self.public_per_min.saturating_mul(DEV_FACTOR),
            log_per_s: self.log_per_s.saturating_mul(DEV_FACTOR),
            log_burst: self.log_burst.saturating_mul(DEV_FACTOR),
            tenant_per_s: self.tenant_per_s.saturating_mul(DEV_FACTOR),
            ..self
        }
    }

    /// Every class off: for benchmarks and simulations.
    #[must_use]
    pub const fn off() -> Self {
        Self {
            page_per_min: 0,
            code_session_per_min: 0,
            code_address_per_min: 0,
            token_per_min: 0,
            read_per_min: 0,
            write_per_min: 0,
            public_per_min: 0,
            log_per_s: 0,
            log_burst: 0,
            tenant_per_s: 0,
            instances: 1,
        }
    }
}

/// A limit was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limited {
    /// Until one more request fits.
    pub retry_after: Duration,
}

/// The limiters of a process.
#[derive(Debug)]
pub struct Limits {
    key: MacKey,
    page: Keyed,
    code_session: Keyed,
    code_address: Keyed,
    token: Keyed,
    read: Keyed,
    write: Keyed,
    public: Keyed,
    log: Keyed,
    tenant: Keyed,
}

impl Limits {
    /// Limiters of this configuration. `key` is drawn at start and never stored.
    #[must_use]
    pub fn new(config: &RateConfig, clock: &Clock, key: [u8; 32]) -> Self {
        let share = |amount: u32| if amount == 0 { 0 } else { (amount / config.instances.max(1)).max(1) };
        let minute = |amount: u32| Keyed::new(share(amount), share(amount), Duration::from_mins(1), clock);
        let second =
            |amount: u32, burst: u32| Keyed::new(share(amount), share(burst), Duration::from_secs(1), clock);
        Self {
            key: MacKey::new(&key),
            page: minute(config.page_per_min),
            code_session: minute(config.code_session_per_min),
            code_address: minute(config.code_address_per_min),
            token: minute(config.token_per_min),
            read: minute(config.read_per_min),
            write: minute(config.write_per_min),
            public: minute(config.public_per_min),
            log: second(config.log_per_s, config.log_burst),
            tenant: second(config.tenant_per_s, config.tenant_per_s),
        }
    }

    /// One request from `address`, before anybody is known. `tenant` counts beside it at sign-in pages.
    ///
    /// # Errors
    /// [`Limited`] with the wait.
    pub fn address(&self, class: Class, address: IpAddr, tenant: &str) -> Result<(), Limited> {
        let net = network(address);
        match class {
            Class::Page => self.page.check(self.hash("page", &[&net, tenant.as_bytes()])),
            Class::Code => self.code_address.check(self.hash("code", &[&net])),
            Class::Public | Class::Token => self.public.check(self.hash("public", &[&net])),
            Class::Log => self.log.check(self.hash("log", &[&net])),
            // Before a token is checked its bearer is only an address; a flood of bad tokens meets the public rate.
            Class::Read | Class::Write | Class::Own => Ok(()),
        }
    }

    /// One request whose token was refused, from `address`.
    ///
    /// # Errors
    /// [`Limited`] with the wait.
    pub fn stranger(&self, address: IpAddr) -> Result<(), Limited> {
        self.public.check(self.hash("stranger", &[&network(address)]))
    }

    /// One request of `actor` in `tenant`.
    ///
    /// # Errors
    /// [`Limited`] with the wait.
    pub fn actor(&self, class: Class, tenant: &str, actor: &str) -> Result<(), Limited> {
        let who = [tenant.as_bytes(), b"\0", actor.as_bytes()];
        match class {
            Class::Read => self.read.check(self.hash("read", &who)),
            Class::Write => self.write.check(self.hash("write", &who)),
            Class::Token => self.token.check(self.hash("token", &who)),
            Class::Code => self.code_session.check(self.hash("session", &who)),
            Class::Page | Class::Public | Class::Log | Class::Own => Ok(()),
        }
    }

    /// One request for `tenant`, whoever sends it.
    ///
    /// # Errors
    /// [`Limited`] with the wait.
    pub fn tenant(&self, tenant: &str) -> Result<(), Limited> {
        self.tenant.check(self.hash("tenant", &[tenant.as_bytes()]))
    }

    fn hash(&self, label: &str, parts: &[&[u8]]) -> u64 {
        let mut all: Vec<&[u8]> = vec![label.as_bytes(), b"\0"];
        all.extend_from_slice(parts);
        let mac = self.key.mac(&all);
        u64::from_be_bytes([mac[0], mac[1], mac[2], mac[3], mac[4], mac[5], mac[6], mac[7]])
    }
}

/// The network that counts as one comer: the address itself, or the /64 of IPv6, which one household has whole.
pub(crate) fn network(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => v4.octets().to_vec(),
            None => v6.octets()[..8].to_vec(),
        },
    }
}

type Limiter = RateLimiter<u64, DashMapStateStore<u64>, Clock, NoOpMiddleware<Duration>>;

/// One class with its keys; without a limiter it lets everything through.
struct Keyed {
    limiter: Option<Limiter>,
    clock: Clock,
    checks: AtomicU64,
}

impl Keyed {
    fn new(amount: u32, burst: u32, per: Duration, clock: &Clock) -> Self {
        let limiter = NonZeroU32::new(amount).and_then(|amount| {
            let quota = Quota::with_period(per / amount.get())?
                .allow_burst(NonZeroU32::new(burst).unwrap_or(NonZeroU32::MIN));
            Some(RateLimiter::dashmap_with_clock(quota, clock.clone()))
        });
        Self { limiter, clock: clock.clone(), checks: AtomicU64::new(0) }
    }

    fn check(&self, key: u64) -> Result<(), Limited> {
        let Some(limiter) = &self.limiter else { return Ok(()) };
        if self.checks.fetch_add(1, Ordering::Relaxed) % SWEEP_EVERY == SWEEP_EVERY - 1 {
            limiter.retain_recent();
            limiter.shrink_to_fit();
        }
        let key = if limiter.len() > LIMIT_KEYS_MAX { key % SHARED_BUCKETS } else { key };
        limiter
            .check_key(&key)
            .map_err(|until| Limited { retry_after: until.wait_time_from(self.clock.steady()) })
    }
}

impl std::fmt::Debug for Keyed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keyed").field("on", &self.limiter.is_some()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    fn limits(config: RateConfig) -> (Limits, crate::clock::Hand) {
        let (clock, hand) = Clock::standing(Timestamp::UNIX_EPOCH);
        (Limits::new(&config, &clock, [7; 32]), hand)
    }

    #[test]
    fn a_class_lets_its_burst_through_and_then_says_how_long_to_wait() {
        let (limits, hand) = limits(RateConfig { public_per_min: 3, ..RateConfig::default() });
        let home = IpAddr::from([192, 0, 2, 1]);
        for _ in 0..3 {
            assert!(limits.address(Class::Public, home, "").is_ok());
        }
        let limited = limits.address(Class::Public, home, "").unwrap_err();
        assert_eq!(limited.retry_after, Duration::from_secs(20));
        assert!(limits.address(Class::Public, IpAddr::from([192, 0, 2, 2]), "").is_ok());
        hand.advance(Duration::from_secs(20));
        assert!(limits.address(Class::Public, home, "").is_ok());
    }

    #[test]
    fn all_addresses_of_one_v6_network_count_as_one() {
        let (limits, _hand) = limits(RateConfig { public_per_min: 1, ..RateConfig::default() });
        assert!(limits.address(Class::Public, "2001:db8::1".parse().unwrap(), "").is_ok());
        assert!(limits.address(Class::Public, "2001:db8::2".parse().unwrap(), "").is_err());
        assert!(limits.address(Class::Public, "2001:db8:0:1::1".parse().unwrap(), "").is_ok());
    }

    #[test]
    fn zero_switches_a_class_off() {
        let (limits, _hand) = limits(RateConfig::off());
        for _ in 0..10_000 {
            assert!(limits.tenant("ten_a").is_ok());
        }
    }

    #[test]
    fn development_multiplies_every_class_but_the_code_doors() {
        let (plain, dev) = (RateConfig::default(), RateConfig::default().dev());
        assert_eq!(dev.write_per_min, plain.write_per_min * 100);
        assert_eq!(dev.code_address_per_min, plain.code_address_per_min);
        assert_eq!(dev.code_session_per_min, plain.code_session_per_min);
    }

    #[test]
    fn what_the_table_holds_is_no_address() {
        let (limits, _hand) = limits(RateConfig::default());
        let key = limits.hash("public", &[&network(IpAddr::from([192, 0, 2, 1]))]);
        assert_ne!(key.to_be_bytes()[..4], [192, 0, 2, 1]);
        let other = Limits::new(&RateConfig::default(), &limits.public.clock, [8; 32]);
        assert_ne!(key, other.hash("public", &[&network(IpAddr::from([192, 0, 2, 1]))]));
    }
}
