//! Laws of counts as finite tables, and the exact privacy loss between two of them (the hockey-stick divergence).

use crate::cover::{Cover, Mechanism};

/// How many standard deviations a Gaussian table holds: what is left out is below e^(−98).
const GAUSSIAN_REACH: f64 = 14.0;

/// How many multiples of 1/ε_b a Laplace table holds: what is left out is below e^(−98) too.
const LAPLACE_REACH: f64 = 98.0;

/// The largest loss that is looked for; more than e^40 to 1 protects nobody.
const EPSILON_LOSS_MAX: f64 = 40.0;

/// A law on the integers: `p[i]` is the probability of `from + i`.
#[derive(Debug, Clone, PartialEq)]
pub struct Law {
    from: i64,
    p: Vec<f64>,
}

impl Law {
    /// All at one number.
    pub fn constant(number: i64) -> Self {
        Self { from: number, p: vec![1.0] }
    }

    /// K itself, before shift and clamp.
    pub fn noise(mechanism: &Mechanism) -> Self {
        let half: Vec<f64> = match mechanism {
            Mechanism::Gaussian { sigma2 } => {
                let sigma2 = *sigma2 as f64;
                let reach = (GAUSSIAN_REACH * sigma2.sqrt()).ceil() as usize + 2;
                (0..=reach).map(|k| (-(k as f64).powi(2) / (2.0 * sigma2)).exp()).collect()
            }
            Mechanism::Laplace { epsilon_b } => {
                let rate = epsilon_b.num as f64 / epsilon_b.den as f64;
                let reach = (LAPLACE_REACH / rate).ceil() as usize + 2;
                (0..=reach).map(|k| (-rate * k as f64).exp()).collect()
            }
        };
        // From the smallest on, so that no tail is lost beside the middle.
        let total = half[0] + 2.0 * half[1..].iter().rev().sum::<f64>();
        let p = half[1..].iter().rev().chain(&half).map(|weight| weight / total).collect();
        Self { from: 1 - half.len() as i64, p }
    }

    /// max(0, c + K): the covers of one hop in one place.
    pub fn covers(cover: &Cover) -> Self {
        let noise = Self::noise(&cover.mechanism());
        let first = noise.from + i64::from(cover.shift());
        let below = usize::try_from(-first).unwrap_or(0).min(noise.p.len() - 1);
        let at_zero: f64 = noise.p[..=below].iter().sum();
        if first > 0 {
            return Self { from: first, p: noise.p };
        }
        let p = std::iter::once(at_zero).chain(noise.p[below + 1..].iter().copied()).collect();
        Self { from: 0, p }
    }

    /// The covers of several hops together.
    pub fn covers_of_hops(cover: &Cover, hops: usize) -> Self {
        let one = Self::covers(cover);
        (0..hops).fold(Self::constant(0), |sum, _| sum.plus(&one))
    }

    /// How many of `trials` succeed, each with the probability `chance`.
    pub fn binomial(trials: u64, chance: f64) -> Self {
        if chance <= 0.0 || trials == 0 {
            return Self::constant(0);
        }
        if chance >= 1.0 {
            return Self::constant(trials as i64);
        }
        let odds = (chance / (1.0 - chance)).ln();
        let mut ln_p = trials as f64 * (-chance).ln_1p();
        let mut p = Vec::new();
        for k in 0..=trials {
            p.push(ln_p.exp());
            ln_p += odds + ((trials - k) as f64 / (k + 1) as f64).ln();
        }
        Self { from: 0, p }
    }

    /// Where a walk of `steps` ends, each step down with the chance `down`, up with `up`, else none.
    pub fn steps(steps: u64, down: f64, up: f64) -> Self {
        let mut power = Self { from: -1, p: vec![down, (1.0 - down - up).max(0.0), up] };
        let mut sum = Self::constant(0);
        let mut left = steps;
        while left > 0 {
            if left & 1 == 1 {
                sum = sum.plus(&power);
            }
            left >>= 1;
            if left > 0 {
                power = power.plus(&power);
            }
        }
        sum
    }

    /// The law of the sum of two independent numbers.
    pub fn plus(&self, other: &Self) -> Self {
        let (long, short) = if self.p.len() >= other.p.len() { (self, other) } else { (other, self) };
        let mut p = vec![0.0; long.p.len() + short.p.len() - 1];
        for (shift, weight) in short.p.iter().enumerate().filter(|(_, weight)| **weight > 0.0) {
            for (sum, other) in p[shift..].iter_mut().zip(&long.p) {
                *sum += weight * other;
            }
        }
        Self { from: long.from + short.from, p }
    }

    /// The law of the number with its sign turned.
    pub fn negated(&self) -> Self {
        Self { from: -(self.from + self.p.len() as i64 - 1), p: self.p.iter().rev().copied().collect() }
    }

    /// The law of the number plus `by`.
    pub fn moved(&self, by: i64) -> Self {
        Self { from: self.from + by, p: self.p.clone() }
    }

    /// The probability of one number.
    pub fn at(&self, number: i64) -> f64 {
        usize::try_from(number - self.from).ok().and_then(|at| self.p.get(at)).copied().unwrap_or(0.0)
    }

    /// The numbers of the table with their probabilities.
    pub fn iter(&self) -> impl Iterator<Item = (i64, f64)> {
        (self.from..).zip(self.p.iter().copied())
    }

    /// `tails[i]` = P(K ≤ −i), for a law that is symmetric about zero.
    pub fn lower_tails(&self) -> Vec<f64> {
        let mut sum = 0.0;
        let lower = self.iter().take_while(|(k, _)| *k <= 0);
        let mut tails: Vec<f64> = lower
            .map(|(_, p)| {
                sum += p;
                sum
            })
            .collect();
        tails.reverse();
        tails
    }
}

/// The exact δ at ε between two worlds that show independent counts: Σ max(0, P(x) − e^ε·Q(x)) over all joint outcomes x. Each pair is
/// the law of one count in the one world and in the other; no more than two counts differ.
pub fn delta(one: (&Law, &Law), two: Option<(&Law, &Law)>, epsilon: f64) -> f64 {
    let first = outcomes(one);
    let second = two.map_or_else(|| vec![(1.0, 1.0)], outcomes);
    let (ratios, heads) = by_ratio(second);
    let factor = epsilon.exp();
    let mut sum = 0.0;
    for (p, q) in first.into_iter().filter(|(p, _)| *p > 0.0) {
        // Those outcomes of the second count for which P > e^ε·Q together.
        let limit = factor * q / p;
        let (head_p, head_q) = heads[ratios.partition_point(|ratio| *ratio > limit)];
        sum += (p * head_p - factor * q * head_q).max(0.0);
    }
    sum
}

/// The larger δ of the two directions.
pub fn delta_both_ways(one: (&Law, &Law), two: Option<(&Law, &Law)>, epsilon: f64) -> f64 {
    let turned = |pair: (&Law, &Law)| -> (Law, Law) { (pair.1.clone(), pair.0.clone()) };
    let (back_one, back_two) = (turned(one), two.map(turned));
    let back = delta((&back_one.0, &back_one.1), back_two.as_ref().map(|(a, b)| (a, b)), epsilon);
    delta(one, two, epsilon).max(back)
}

/// The least ε at which both directions have at most this δ; none when even e^40 to 1 is not enough.
pub fn epsilon_at(one: (&Law, &Law), two: Option<(&Law, &Law)>, at: f64) -> Option<f64> {
    let fits = |epsilon: f64| delta_both_ways(one, two, epsilon) <= at;
    if fits(0.0) {
        return Some(0.0);
    }
    if !fits(EPSILON_LOSS_MAX) {
        return None;
    }
    let (mut low, mut high) = (0.0, EPSILON_LOSS_MAX);
    while high - low > 1e-10 {
        let middle = f64::midpoint(low, high);
        if fits(middle) {
            high = middle;
        } else {
            low = middle;
        }
    }
    Some(high)
}

/// Every number of either law with both probabilities.
fn outcomes((p, q): (&Law, &Law)) -> Vec<(f64, f64)> {
    let from = p.from.min(q.from);
    let to = (p.from + p.p.len() as i64).max(q.from + q.p.len() as i64);
    (from..to).map(|number| (p.at(number), q.at(number))).filter(|(a, b)| *a > 0.0 || *b > 0.0).collect()
}

/// Outcomes by falling ratio P/Q, and the sums (P, Q) of the first n of them for every n.
fn by_ratio(outcomes: Vec<(f64, f64)>) -> (Vec<f64>, Vec<(f64, f64)>) {
    let mut sorted: Vec<(f64, (f64, f64))> =
        outcomes.into_iter().map(|(p, q)| (if q > 0.0 { p / q } else { f64::INFINITY }, (p, q))).collect();
    sorted.sort_by(|a, b| b.0.total_cmp(&a.0));
    let mut heads = vec![(0.0, 0.0)];
    let mut sum = (0.0, 0.0);
    for (_, (p, q)) in &sorted {
        sum = (sum.0 + p, sum.1 + q);
        heads.push(sum);
    }
    (sorted.into_iter().map(|(ratio, _)| ratio).collect(), heads)
}
