//! How the network stands, for its operators: what it promises, what its last rounds kept of that, and what it does not protect.

use crate::{Relay, store};
use ::store::{Ctx, StoreFault};
use mailbox::budget::Adjacency;
use mailbox::budget::account::composed;
use mailbox::cover::{Cover, Mechanism as Law, Ratio};
use mailbox::network::{Class, ClassRule, Mechanism, Mode, Tokens};
use mailbox::statement::SignedRound;

/// What no relay of ours protects, whatever its set-up.
pub const NOT_PROTECTED: [&str; 12] = [
    "online and away patterns (intersection over time)",
    "number of members and of clients online",
    "a contact who tells",
    "an operator of every hop of a bucketed network",
    "denial of service",
    "catch-up after absence",
    "the moment of a direct push",
    "metadata recorded today against a quantum computer",
    "traffic beyond T events",
    "several devices per member (one wallet, one device)",
    "groups (pairwise copies only)",
    "Budgets are per member and only as true as the client.",
];

/// Rounds that one look takes: a day of rounds of a minute.
pub const ROUNDS_LOOKED_MAX: usize = 1_440;
/// Rounds for which it is said what a client's presence in each adds up to.
const PRESENCE_ROUNDS: [u64; 3] = [10, 100, 1_000];
/// δ at which that is said.
const PRESENCE_DELTA: f64 = 1e-6;

/// What the last rounds kept of the promise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LastRounds {
    /// Rounds that were looked at.
    pub looked: u64,
    /// Statements among them that do not read, or with less noise than the manifest says.
    pub fell_short: u64,
    /// Rounds between the first and the last of them that never happened: the relay did not run.
    pub missed: u64,
}

/// A total of (ε, δ).
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spent {
    /// Protected events, or rounds.
    pub events: u64,
    /// ε.
    pub epsilon: f64,
    /// δ.
    pub delta: f64,
}

/// How the network stands.
#[derive(Clone, Debug, PartialEq)]
pub struct Standing {
    /// SHA-256 of the first manifest, hexadecimal.
    pub network: String,
    /// Whether this is a development network.
    pub dev: bool,
    /// Whether a cell costs a token.
    pub has_tokens: bool,
    /// What holds against whom, in words.
    pub guarantee: String,
    /// Whether every bucket is stored in full: then whether a cell is real does not show.
    pub is_full: bool,
    /// The noise that hops add, in words.
    pub mechanism: String,
    /// `ring` or `mesh`.
    pub topology: &'static str,
    /// Hops of a cascade.
    pub hops: u32,
    /// Distinct operators.
    pub trust_domains: usize,
    /// Length of a round.
    pub round_ms: u64,
    /// Rounds that were published and are kept.
    pub rounds_published: u64,
    /// What the last of them kept.
    pub last: LastRounds,
    /// Links that are open now.
    pub links_open: usize,
    /// Members; `None` for whoever is not of the network's tenant.
    pub members: Option<u64>,
    /// The promised total; ε = 0 over any number of events in full mode.
    pub limit: Spent,
    /// What the declared events add up to with the mechanism.
    pub spent: Spent,
    /// In full mode with covers: what a client's presence in so many rounds adds up to.
    pub presence: Vec<Spent>,
}

impl Standing {
    /// Whether the composed total stays within the promise, and no round that was looked at fell short of it.
    pub fn is_kept(&self) -> bool {
        self.spent.epsilon <= self.limit.epsilon
            && self.spent.delta <= self.limit.delta
            && self.last.fell_short == 0
    }
}

impl Relay {
    /// How the network stands; `None` while none is open here.
    ///
    /// # Errors
    /// [`StoreFault`].
    pub async fn standing(&self, ctx: &Ctx) -> Result<Option<Standing>, StoreFault> {
        let Some(live) = self.live() else { return Ok(None) };
        let manifest = live.manifest.manifest();
        let Some(rule) = manifest.class(Class::Normal) else { return Ok(None) };
        let members = match live.tenant == ctx.tenant {
            true => Some(store::members_count(self.store(), ctx).await?),
            false => None,
        };
        let number = |text: &str| text.parse::<f64>().unwrap_or(0.0);
        let (epsilon, delta) = (number(&manifest.claim.epsilon), number(&manifest.claim.delta));
        let limit = Spent { events: manifest.claim.events, epsilon, delta };
        Ok(Some(Standing {
            network: live.manifest.network().to_string(),
            dev: manifest.dev,
            has_tokens: manifest.tokens == Tokens::Required,
            guarantee: manifest.guarantee.clone(),
            is_full: rule.mode == Mode::Full,
            mechanism: words(&rule.mechanism),
            topology: manifest.topology.as_str(),
            hops: manifest.k,
            trust_domains: manifest.trust_domains(),
            round_ms: rule.round_ms,
            rounds_published: self.rounds_published(ctx).await?,
            last: self.last_rounds(ctx, rule).await?,
            links_open: self.links_open(),
            members,
            limit,
            spent: spent(rule, limit),
            presence: presence(rule),
        }))
    }

    async fn last_rounds(&self, ctx: &Ctx, rule: &ClassRule) -> Result<LastRounds, StoreFault> {
        let ctx = &self.inside(ctx);
        let rows = store::last_rounds(self.store(), ctx, Class::Normal, ROUNDS_LOOKED_MAX).await?;
        let promised = line(&rule.mechanism);
        let short = |row: &&store::RoundRow| {
            SignedRound::parse(&row.statement).map_or(true, |signed| {
                let found = signed.unverified().mechanism;
                (found.kind, found.num, found.den, found.shift) != promised
            })
        };
        let looked = rows.len() as u64;
        let first = rows.iter().map(|row| row.round).min().unwrap_or(0);
        let last = rows.iter().map(|row| row.round).max().unwrap_or(0);
        let span = if looked == 0 { 0 } else { last - first + 1 };
        let fell_short = rows.iter().filter(short).count() as u64;
        Ok(LastRounds { looked, fell_short, missed: span.saturating_sub(looked) })
    }
}

/// What the declared events add up to: nothing in full mode, where no count depends on a message.
fn spent(rule: &ClassRule, limit: Spent) -> Spent {
    match (rule.mode, cover(&rule.mechanism)) {
        (Mode::Full, _) => Spent { events: limit.events, epsilon: 0.0, delta: 0.0 },
        (Mode::Bucketed, Some(cover)) => {
            let (epsilon, delta) = composed(&cover, Adjacency::Substitution, limit.events, limit.delta);
            Spent { events: limit.events, epsilon, delta }
        }
        (Mode::Bucketed, None) => Spent { events: limit.events, epsilon: f64::INFINITY, delta: 1.0 },
    }
}

fn presence(rule: &ClassRule) -> Vec<Spent> {
    let Some(cover) = cover(&rule.mechanism).filter(|_| rule.mode == Mode::Full) else { return Vec::new() };
    let at = |events| {
        let (epsilon, delta) = composed(&cover, Adjacency::OneCount, events, PRESENCE_DELTA);
        Spent { events, epsilon, delta }
    };
    PRESENCE_ROUNDS.map(at).to_vec()
}

fn cover(mechanism: &Mechanism) -> Option<Cover> {
    match mechanism {
        Mechanism::None => None,
        Mechanism::Gaussian { sigma2, shift } => {
            Cover::new(Law::Gaussian { sigma2: *sigma2 }, u64::from(*shift)).ok()
        }
        Mechanism::Laplace { num, den, shift } => {
            Cover::new(Law::Laplace { epsilon_b: Ratio { num: *num, den: *den } }, u64::from(*shift)).ok()
        }
    }
}

/// The mechanism as a round's statement says it.
fn line(mechanism: &Mechanism) -> (u8, u64, u64, u32) {
    match mechanism {
        Mechanism::None => (0, 0, 0, 0),
        Mechanism::Gaussian { sigma2, shift } => (1, *sigma2, 1, *shift),
        Mechanism::Laplace { num, den, shift } => (2, *num, *den, *shift),
    }
}

fn words(mechanism: &Mechanism) -> String {
    match mechanism {
        Mechanism::None => "none".to_owned(),
        Mechanism::Gaussian { sigma2, shift } => {
            format!("discrete Gaussian, variance {sigma2}, shift {shift}")
        }
        Mechanism::Laplace { num, den, shift } => {
            format!("discrete Laplace, epsilon {num}/{den} each, shift {shift}")
        }
    }
}
