//! The simulation that outsiders audit: two worlds which differ in where one cell goes, and what an adversary counts in each round.
//!
//! ```text
//!   Setting ──► Simulation ──┬─► description (simulation.json)
//!                            └─► world A, world B: a Row a round ──► one file a place ──► judge (ours), or anybody's statistics
//! ```
//! The counts are load + covers, and the covers come from [`crate::cover::noise`], the very code a hop runs. What the adversary adds
//! itself it knows, so it is not in the counts. Carrying is left out: a count over M is shown whole, which tells more than a relay
//! would publish.

pub mod description;
pub mod judge;
pub mod statistics;

use crate::budget::law::{Law, epsilon_at};
use crate::budget::plan::{Cascade, Mode, Plan, PlanError, Site};
use crate::budget::{PrivacyBudget, Spending, value};
use crate::cover::decimal::Decimal;
use crate::cover::sample::Stream;
use crate::cover::{self, Cover};
use crate::label;
use crypto::secret::Secret;

/// The fewest rounds: below them no statistic says anything.
pub const ROUNDS_MIN: u64 = 100;
/// The most rounds: a file of ten million lines has some 50 MB.
pub const ROUNDS_MAX: u64 = 10_000_000;
/// The most buckets of a simulation: each is an open file while its world is written.
pub const BUCKETS_MAX: u16 = 256;

/// Real cells besides the target's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Load {
    /// So many per bucket and round.
    Fixed(u64),
    /// Each other client's cell is real with this chance, and then for any bucket alike.
    Binomial(Decimal),
}

/// Where the target's cell goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// To nobody.
    Null,
    /// To somebody of this bucket.
    Bucket(u16),
    /// The target is away: for full mode with covers, which hide presence.
    Offline,
}

/// What the adversary counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum View {
    /// Cells per place as the last hop sees them, less the covers of breached hops; M where the last hop is honest.
    Count,
    /// The published bucket without its fill: every hop's covers are in it, and null is not published.
    Unfilled,
    /// The published bucket: M.
    Published,
}

/// One of the two worlds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum World {
    /// The target's cell goes to `world_a`.
    A,
    /// The target's cell goes to `world_b`.
    B,
}

/// What to simulate.
#[derive(Debug, Clone, PartialEq)]
pub struct Setting {
    /// Rounds of each world.
    pub rounds: u64,
    /// Clients, the target among them.
    pub users: u64,
    /// The relays.
    pub cascade: Cascade,
    /// B.
    pub buckets: u16,
    /// The total that is claimed.
    pub budget: PrivacyBudget,
    /// How it is met.
    pub spending: Spending,
    /// Whether covers are drawn in full mode.
    pub noise_in_full: bool,
    /// The others' cells.
    pub load: Load,
    /// The target's place in world A and in world B.
    pub worlds: [Place; 2],
    /// Hops of the adversary, counted from 1; none: all but hop 1.
    pub breached: Option<Vec<u8>>,
    /// What it counts; none: `count`, with one relay `unfilled`.
    pub view: Option<View>,
    /// Where all randomness comes from.
    pub seed: [u8; 32],
}

/// Why a setting cannot be simulated.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingError {
    /// Rounds out of bounds.
    #[error("{0} rounds are not within {ROUNDS_MIN}..={ROUNDS_MAX}")]
    Rounds(u64),
    /// Buckets out of bounds.
    #[error("{0} buckets are not within 1..={BUCKETS_MAX}")]
    Buckets(u16),
    /// A fixed load of more cells than there are other clients.
    #[error("{cells} real cells a round are more than the {others} other clients send")]
    Load {
        /// Cells of all buckets together.
        cells: u64,
        /// Clients but the target.
        others: u64,
    },
    /// A chance over one.
    #[error("{0} is no chance")]
    Chance(Decimal),
    /// A bucket that does not exist.
    #[error("bucket {0} is not below {1}")]
    Place(u16, u16),
    /// A target that is away, where the covers hide where cells go and not who sends.
    #[error("a target that is offline is hidden in full mode alone")]
    Offline,
    /// A breached hop that does not exist or is named twice.
    #[error("breached hop {hop} is not one of {hops} hops, each named once")]
    Breached {
        /// As named.
        hop: u8,
        /// k.
        hops: u8,
    },
    /// Every hop of a bucketed network breached: it claims nothing then.
    #[error("with every hop breached a bucketed network claims nothing")]
    AllBreached,
    /// The mechanism cannot be chosen.
    #[error(transparent)]
    Plan(#[from] PlanError),
}

/// A checked setting, ready to run.
#[derive(Debug, Clone)]
pub struct Simulation {
    setting: Setting,
    plan: Plan,
    breached: Vec<u8>,
    view: View,
}

/// What the adversary counts in one round.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Per bucket.
    pub buckets: Vec<u64>,
    /// Cells to nobody, where they are seen.
    pub null: u64,
    /// Count at world B's place less count at world A's place.
    pub swap: i64,
}

/// The exact loss of one event at the claim's δ; `None` where no ε up to 40 has that δ.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct EventLoss {
    /// Of one file.
    pub bucket: Option<f64>,
    /// Of the two files that differ, read together.
    pub joint: Option<f64>,
}

impl Simulation {
    /// Checks a setting and chooses its mechanism as a server would.
    ///
    /// # Errors
    /// [`SettingError`] names what does not fit.
    pub fn new(setting: Setting) -> Result<Self, SettingError> {
        if !(ROUNDS_MIN..=ROUNDS_MAX).contains(&setting.rounds) {
            return Err(SettingError::Rounds(setting.rounds));
        }
        if !(1..=BUCKETS_MAX).contains(&setting.buckets) {
            return Err(SettingError::Buckets(setting.buckets));
        }
        let plan = plan_of(&setting)?;
        check_load(&setting)?;
        for place in setting.worlds {
            match place {
                Place::Bucket(bucket) if bucket >= setting.buckets => {
                    return Err(SettingError::Place(bucket, setting.buckets));
                }
                Place::Offline if plan.mode == Mode::Bucketed => return Err(SettingError::Offline),
                Place::Bucket(_) | Place::Null | Place::Offline => {}
            }
        }
        let breached = breached_of(&setting, plan.mode)?;
        let usual = if setting.cascade.nodes() == 1 { View::Unfilled } else { View::Count };
        let view = setting.view.unwrap_or(usual);
        Ok(Self { setting, plan, breached, view })
    }

    /// What was asked for.
    pub fn setting(&self) -> &Setting {
        &self.setting
    }

    /// Mode, M and mechanism.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The adversary's hops.
    pub fn breached(&self) -> &[u8] {
        &self.breached
    }

    /// The adversary's view.
    pub fn view(&self) -> View {
        self.view
    }

    /// Hops whose covers are in the counts.
    pub fn noise_hops(&self) -> usize {
        self.hops_counted().len()
    }

    /// The covers that hops draw, where they draw.
    pub fn cover(&self) -> Option<Cover> {
        self.plan.cover
    }

    /// The rounds of one world.
    pub fn world(&self, world: World) -> impl Iterator<Item = Row> {
        let buckets = self.setting.buckets;
        self.world_with(world, move |seed, cover, _| {
            cover::noise(seed, cover, buckets, 1).pop().expect("one collect round was asked for")
        })
    }

    /// The rounds of one world with other noise than a hop's: what a test of the test puts in its place. It is given the seed, the
    /// mechanism and the load of each place, null last.
    pub fn world_with(
        &self,
        world: World,
        mut noise: impl FnMut(&Secret<[u8; 32]>, &Cover, &[u64]) -> Vec<u32>,
    ) -> impl Iterator<Item = Row> {
        let number = match world {
            World::A => 0_u8,
            World::B => 1,
        };
        let key: Secret<[u8; 32]> = label::expand(&Secret::new(self.setting.seed), &[b"simulate", &[number]]);
        let mut load = Stream::new(label::expand(&key, &[b"load"]));
        let target = self.setting.worlds[usize::from(number)];
        let hops = self.hops_counted();
        (0..self.setting.rounds).map(move |round| {
            let mut counts = self.loads(&mut load, target);
            let real = counts.clone();
            if let Some(cover) = self.plan.cover {
                for hop in &hops {
                    let seed = label::expand(&key, &[b"hop", &round.to_be_bytes(), &[*hop]]);
                    for (count, covers) in counts.iter_mut().zip(noise(&seed, &cover, &real)) {
                        *count += u64::from(covers);
                    }
                }
            }
            self.row(counts)
        })
    }

    /// The law of what a file shows in a world: the file of a bucket, or that of null after the last of them.
    pub fn law(&self, world: World, file: usize) -> Law {
        let target = self.setting.worlds[world as usize];
        if file >= usize::from(self.setting.buckets) && !self.null_is_seen() {
            return Law::constant(0);
        }
        if self.published_only() {
            return Law::constant(self.plan.rows as i64);
        }
        let here = i64::from(self.index(target) == Some(file));
        self.load_law(file).plus(&self.covers_law()).moved(here)
    }

    /// The law of `swap` in a world.
    pub fn swap_law(&self, world: World) -> Law {
        let [a, b] = self.setting.worlds.map(|place| self.seen(place));
        let target = self.index(self.setting.worlds[world as usize]);
        if a == b {
            return Law::constant(0);
        }
        let rows = self.plan.rows as i64;
        if self.published_only() {
            return Law::constant((i64::from(b.is_some()) - i64::from(a.is_some())) * rows);
        }
        let covers = self.covers_law();
        let mut law = self.difference_law(a, b);
        for (place, sign) in [(a, -1), (b, 1)] {
            if place.is_some() {
                let signed = if sign < 0 { covers.negated() } else { covers.clone() };
                law = law.plus(&signed).moved(if place == target { sign } else { 0 });
            }
        }
        law
    }

    /// The exact loss of one event in this view, for an adversary who knows the others' load.
    pub fn event_loss(&self, delta: f64) -> EventLoss {
        let [a, b] = self.setting.worlds.map(|place| self.seen(place));
        if a == b || self.published_only() {
            return EventLoss { bucket: Some(0.0), joint: Some(0.0) };
        }
        let without = self.covers_law();
        let with = without.moved(1);
        let bucket = epsilon_at((&with, &without), None, delta);
        let second = (a.is_some() && b.is_some()).then_some((&without, &with));
        EventLoss { bucket, joint: epsilon_at((&with, &without), second, delta) }
    }

    /// What is claimed of one event: the budget where covers are drawn, and nothing at all to lose in full mode without them.
    pub fn claim(&self) -> (f64, f64) {
        match self.plan.cover {
            Some(_) => (value(self.setting.budget.epsilon()), value(self.setting.budget.delta())),
            None => (0.0, 0.0),
        }
    }

    /// Whether only the constant M is seen.
    pub fn published_only(&self) -> bool {
        let last = self.setting.cascade.hops();
        self.view == View::Published || (self.view == View::Count && !self.breached.contains(&last))
    }

    fn row(&self, mut counts: Vec<u64>) -> Row {
        if self.published_only() {
            counts.fill(self.plan.rows);
        }
        let at = |place| self.seen(place).map_or(0, |index: usize| counts[index] as i64);
        let swap = at(self.setting.worlds[1]) - at(self.setting.worlds[0]);
        let null = counts.pop().unwrap_or_default();
        Row { buckets: counts, null: if self.null_is_seen() { null } else { 0 }, swap }
    }

    /// The count that a place adds to: null cells of full mode are stored in the one bucket.
    fn index(&self, place: Place) -> Option<usize> {
        match place {
            Place::Offline => None,
            Place::Null if self.plan.mode == Mode::Bucketed => Some(usize::from(self.setting.buckets)),
            Place::Null => Some(0),
            Place::Bucket(bucket) => Some(usize::from(bucket)),
        }
    }

    /// The file that a place adds to, as [`Self::index`], where the adversary sees it.
    pub(crate) fn seen(&self, place: Place) -> Option<usize> {
        self.index(place).filter(|index| *index < usize::from(self.setting.buckets) || self.null_is_seen())
    }

    fn null_is_seen(&self) -> bool {
        self.plan.mode == Mode::Bucketed && self.view == View::Count && !self.published_only()
    }

    /// The hops whose covers are in the counts, by number.
    fn hops_counted(&self) -> Vec<u8> {
        let all = 1..=self.setting.cascade.hops();
        if self.plan.cover.is_none() || self.published_only() {
            return Vec::new();
        }
        match self.view {
            View::Count => all.filter(|hop| !self.breached.contains(hop)).collect(),
            View::Unfilled | View::Published => all.collect(),
        }
    }

    /// Real cells of a round by place, null last, the target's among them.
    fn loads(&self, stream: &mut Stream, target: Place) -> Vec<u64> {
        let buckets = usize::from(self.setting.buckets);
        let mut counts = vec![0; buckets + 1];
        let others = self.setting.users - 1;
        match (self.plan.mode, self.setting.load) {
            (Mode::Full, _) => counts[0] = others,
            (Mode::Bucketed, Load::Fixed(cells)) => {
                counts[..buckets].fill(cells);
                counts[buckets] = others - cells * buckets as u64;
            }
            (Mode::Bucketed, Load::Binomial(chance)) => {
                let chance = chance.ratio();
                let real = stream.successes(others, chance.num.into(), chance.den.into());
                for _ in 0..real {
                    counts[stream.below(buckets as u128) as usize] += 1;
                }
                counts[buckets] = others - real;
            }
        }
        if let Some(index) = self.index(target) {
            counts[index] += 1;
        }
        counts
    }

    fn load_law(&self, index: usize) -> Law {
        let (buckets, others) = (u64::from(self.setting.buckets), self.setting.users - 1);
        match (self.plan.mode, self.setting.load) {
            (Mode::Full, _) => Law::constant(if index == 0 { others as i64 } else { 0 }),
            (Mode::Bucketed, Load::Fixed(cells)) if index < usize::from(self.setting.buckets) => {
                Law::constant(cells as i64)
            }
            (Mode::Bucketed, Load::Fixed(cells)) => Law::constant((others - cells * buckets) as i64),
            (Mode::Bucketed, Load::Binomial(_)) => Law::binomial(others, self.chance(index)),
        }
    }

    /// The law of real cells at place b less those at place a, the target left out.
    fn difference_law(&self, a: Option<usize>, b: Option<usize>) -> Law {
        match (self.plan.mode, self.setting.load, a, b) {
            (Mode::Bucketed, Load::Binomial(_), Some(a), Some(b)) => {
                Law::steps(self.setting.users - 1, self.chance(a), self.chance(b))
            }
            (_, _, a, b) => {
                let of = |place: Option<usize>| {
                    place.map_or_else(|| Law::constant(0), |index| self.load_law(index))
                };
                of(b).plus(&of(a).negated())
            }
        }
    }

    /// The chance that another client's cell goes to a place.
    fn chance(&self, index: usize) -> f64 {
        let Load::Binomial(chance) = self.setting.load else { return 0.0 };
        let chance = value(chance);
        if index < usize::from(self.setting.buckets) {
            chance / f64::from(self.setting.buckets)
        } else {
            1.0 - chance
        }
    }

    fn covers_law(&self) -> Law {
        self.plan
            .cover
            .map_or_else(|| Law::constant(0), |cover| Law::covers_of_hops(&cover, self.noise_hops()))
    }
}

fn plan_of(setting: &Setting) -> Result<Plan, PlanError> {
    let site = Site {
        cascade: setting.cascade,
        users: setting.users,
        server_turns: 0,
        activity: ACTIVITY,
        round_ms: ROUND_MS,
        buckets: Some(setting.buckets),
        noise_in_full: setting.noise_in_full,
    };
    Plan::new(site, &setting.budget, setting.spending)
}

/// The share of active clients that M is made for, as a server's default.
const ACTIVITY: f64 = 0.5;
/// No count depends on how long a round is.
const ROUND_MS: u64 = 60_000;

fn check_load(setting: &Setting) -> Result<(), SettingError> {
    let others = setting.users - 1;
    match setting.load {
        Load::Binomial(chance)
            if !chance.is_zero() && !chance.is_below(1, 1) && chance != Decimal::whole(1) =>
        {
            Err(SettingError::Chance(chance))
        }
        Load::Fixed(cells) => match cells.checked_mul(u64::from(setting.buckets)) {
            Some(cells) if cells <= others => Ok(()),
            all => Err(SettingError::Load { cells: all.unwrap_or(u64::MAX), others }),
        },
        Load::Binomial(_) => Ok(()),
    }
}

fn breached_of(setting: &Setting, mode: Mode) -> Result<Vec<u8>, SettingError> {
    let hops = setting.cascade.hops();
    let mut breached = setting.breached.clone().unwrap_or_else(|| (2..=hops).collect());
    breached.sort_unstable();
    for (at, hop) in breached.iter().copied().enumerate() {
        if hop == 0 || hop > hops || breached.get(at + 1) == Some(&hop) {
            return Err(SettingError::Breached { hop, hops });
        }
    }
    if mode == Mode::Bucketed && breached.len() == usize::from(hops) {
        return Err(SettingError::AllBreached);
    }
    Ok(breached)
}
