//! The project's own judgement of a simulation: it is contradicted when two samples show more loss than one event may cost, or when a
//! count does not follow the stated law.
//!
//! False alarms: every single test errs with at most [`LEVEL`]; a simulation of B buckets takes at most 4·(B + 3) + 2 of them, so a
//! right mechanism is contradicted with a probability of at most 3·10⁻⁵ at four buckets.

use super::statistics::{chi_square, correlation, epsilon_lower_bound};
use super::{Load, Simulation, World};

/// The false-alarm level of one test.
pub const LEVEL: f64 = 1e-6;

/// The numbers of one world's files, line by line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Samples {
    /// `bucket-….txt`.
    pub buckets: Vec<Vec<i64>>,
    /// `null.txt`.
    pub null: Vec<i64>,
    /// `swap.txt`.
    pub swap: Vec<i64>,
}

/// What the judge found.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// ε of the pair of files is at least this.
    pub epsilon_joint: f64,
    /// ε of the one file that differs most is at least this.
    pub epsilon_bucket: f64,
    /// The worst fit of any file, as a p-value.
    pub fit: f64,
    /// What is contradicted, in words; empty where nothing is.
    pub contradicted: Vec<String>,
}

impl Samples {
    /// Of all rounds of a world.
    pub fn of(rows: impl Iterator<Item = super::Row>) -> Self {
        let mut samples = Self::default();
        for row in rows {
            samples.buckets.resize(row.buckets.len(), Vec::new());
            for (series, count) in samples.buckets.iter_mut().zip(&row.buckets) {
                series.push(*count as i64);
            }
            samples.null.push(row.null as i64);
            samples.swap.push(row.swap);
        }
        samples
    }

    /// The file of a bucket, or that of null after the last of them.
    fn file(&self, file: usize) -> &[i64] {
        self.buckets.get(file).unwrap_or(&self.null)
    }
}

/// Judges the two worlds of a simulation by what it states about itself.
pub fn judge(simulation: &Simulation, a: &Samples, b: &Samples) -> Verdict {
    let mut verdict = Verdict { epsilon_joint: 0.0, epsilon_bucket: 0.0, fit: 1.0, contradicted: Vec::new() };
    losses(simulation, a, b, &mut verdict);
    for (world, samples, name) in [(World::A, a, "world-a"), (World::B, b, "world-b")] {
        for file in 0..=samples.buckets.len() {
            let (law, series) = (simulation.law(world, file), samples.file(file));
            verdict.fits(&format!("{name} place {file}"), chi_square(series, &law));
            let next = series.get(1..).unwrap_or_default();
            verdict.independent(&format!("{name} place {file}, line by line"), correlation(series, next));
        }
        verdict.fits(&format!("{name} swap"), chi_square(&samples.swap, &simulation.swap_law(world)));
        // A random load ties the buckets to each other by itself.
        if matches!(simulation.setting().load, Load::Fixed(_)) {
            for pair in samples.buckets.windows(2) {
                verdict.independent(&format!("{name} neighbours"), correlation(&pair[0], &pair[1]));
            }
        }
    }
    verdict
}

fn losses(simulation: &Simulation, a: &Samples, b: &Samples, verdict: &mut Verdict) {
    let (claimed, delta) = simulation.claim();
    let event = simulation.event_loss(delta);
    for file in simulation.setting().worlds.iter().filter_map(|place| simulation.seen(*place)) {
        let bound = epsilon_lower_bound(a.file(file), b.file(file), delta, LEVEL);
        verdict.epsilon_bucket = verdict.epsilon_bucket.max(bound);
    }
    verdict.epsilon_joint = epsilon_lower_bound(&a.swap, &b.swap, delta, LEVEL);
    for (name, shown, exact) in
        [("one file", verdict.epsilon_bucket, event.bucket), ("the pair", verdict.epsilon_joint, event.joint)]
    {
        let stated = exact.unwrap_or(claimed).min(claimed);
        if shown > stated {
            verdict.contradicted.push(format!("{name} loses at least {shown:.4}, stated is {stated:.4}"));
        }
    }
}

impl Verdict {
    fn fits(&mut self, name: &str, p: f64) {
        self.fit = self.fit.min(p);
        if p < LEVEL {
            self.contradicted.push(format!("{name} does not follow its law (p = {p:.1e})"));
        }
    }

    fn independent(&mut self, name: &str, p: f64) {
        if p < LEVEL {
            self.contradicted.push(format!("{name} is not independent (p = {p:.1e})"));
        }
    }
}
