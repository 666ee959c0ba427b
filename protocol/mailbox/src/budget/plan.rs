//! The plan of a network: from declared figures, never from live counts, to its mode, its buckets and what they cost.

use super::{Adjacency, BudgetError, PrivacyBudget, Spending};
use crate::cover::{Cover, Mechanism};

/// The most hops of a cascade: an onion's layers, and its length, are public.
pub const HOPS_MAX: u8 = 7;

/// The most buckets of a class: a bucket number has two bytes and null one value of them; beyond 4,096 a round's statement work rules.
pub const BUCKETS_MAX: u16 = 4_096;

/// The most clients that a plan is made for: cells of a round are bounded by 2²⁰, and a plan may look somewhat further.
pub const USERS_MAX: u64 = 10_000_000;

/// The fewest readers of a bucket, on average.
const READERS_MIN: u64 = 100;

/// Bytes of a cell.
const CELL_BYTES: u64 = 512;

/// Rounds of one window, from which a client fetches one row.
const WINDOW_ROUNDS: u64 = 4;

/// Who takes part in a cascade.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topology {
    /// All relays in turn.
    Ring,
    /// Some relays in turn, the others stand by.
    Mesh,
}

/// Relays, and how many of them every cell passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cascade {
    nodes: u8,
    hops: u8,
    topology: Topology,
}

/// What a site declares about itself.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Site {
    /// The relays.
    pub cascade: Cascade,
    /// `clients_max`.
    pub users: u64,
    /// TURNs a round of server clients, beyond one a client.
    pub server_turns: u64,
    /// The share of clients that send a real cell in a busy round.
    pub activity: f64,
    /// The length of a round.
    pub round_ms: u64,
    /// How many buckets; none: by the rule.
    pub buckets: Option<u16>,
    /// Whether covers are drawn in full mode too.
    pub noise_in_full: bool,
}

/// How cells are published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// One bucket with null cells in it: whether a cell is real is in nobody's view.
    Full,
    /// Many buckets, with covers in each.
    Bucketed,
}

/// A plan: what is drawn, what is published, what it costs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plan {
    /// For whom.
    pub site: Site,
    /// Full or bucketed.
    pub mode: Mode,
    /// B.
    pub buckets: u16,
    /// M, the public size of a published bucket.
    pub rows: u64,
    /// What hops draw, where they draw.
    pub cover: Option<Cover>,
    /// What the covers hide.
    pub adjacency: Adjacency,
}

/// Why a plan cannot be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// More hops than relays, than [`HOPS_MAX`], or none.
    #[error("{hops} hops of {nodes} relays are not within 1..={}", (*.nodes).min(HOPS_MAX))]
    Hops {
        /// As asked for.
        hops: u8,
        /// As given.
        nodes: u8,
    },
    /// One relay with buckets: live, it would see which bucket a sender wrote to.
    #[error("one relay with {0} buckets would see sender and bucket together")]
    BucketsOfOne(u16),
    /// B outside 1..=[`BUCKETS_MAX`].
    #[error("{0} buckets are not within 1..={BUCKETS_MAX}")]
    Buckets(u16),
    /// Clients outside 1..=[`USERS_MAX`].
    #[error("{0} clients are not within 1..={USERS_MAX}")]
    Users(u64),
    /// The budget cannot be met.
    #[error(transparent)]
    Budget(#[from] BudgetError),
}

impl Cascade {
    /// A cascade; `hops` as by the topology where none are named.
    ///
    /// # Errors
    /// [`PlanError::Hops`].
    pub fn new(nodes: u8, topology: Topology, hops: Option<u8>) -> Result<Self, PlanError> {
        let usual = match topology {
            Topology::Ring => nodes,
            Topology::Mesh => nodes.saturating_sub(1) / 2 + 1,
        };
        let hops = hops.unwrap_or(usual);
        if hops == 0 || hops > nodes || hops > HOPS_MAX {
            return Err(PlanError::Hops { hops, nodes });
        }
        let topology = if hops == nodes { Topology::Ring } else { Topology::Mesh };
        Ok(Self { nodes, hops, topology })
    }

    /// N.
    pub fn nodes(&self) -> u8 {
        self.nodes
    }

    /// k.
    pub fn hops(&self) -> u8 {
        self.hops
    }

    /// K = N is the ring, whatever it was called.
    pub fn topology(&self) -> Topology {
        self.topology
    }

    /// What the set-up holds against and what not, in one line.
    pub fn guarantee(&self) -> String {
        let (n, k) = (self.nodes, self.hops);
        match (n, self.topology) {
            (1, _) => "one relay: holds against the relay, also live, and its disk (epsilon 0); not against who is online, \
                       from where"
                .to_owned(),
            (_, Topology::Ring) => {
                format!("ring of {n}: holds against any {} breached; with one relay down it stalls", n - 1)
            }
            (_, Topology::Mesh) => format!(
                "mesh of {n}, {k} in turn: holds against any {} breached, with certainty, and {} down; not against {k} breached",
                k - 1,
                n - k
            ),
        }
    }
}

impl Plan {
    /// Chooses mode, B and M for a budget.
    ///
    /// # Errors
    /// [`PlanError`] names the figure that does not fit.
    pub fn new(site: Site, budget: &PrivacyBudget, spending: Spending) -> Result<Self, PlanError> {
        if !(1..=USERS_MAX).contains(&site.users) {
            return Err(PlanError::Users(site.users));
        }
        let bucketed = budget.cover(spending, Adjacency::Substitution)?;
        let buckets = buckets(&site, bucketed.shift())?;
        if buckets > 1 {
            let rows = rows_bucketed(&site, buckets, &bucketed);
            let adjacency = Adjacency::Substitution;
            return Ok(Self { site, mode: Mode::Bucketed, buckets, rows, cover: Some(bucketed), adjacency });
        }
        let adjacency = Adjacency::OneCount;
        let cover = if site.noise_in_full { Some(budget.cover(spending, adjacency)?) } else { None };
        let rows = rows_full(&site, cover.as_ref());
        Ok(Self { site, mode: Mode::Full, buckets, rows, cover, adjacency })
    }

    /// Rounds of a day.
    pub fn rounds_per_day(&self) -> f64 {
        86_400_000.0 / self.site.round_ms as f64
    }

    /// Bytes that one client sends and receives in a round, on the wire.
    pub fn client_bytes_per_round(&self) -> u64 {
        let k = u64::from(self.site.cascade.hops);
        let whole = k == 1;
        let (fetch_up, fetch_down) = if whole {
            (0, 0)
        } else {
            (
                (WINDOW_ROUNDS * self.rows).div_ceil(8) + (k - 1) * (32 + 32),
                CELL_BYTES + (k - 1) * (16 + CELL_BYTES),
            )
        };
        let turn = FRAME_BYTES + 8 + TOKEN_BYTES + ONION_BYTES + 48 * k + 2 + fetch_up;
        let turned = FRAME_BYTES + 8 + 1 + fetch_down;
        let path = 32 * u64::from(u16::BITS - (self.buckets - 1).leading_zeros());
        let round = FRAME_BYTES + STATEMENT_BYTES + k * (STATEMENT_HOP_BYTES + 64) + 4 * self.rows + path;
        // One relay publishes exactly the cells it took.
        let bucket = if whole { FRAME_BYTES + 8 + 2 + CELL_BYTES * self.cells_in() } else { 0 };
        on_wire(turn, true) + on_wire(turned, false) + on_wire(round, false) + on_wire(bucket, false)
    }

    /// Bytes of one client in a day, online all day.
    pub fn client_bytes_per_day(&self) -> f64 {
        self.client_bytes_per_round() as f64 * self.rounds_per_day()
    }

    /// Cells that leave the last hop's shuffle in a second, its own covers among them.
    pub fn last_hop_cells_per_s(&self) -> f64 {
        let covers = self.cover.map_or(0, |cover| {
            let places = u64::from(self.buckets) + 1;
            u64::from(self.site.cascade.hops) * places * u64::from(cover.shift())
        });
        (self.cells_in() + covers) as f64 * 1000.0 / self.site.round_ms as f64
    }

    /// Bytes that a relay keeps of a day's rounds.
    pub fn disk_bytes_per_day(&self) -> f64 {
        let rows =
            if self.site.cascade.hops == 1 { self.cells_in() } else { u64::from(self.buckets) * self.rows };
        (rows * CELL_BYTES) as f64 * self.rounds_per_day()
    }

    /// Bytes a second that a hop reads to answer every client's fetch: half the rows of a window; none with one relay.
    pub fn fetch_bytes_per_s(&self) -> f64 {
        if self.site.cascade.hops == 1 {
            return 0.0;
        }
        let read = self.site.users * WINDOW_ROUNDS * self.rows * CELL_BYTES;
        read as f64 / 2.0 * 1000.0 / self.site.round_ms as f64
    }

    fn cells_in(&self) -> u64 {
        self.site.users + self.site.server_turns
    }
}

/// Type, class and number of a frame.
const FRAME_BYTES: u64 = 4;
/// A spent token.
const TOKEN_BYTES: u64 = 48;
/// An onion without its layers.
const ONION_BYTES: u64 = 514;
/// A round statement without its hops.
const STATEMENT_BYTES: u64 = 32 + 1 + 4 + 2 + 8 + 8 + 1 + 21 + 2 + 4 + 32;
/// What a statement says of a hop.
const STATEMENT_HOP_BYTES: u64 = 1 + 4 + 4 + 4 + 32 + 32 + 32 + 32;

/// A frame as it travels: WebSocket header (RFC 6455, 5.2), TLS 1.3 records of at most 16 KiB with 22 bytes each (RFC 8446, 5.2), TCP
/// over IPv4 with time stamps (52 bytes a segment of 1,448) and an acknowledgement for every second segment.
fn on_wire(frame: u64, from_client: bool) -> u64 {
    if frame == 0 {
        return 0;
    }
    let length = match frame {
        0..126 => 0,
        126..65_536 => 2,
        _ => 8,
    };
    let message = frame + 2 + length + if from_client { 4 } else { 0 };
    let records = message + 22 * message.div_ceil(16_384);
    let segments = records.div_ceil(1_448);
    records + 52 * segments + 52 * segments.div_ceil(2)
}

/// B: one where null cells are cheaper than covers, else as many as activity and covers balance, with enough readers in each.
fn buckets(site: &Site, shift: u32) -> Result<u16, PlanError> {
    let hops = u64::from(site.cascade.hops);
    match site.buckets {
        Some(named) if named == 0 || named > BUCKETS_MAX => return Err(PlanError::Buckets(named)),
        Some(named) if named > 1 && hops == 1 => return Err(PlanError::BucketsOfOne(named)),
        Some(named) => return Ok(named),
        None => {}
    }
    let covers = hops * u64::from(shift);
    let most = (site.users / READERS_MIN).min(u64::from(BUCKETS_MAX));
    if hops == 1 || site.users <= 2 * covers || most < 2 {
        return Ok(1);
    }
    let balanced = (4.0 * site.activity * site.users as f64 / covers as f64).floor() as u64;
    Ok(u16::try_from(balanced.clamp(2, most)).unwrap_or(BUCKETS_MAX))
}

/// M in bucketed mode: k·c + L + 6√L + 6σ√k, rounded up once.
fn rows_bucketed(site: &Site, buckets: u16, cover: &Cover) -> u64 {
    let load = site.activity * site.users as f64 / f64::from(buckets);
    (noise_rows(site, cover) + load + 6.0 * load.sqrt()).ceil() as u64
}

/// M in full mode: a tenth over the clients, in whole numbers, and the covers where they are drawn.
fn rows_full(site: &Site, cover: Option<&Cover>) -> u64 {
    let clients = (11 * (site.users + site.server_turns)).div_ceil(10);
    clients + cover.map_or(0, |cover| noise_rows(site, cover).ceil() as u64)
}

/// k·c + 6σ√k.
fn noise_rows(site: &Site, cover: &Cover) -> f64 {
    let hops = f64::from(site.cascade.hops);
    hops * f64::from(cover.shift()) + 6.0 * (variance(&cover.mechanism()) * hops).sqrt()
}

/// σ² of the law: by its parameter, or 2q/(1 − q)².
pub fn variance(mechanism: &Mechanism) -> f64 {
    match mechanism {
        Mechanism::Gaussian { sigma2 } => *sigma2 as f64,
        Mechanism::Laplace { epsilon_b } => {
            let q = (-(epsilon_b.num as f64) / epsilon_b.den as f64).exp();
            2.0 * q / (1.0 - q).powi(2)
        }
    }
}
