//! The statistics of the judge: χ² against an exact law, Clopper–Pearson bounds, and a lower bound of ε from two samples.

use crate::budget::law::Law;
use std::collections::BTreeMap;

/// The least expected count of a bin, so that χ² has the law it is compared with.
const EXPECTED_MIN: f64 = 10.0;

/// How many thresholds a sample is cut at: quantiles of both worlds together.
const THRESHOLDS_MAX: usize = 256;

/// Steps of a search for a bound: to the last bit of a float.
const STEPS: usize = 60;

/// The p-value of a sample against a law: how often a right sample fits worse. Zero where a number turned up that the law excludes.
pub fn chi_square(drawn: &[i64], law: &Law) -> f64 {
    chi_square_of(drawn, &law.iter().collect::<Vec<_>>())
}

/// As [`chi_square`], for a law as a list of numbers in order with their probabilities.
pub fn chi_square_of(drawn: &[i64], law: &[(i64, f64)]) -> f64 {
    let mut observed: BTreeMap<i64, u64> = BTreeMap::new();
    for number in drawn {
        *observed.entry(*number).or_default() += 1;
    }
    let possible: BTreeMap<i64, f64> = law.iter().copied().filter(|(_, p)| *p > 0.0).collect();
    if observed.keys().any(|number| !possible.contains_key(number)) {
        return 0.0;
    }
    let mut bins: Vec<(f64, f64)> = Vec::new();
    let mut open = (0.0, 0.0);
    for (number, p) in &possible {
        open.0 += p * drawn.len() as f64;
        open.1 += observed.get(number).copied().unwrap_or(0) as f64;
        if open.0 >= EXPECTED_MIN {
            bins.push(std::mem::take(&mut open));
        }
    }
    match bins.last_mut() {
        Some(last) => *last = (last.0 + open.0, last.1 + open.1),
        None => bins.push(open),
    }
    if bins.len() < 2 {
        return 1.0;
    }
    let statistic: f64 = bins.iter().map(|(expected, seen)| (seen - expected).powi(2) / expected).sum();
    upper_gamma((bins.len() - 1) as f64 / 2.0, statistic / 2.0)
}

/// The p-value of "these two series have nothing to do with each other", by their correlation; one where either is constant.
pub fn correlation(one: &[i64], two: &[i64]) -> f64 {
    let n = one.len().min(two.len());
    let mean = |series: &[i64]| series[..n].iter().map(|x| *x as f64).sum::<f64>() / n as f64;
    let (mean_one, mean_two) = (mean(one), mean(two));
    let (mut both, mut square_one, mut square_two) = (0.0, 0.0, 0.0);
    for (x, y) in one.iter().zip(two) {
        let (x, y) = (*x as f64 - mean_one, *y as f64 - mean_two);
        both += x * y;
        square_one += x * x;
        square_two += y * y;
    }
    if square_one == 0.0 || square_two == 0.0 {
        return 1.0;
    }
    let z2 = both * both / square_one / square_two * n as f64;
    upper_gamma(0.5, z2 / 2.0)
}

/// The largest ε that two samples show to be exceeded at δ, wrongly with at most the probability `level`: over events "at most t" and "at
/// least t", in both directions, Clopper–Pearson bounds with the level shared out among them. Zero where nothing is shown.
pub fn epsilon_lower_bound(one: &[i64], two: &[i64], delta: f64, level: f64) -> f64 {
    let (mut one, mut two) = (one.to_vec(), two.to_vec());
    one.sort_unstable();
    two.sort_unstable();
    let thresholds = thresholds(&one, &two);
    // Two kinds of event, two directions, two bounds each.
    let share = level / (8 * thresholds.len().max(1)) as f64;
    let mut best = 0.0_f64;
    for t in thresholds {
        let up_to = |sample: &[i64]| sample.partition_point(|x| *x <= t) as u64;
        let from = |sample: &[i64]| (sample.len() - sample.partition_point(|x| *x < t)) as u64;
        for (hits_one, hits_two) in [(up_to(&one), up_to(&two)), (from(&one), from(&two))] {
            let (of_one, of_two) = ((hits_one, one.len() as u64), (hits_two, two.len() as u64));
            best = shown(of_one, of_two, delta, share, best);
            best = shown(of_two, of_one, delta, share, best);
        }
    }
    best
}

/// The lower Clopper–Pearson bound of a chance, exceeded downwards with the probability `level`.
pub fn chance_low(hits: u64, trials: u64, level: f64) -> f64 {
    if hits == 0 {
        return 0.0;
    }
    // P(X ≥ hits | p) = I_p(hits, trials − hits + 1), which rises with p.
    boundary(|p| beta(p, hits as f64, (trials - hits + 1) as f64) < level)
}

/// The upper Clopper–Pearson bound.
pub fn chance_high(hits: u64, trials: u64, level: f64) -> f64 {
    1.0 - chance_low(trials - hits, trials, level)
}

/// The larger of `best` and what one event shows: `hits` = (successes, trials) where the event is likelier, `others` where it is not.
fn shown(hits: (u64, u64), others: (u64, u64), delta: f64, share: f64, best: f64) -> f64 {
    let share_of = |(hits, trials): (u64, u64)| hits as f64 / trials as f64;
    // Cheap first: what the plain shares do not exceed, their bounds do not either.
    if share_of(hits) - delta <= share_of(others) * best.exp() {
        return best;
    }
    let (low, high) = (chance_low(hits.0, hits.1, share), chance_high(others.0, others.1, share));
    if low - delta <= high { best } else { best.max(((low - delta) / high).ln()) }
}

fn thresholds(one: &[i64], two: &[i64]) -> Vec<i64> {
    let mut all = [one, two].concat();
    all.sort_unstable();
    let last = all.len().saturating_sub(1);
    let mut found: Vec<i64> =
        (0..=THRESHOLDS_MAX).filter_map(|step| all.get(last * step / THRESHOLDS_MAX).copied()).collect();
    found.dedup();
    found
}

/// The largest p of [0, 1] for which a falling condition still holds.
fn boundary(holds: impl Fn(f64) -> bool) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..STEPS {
        let middle = f64::midpoint(low, high);
        if holds(middle) {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

/// ln Γ(x) for x > 0 (Lanczos, g = 7, n = 9; relative error below 10⁻¹⁴).
fn ln_gamma(x: f64) -> f64 {
    const TERMS: [f64; 8] = [
        676.520_368_121_885_1,
        -1_259.139_216_722_402_8,
        771.323_428_777_653_1,
        -176.615_029_162_140_6,
        12.507_343_278_686_905,
        -0.138_571_095_265_720_12,
        9.984_369_578_019_572e-6,
        1.505_632_735_149_311_6e-7,
    ];
    if x < 0.5 {
        let sine = (std::f64::consts::PI * x).sin();
        return (std::f64::consts::PI / sine).ln() - ln_gamma(1.0 - x);
    }
    let x = x - 1.0;
    let sum = TERMS
        .iter()
        .enumerate()
        .fold(0.999_999_999_999_809_9, |sum, (i, term)| sum + term / (x + i as f64 + 1.0));
    let t = x + 7.5;
    0.5 * (2.0 * std::f64::consts::PI).ln() + (x + 0.5) * t.ln() - t + sum.ln()
}

/// Q(a, x) = Γ(a, x)/Γ(a): the upper tail of χ² with 2a degrees at 2x.
fn upper_gamma(a: f64, x: f64) -> f64 {
    if x <= 0.0 {
        return 1.0;
    }
    let front = (a * x.ln() - x - ln_gamma(a)).exp();
    if x < a + 1.0 {
        let (mut term, mut sum, mut n) = (1.0 / a, 1.0 / a, a);
        while term > sum * 1e-16 {
            n += 1.0;
            term *= x / n;
            sum += term;
        }
        return (1.0 - front * sum).max(0.0);
    }
    front
        * fraction(|n| {
            if n == 0 {
                (1.0, x + 1.0 - a)
            } else {
                (-(n as f64) * (n as f64 - a), x + 2.0 * n as f64 + 1.0 - a)
            }
        })
}

/// I_x(a, b), the distribution function of Beta(a, b).
fn beta(x: f64, a: f64, b: f64) -> f64 {
    if x <= 0.0 || x >= 1.0 {
        return x.clamp(0.0, 1.0);
    }
    if x > (a + 1.0) / (a + b + 2.0) {
        return 1.0 - beta(1.0 - x, b, a);
    }
    let front = (a * x.ln() + b * (-x).ln_1p() + ln_gamma(a + b) - ln_gamma(a) - ln_gamma(b)).exp() / a;
    front
        * fraction(|n| {
            let m = (n / 2) as f64;
            match n {
                0 => (1.0, 1.0),
                n if n % 2 == 0 => (m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m)), 1.0),
                _ => (-(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0)), 1.0),
            }
        })
}

/// a₀/(b₀ + a₁/(b₁ + …)) by Lentz's method.
fn fraction(term: impl Fn(u32) -> (f64, f64)) -> f64 {
    const TINY: f64 = 1e-300;
    const TERMS_MAX: u32 = 20_000; // far beyond what samples of 10⁷ need
    let keep = |x: f64| if x.abs() < TINY { TINY } else { x };
    let (first, b) = term(0);
    let (mut f, mut c, mut d) = (keep(b), keep(b), 0.0);
    for n in 1..TERMS_MAX {
        let (a, b) = term(n);
        d = 1.0 / keep(b + a * d);
        c = keep(b + a / c);
        f *= c * d;
        if (c * d - 1.0).abs() < 1e-15 {
            break;
        }
    }
    first / f
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: f64, known: f64) {
        assert!((found / known - 1.0).abs() < 1e-9, "{found} for {known}");
    }

    #[test]
    fn tails_of_chi_square_are_those_of_the_tables() {
        // Critical values by exact inversion: two degrees have Q = e^(−x/2); one degree at 3.841458820694124 has 0.05.
        near(upper_gamma(1.0, 3.0), (-3.0_f64).exp());
        near(upper_gamma(0.5, 3.841_458_820_694_124 / 2.0), 0.05);
        near(upper_gamma(5.0, 18.307_038_053_275_146 / 2.0), 0.05);
        near(upper_gamma(50.0, 124.342_113_404_004_07 / 2.0), 0.05);
    }

    #[test]
    fn clopper_pearson_bounds_are_those_of_their_definition() {
        // No hit of n: the upper bound is 1 − level^(1/n).
        near(chance_high(0, 100, 0.05), 1.0 - 0.05_f64.powf(0.01));
        // All hits: the lower bound is level^(1/n).
        near(chance_low(100, 100, 0.05), 0.05_f64.powf(0.01));
        // One of two: P(X ≥ 1) = 1 − (1 − p)² = level.
        near(chance_low(1, 2, 0.05), 1.0 - 0.95_f64.sqrt());
        assert_eq!(chance_low(0, 10, 0.05), 0.0);
        let (low, high) = (chance_low(30_000, 60_000, 1e-9), chance_high(30_000, 60_000, 1e-9));
        near(low + high, 1.0);
        assert!(low > 0.487 && low < 0.4885, "{low}");
    }

    #[test]
    fn a_known_loss_is_bounded_from_below_and_not_overstated() {
        // 3 of 4 against 1 of 4: ε = ln 3.
        let sample = |ones: usize| [vec![1; ones], vec![0; 40_000 - ones]].concat();
        let found = epsilon_lower_bound(&sample(30_000), &sample(10_000), 0.0, 1e-6);
        assert!(found > 0.95 && found < 3.0_f64.ln(), "{found}");
        assert_eq!(epsilon_lower_bound(&sample(20_000), &sample(20_000), 0.0, 1e-6), 0.0);
        // δ alone explains a hundredth.
        assert_eq!(epsilon_lower_bound(&sample(400), &sample(0), 0.02, 1e-6), 0.0);
    }

    #[test]
    fn series_that_move_together_are_seen() {
        let series: Vec<i64> = (0..1_000).map(|i| (i * 7_919) % 101).collect();
        assert!(correlation(&series, &series) < 1e-12);
        assert_eq!(correlation(&series, &vec![3; 1_000]), 1.0);
    }
}
