//! The Rényi account: what many events add up to. Costs of one order add, also when each event is chosen by what was seen before.

use super::{Adjacency, clamp};
use crate::cover::{Cover, Mechanism};

/// Where the best order is looked for, as ln(α − 1): from nearly 1 to beyond any order that a budget of 10⁹ events uses.
const ORDERS: (f64, f64) = (-12.0, 28.0);

/// Steps of the coarse search, which finds the valley, and of the fine one, which ends below 10⁻¹².
const STEPS: (u32, u32) = (80, 60);

/// What one event costs at the order α.
pub fn cost(mechanism: &Mechanism, adjacency: Adjacency, alpha: f64) -> f64 {
    let counts = match adjacency {
        Adjacency::Substitution => 2.0,
        Adjacency::OneCount => 1.0,
    };
    counts
        * match mechanism {
            Mechanism::Gaussian { sigma2 } => alpha / (2.0 * *sigma2 as f64),
            Mechanism::Laplace { epsilon_b } => {
                // ln((q^(1−α) + q^α)/(1 + q))/(α − 1), q = e^(−ε_b), with q^(1−α) taken out before it overflows.
                let rate = epsilon_b.num as f64 / epsilon_b.den as f64;
                let rest = (-rate * (2.0 * alpha - 1.0)).exp().ln_1p() - (-rate).exp().ln_1p();
                rate + rest / (alpha - 1.0)
            }
        }
}

/// ε at δ of `events` events, without the clamp: min over α > 1 of T·cost(α) + ln(1 − 1/α) − ln(δ·α)/(α − 1); for the Laplace law
/// at most what the events add up to one by one, which costs no δ.
pub fn epsilon(mechanism: &Mechanism, adjacency: Adjacency, events: u64, delta: f64) -> f64 {
    let at = |order: f64| {
        let alpha = 1.0 + order.exp();
        events as f64 * cost(mechanism, adjacency, alpha) + (-1.0 / alpha).ln_1p()
            - (delta * alpha).ln() / (alpha - 1.0)
    };
    let width = (ORDERS.1 - ORDERS.0) / f64::from(STEPS.0);
    let order = |step: u32| ORDERS.0 + f64::from(step) * width;
    let best = (0..=STEPS.0).min_by(|a, b| at(order(*a)).total_cmp(&at(order(*b)))).unwrap_or(0);
    let found = valley(at, order(best) - width, order(best) + width).max(0.0);
    match mechanism {
        Mechanism::Gaussian { .. } => found,
        Mechanism::Laplace { epsilon_b } => {
            let counts = if adjacency == Adjacency::Substitution { 2.0 } else { 1.0 };
            found.min(events as f64 * counts * epsilon_b.num as f64 / epsilon_b.den as f64)
        }
    }
}

/// (ε, δ) that `events` events add up to with this mechanism: the account at `delta`, and the clamp of every event on top.
pub fn composed(cover: &Cover, adjacency: Adjacency, events: u64, delta: f64) -> (f64, f64) {
    let clamped = events as f64 * clamp(cover, adjacency);
    (epsilon(&cover.mechanism(), adjacency, events, delta), delta + clamped)
}

/// The lowest value of a function with one valley, by golden sections.
fn valley(at: impl Fn(f64) -> f64, mut low: f64, mut high: f64) -> f64 {
    let golden = (5.0_f64.sqrt() - 1.0) / 2.0;
    for _ in 0..STEPS.1 {
        let (left, right) = (high - golden * (high - low), low + golden * (high - low));
        if at(left) < at(right) {
            high = right;
        } else {
            low = left;
        }
    }
    at((low + high) / 2.0)
}
