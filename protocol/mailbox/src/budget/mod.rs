//! The privacy budget: from (ε, δ, T) to a mechanism and back, exactly where a sum can be exact and by Rényi's account where events add
//! up.
//!
//! ```text
//!   (ε, δ, T) ──► σ² or ε_b ──► shift c ──► Cover ──┬─► account: what 1, 10, … 10,000 events add up to
//!                                                   ├─► law: exact (ε, δ) of one event, for one count and for the pair
//!                                                   └─► plan: mode, B, M, bytes, cells, disk
//! ```
//! A *protected event* is one real cell. Adjacency is substitution: the cell goes to one place in one world and to another in the
//! other, so two counts change by one each. In full mode only one client's presence is left to hide: one count changes.
//!
//! Floats stand here and never in [`crate::cover`]: they choose public parameters, which a manifest then states as integers.

pub mod account;
pub mod law;
pub mod plan;

use crate::cover::decimal::Decimal;
use crate::cover::{Cover, CoverError, Mechanism, SHIFT_MAX, SIGMA2_MAX};
use law::Law;

/// The most events a budget may be stated for: a cell a second for thirty years.
pub const EVENTS_MAX: u64 = 1_000_000_000;

/// δ must be below one in a thousand: a δ of 1/n lets a mechanism betray one member of n outright.
const DELTA_LIMIT: (u64, u64) = (1, 1000);

/// A stated total: ε and δ over this many protected events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PrivacyBudget {
    epsilon: Decimal,
    delta: Decimal,
    events: u64,
}

/// How a budget is met.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spending {
    /// ε and δ are a total over all events: discrete Gaussian.
    Total,
    /// ε and δ are spent by every event (the alias of the command line): discrete Laplace.
    PerEvent,
}

/// What changes between two worlds that must look alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Adjacency {
    /// A cell goes elsewhere: two counts move by one.
    Substitution,
    /// A client is there or not: one count moves by one.
    OneCount,
}

/// Why a budget cannot be met. Each names the figure that is wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BudgetError {
    /// ε ≤ 0.
    #[error("epsilon is 0")]
    EpsilonZero,
    /// δ ≤ 0.
    #[error("delta is 0")]
    DeltaZero,
    /// δ ≥ 1e-3.
    #[error("delta {0} is not below 1e-3")]
    DeltaTooLarge(Decimal),
    /// T = 0, or more than anybody sends.
    #[error("{0} events are not within 1..={EVENTS_MAX}")]
    Events(u64),
    /// The shift would be over its bound.
    #[error("the shift would be over {SHIFT_MAX} covers a bucket, hop and round")]
    Shift,
    /// The mechanism is out of its bounds otherwise.
    #[error(transparent)]
    Cover(CoverError),
}

impl PrivacyBudget {
    /// A budget within its bounds.
    ///
    /// # Errors
    /// [`BudgetError`] names the figure.
    pub fn new(epsilon: Decimal, delta: Decimal, events: u64) -> Result<Self, BudgetError> {
        if epsilon.is_zero() {
            return Err(BudgetError::EpsilonZero);
        }
        if delta.is_zero() {
            return Err(BudgetError::DeltaZero);
        }
        if !delta.is_below(DELTA_LIMIT.0, DELTA_LIMIT.1) {
            return Err(BudgetError::DeltaTooLarge(delta));
        }
        if !(1..=EVENTS_MAX).contains(&events) {
            return Err(BudgetError::Events(events));
        }
        Ok(Self { epsilon, delta, events })
    }

    /// ε.
    pub fn epsilon(&self) -> Decimal {
        self.epsilon
    }

    /// δ.
    pub fn delta(&self) -> Decimal {
        self.delta
    }

    /// T.
    pub fn events(&self) -> u64 {
        self.events
    }

    /// The mechanism that meets this budget.
    ///
    /// # Errors
    /// [`BudgetError::Shift`] where it would take more covers than the bound.
    pub fn cover(&self, spending: Spending, adjacency: Adjacency) -> Result<Cover, BudgetError> {
        match spending {
            Spending::Total => gaussian(value(self.epsilon), value(self.delta), self.events, adjacency),
            Spending::PerEvent => laplace(self.epsilon, value(self.delta), adjacency),
        }
    }
}

/// The nearest float of a decimal.
pub fn value(decimal: Decimal) -> f64 {
    decimal.to_string().parse().expect("a decimal prints as a number")
}

/// The discrete Gaussian for a total: σ² is the least integer with ε_T(δ/2) ≤ ε, c the least with a clamp that costs at most δ/2.
///
/// # Errors
/// [`BudgetError::Shift`] where c would be over its bound.
pub fn gaussian(epsilon: f64, delta: f64, events: u64, adjacency: Adjacency) -> Result<Cover, BudgetError> {
    let fits = |sigma2: u64| {
        account::epsilon(&Mechanism::Gaussian { sigma2 }, adjacency, events, delta / 2.0) <= epsilon
    };
    let sigma2 = least(1, SIGMA2_MAX, fits).ok_or(BudgetError::Shift)?;
    // The shift is several times σ, so a σ over the bound needs no tail to be summed.
    if sigma2.isqrt() > u64::from(SHIFT_MAX) {
        return Err(BudgetError::Shift);
    }
    let tails = Law::noise(&Mechanism::Gaussian { sigma2 }).lower_tails();
    let clamp = |c: u64| clamp_of(&tails, c, adjacency) * events as f64;
    let shift = least(1, u64::from(SHIFT_MAX), |c| clamp(c) <= delta / 2.0).ok_or(BudgetError::Shift)?;
    Cover::new(Mechanism::Gaussian { sigma2 }, shift).map_err(BudgetError::Cover)
}

/// The discrete Laplace for one event: ε_b = ε/2 for two counts, ε for one; c in closed form.
///
/// # Errors
/// [`BudgetError::Shift`] where c would be over its bound.
pub fn laplace(epsilon: Decimal, delta: f64, adjacency: Adjacency) -> Result<Cover, BudgetError> {
    let (parts, counts) = match adjacency {
        Adjacency::Substitution => (2, 2.0),
        Adjacency::OneCount => (1, 1.0),
    };
    let epsilon_b = epsilon.divided(parts);
    let rate = epsilon_b.num as f64 / epsilon_b.den as f64;
    let shift = ((counts / (delta * (1.0 + (-rate).exp()))).ln() / rate).ceil().max(1.0);
    if shift > f64::from(SHIFT_MAX) {
        return Err(BudgetError::Shift);
    }
    Cover::new(Mechanism::Laplace { epsilon_b }, shift as u64).map_err(BudgetError::Cover)
}

/// What the clamp at zero adds to δ with every event: outside these outcomes it changes nothing.
pub fn clamp(cover: &Cover, adjacency: Adjacency) -> f64 {
    clamp_of(&Law::noise(&cover.mechanism()).lower_tails(), u64::from(cover.shift()), adjacency)
}

/// P(K ≤ −c) + P(K ≤ 1 − c) for two counts, P(K ≤ 1 − c) for one, where `tails[i]` = P(K ≤ −i) and −0 is counted whole.
fn clamp_of(tails: &[f64], c: u64, adjacency: Adjacency) -> f64 {
    let tail = |at: u64| usize::try_from(at).ok().and_then(|at| tails.get(at)).copied().unwrap_or(0.0);
    let above = if c == 0 { 1.0 } else { tail(c - 1) };
    match adjacency {
        Adjacency::Substitution => tail(c) + above,
        Adjacency::OneCount => above,
    }
}

/// The least number of a range for which a monotone condition holds.
fn least(from: u64, to: u64, holds: impl Fn(u64) -> bool) -> Option<u64> {
    let (mut low, mut high) = (from, from);
    while !holds(high) {
        if high == to {
            return None;
        }
        low = high + 1;
        high = high.saturating_mul(2).min(to);
    }
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(middle) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    Some(low)
}
