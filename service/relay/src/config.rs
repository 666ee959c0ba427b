//! The room's own settings: those that run.

use mailbox::cover::{Cover, Mechanism as Law};
use mailbox::network::{Mechanism, ROUND_MS_DEV_MIN, ROUND_MS_FAST_MIN, ROUND_MS_MAX, ROUND_MS_MIN};

/// Open links at most: what one process with 64 Ki descriptors serves beside its files.
pub const CONNECTIONS_MAX: usize = 20_000;
/// Most clients that sizes are made for: a round of all of them stays below 2^20 cells.
pub const CLIENTS_MAX: u32 = 900_000;
/// Longest retention, days.
pub const RETENTION_DAYS_MAX: u32 = 400;

/// What the relay is told at start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Where it answers, without a slash at its end; stands in the manifest and in member links.
    pub public_url: String,
    /// For people.
    pub name: String,
    /// A development network: short rounds, tokens off. Until tokens run there is no other.
    pub dev: bool,
    /// `ring` or `mesh`; with one relay both are one hop.
    pub topology: mailbox::network::Topology,
    /// T of the normal class.
    pub round_ms: u64,
    /// T of the fast class; 0 is none.
    pub fast_round_ms: u64,
    /// Length of an epoch.
    pub epoch_ms: u64,
    /// Members that sizes are made for; none: as many as there are, rounded up to a power of two, 64 at least.
    pub clients_max: Option<u32>,
    /// Covers in every round, which hide from all but the live relay whether one client was online in it; none unless asked for.
    pub cover: Option<Cover>,
    /// Days that rounds can be caught up.
    pub retention_days: u32,
    /// Open links.
    pub connections_max: usize,
    /// Links of one address before a first accepted turn: an office shares one address.
    pub per_address_max: u32,
}

impl Config {
    /// The defaults, under `public_url`, of a development network.
    pub fn new(public_url: &str) -> Self {
        Self {
            public_url: public_url.trim_end_matches('/').to_owned(),
            name: "relay".to_owned(),
            dev: true,
            topology: mailbox::network::Topology::Ring,
            round_ms: 60_000,
            fast_round_ms: 1_000,
            epoch_ms: mailbox::network::EPOCH_MS,
            clients_max: None,
            cover: None,
            retention_days: 14,
            connections_max: CONNECTIONS_MAX,
            per_address_max: 64,
        }
    }

    /// Whether every setting is within its bound.
    ///
    /// # Errors
    /// [`ConfigFault`], naming the first that is not.
    pub fn check(&self) -> Result<(), ConfigFault> {
        let shortest = if self.dev { ROUND_MS_DEV_MIN } else { ROUND_MS_MIN };
        let whole = |round_ms: u64| round_ms > 0 && self.epoch_ms.is_multiple_of(round_ms);
        let fast = self.fast_round_ms;
        let within = [
            ("dev", self.dev, "is true until tokens run: a relay without them takes cells from anybody"),
            (
                "round_ms",
                (shortest..=ROUND_MS_MAX).contains(&self.round_ms),
                "is 250 (dev) or 10000 to 300000",
            ),
            ("round_ms", whole(self.round_ms), "divides the epoch, a day"),
            (
                "fast_round_ms",
                fast == 0 || (ROUND_MS_FAST_MIN..=60_000).contains(&fast),
                "is 0 or 250 to 60000",
            ),
            ("fast_round_ms", fast == 0 || whole(fast), "divides the epoch, a day"),
            (
                "clients_max",
                self.clients_max.is_none_or(|n| (1..=CLIENTS_MAX).contains(&n)),
                "is 1 to 900000",
            ),
            ("retention_days", (1..=RETENTION_DAYS_MAX).contains(&self.retention_days), "is 1 to 400"),
            ("connections_max", (1..=CONNECTIONS_MAX).contains(&self.connections_max), "is 1 to 20000"),
            ("per_address_max", self.per_address_max >= 1, "is not below 1"),
        ];
        match within.into_iter().find(|(_, fits, _)| !fits) {
            Some((name, _, rule)) => Err(ConfigFault { name, rule }),
            None => Ok(()),
        }
    }

    /// The covers, as the manifest says them.
    pub fn mechanism(&self) -> Mechanism {
        match self.cover.map(|cover| (cover.mechanism(), cover.shift())) {
            None => Mechanism::None,
            Some((Law::Gaussian { sigma2 }, shift)) => Mechanism::Gaussian { sigma2, shift },
            Some((Law::Laplace { epsilon_b }, shift)) => {
                Mechanism::Laplace { num: epsilon_b.num, den: epsilon_b.den, shift }
            }
        }
    }

    /// What holds against whom: printed at start, kept in the manifest.
    pub fn guarantee(&self) -> &'static str {
        "one relay, full mode, whole rounds: epsilon 0 for messages, also towards the live relay and its disk. Not hidden: who is \
         online, when, and from where. Development network: tokens are off, so anybody who reaches the relay may send."
    }

    /// Bytes that a client receives and sends in a day, online all day with `clients` others, in rounds of the normal class.
    pub fn bytes_a_day(&self, clients: u64) -> u64 {
        let rounds = 86_400_000 / self.round_ms;
        let statement = mailbox::statement::SignedRound::bytes(1) as u64 + 4;
        let row = (mailbox::statement::ROW_BYTES + mailbox::statement::INDEX_BYTES) as u64;
        let turn = mailbox::frame::turn_bytes(1) as u64 + 13;
        let covers = self.cover.map_or(0, |cover| u64::from(cover.shift()));
        rounds * (turn + statement + 14 + row * (clients + covers))
    }
}

/// A setting is out of its bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("relay.{name} {rule}")]
pub struct ConfigFault {
    /// The setting.
    pub name: &'static str,
    /// Its rule.
    pub rule: &'static str,
}
