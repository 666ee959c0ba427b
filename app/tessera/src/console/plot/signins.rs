//! Sign-ins as stacked bars, by outcome.

use super::{Bar, Label, Line, SHAPES_MAX, Svg, Table};
use crate::console::frame::time;
use idp::history::{OUTCOMES, SigninCount};

/// What is drawn: counts in `steps` steps of `step_ms` from `from_ms` on.
#[derive(Clone, Debug)]
pub struct Signins {
    /// How many steps.
    pub steps: usize,
    /// When the first begins, Unix milliseconds.
    pub from_ms: i64,
    /// Length of each.
    pub step_ms: i64,
    /// Counts; a step and outcome without one is 0.
    pub counts: Vec<SigninCount>,
}

const WIDTH: u32 = 720;
const HEIGHT: u32 = 200;
const LEFT: u32 = 44;
const TOP: u32 = 12;
const BOTTOM: u32 = 172;
const DAY_MS: i64 = 86_400_000;

/// Draws them.
pub fn signins(data: &Signins) -> Svg {
    let of = |step: usize, outcome: &str| {
        let found = data.counts.iter().filter(|count| count.step == step && count.outcome == outcome);
        found.map(|count| count.count).sum::<u64>()
    };
    let sum = |outcome: &str| (0..data.steps).map(|step| of(step, outcome)).sum::<u64>();
    let highest = (0..data.steps).map(|step| OUTCOMES.iter().map(|outcome| of(step, outcome)).sum()).max();
    let top = round_up(highest.unwrap_or(0));
    let (mut bars, slot) = (Vec::new(), (WIDTH - LEFT) / u32::try_from(data.steps.max(1)).unwrap_or(1));
    for step in 0..data.steps {
        let (x, mut below) = (LEFT + slot * u32::try_from(step).unwrap_or(0), 0);
        for outcome in OUTCOMES {
            let count = of(step, outcome);
            let (from, to) = (place(below, top), place(below + count, top));
            if count > 0 && bars.len() < SHAPES_MAX {
                let width = slot.saturating_sub(2).max(1);
                // A single failure among thousands is still to be seen.
                let height = from.saturating_sub(to).max(1);
                bars.push(Bar { x: x + 1, y: from - height, width, height, class: outcome });
            }
            below += count;
        }
    }
    let name = if data.step_ms >= DAY_MS { "days" } else { "hours" };
    let total: u64 = OUTCOMES.iter().map(|outcome| sum(outcome)).sum();
    let said: Vec<String> = OUTCOMES.iter().map(|outcome| format!("{} {outcome}", sum(outcome))).collect();
    Svg {
        id: "signins",
        title: format!("Sign-ins of the last {} {name}, by outcome", data.steps),
        desc: match total {
            0 => "None ended in this time.".to_owned(),
            total => {
                format!("{total} ended: {}. At most {} in one bar.", said.join(", "), highest.unwrap_or(0))
            }
        },
        width: WIDTH,
        height: HEIGHT,
        bars,
        lines: [0, top].map(|count| line(place(count, top))).to_vec(),
        labels: labels(data, top),
        legend: OUTCOMES.iter().map(|outcome| (*outcome, format!("{outcome} {}", sum(outcome)))).collect(),
        table: table(data, of),
    }
}

fn labels(data: &Signins, top: u64) -> Vec<Label> {
    let at = |step: usize| short(data, step);
    let count = |number: u64| Label {
        x: LEFT - 6,
        y: place(number, top) + 4,
        class: "end",
        text: number.to_string(),
    };
    let last = data.steps.saturating_sub(1);
    vec![
        count(0),
        count(top),
        Label { x: LEFT, y: HEIGHT - 8, class: "start", text: at(0) },
        Label { x: WIDTH, y: HEIGHT - 8, class: "end", text: at(last) },
    ]
}

/// Only steps in which something ended: the others are 0.
fn table(data: &Signins, of: impl Fn(usize, &str) -> u64) -> Table {
    let head = std::iter::once("from").chain(OUTCOMES).map(str::to_owned).collect();
    let row = |step: usize| {
        let counts: Vec<u64> = OUTCOMES.iter().map(|outcome| of(step, outcome)).collect();
        let told = counts.iter().map(u64::to_string);
        counts
            .iter()
            .any(|count| *count > 0)
            .then(|| std::iter::once(short(data, step)).chain(told).collect())
    };
    Table { head, rows: (0..data.steps).filter_map(row).collect() }
}

/// When a step begins: the day, and the hour where steps are hours.
fn short(data: &Signins, step: usize) -> String {
    let at_ms = data.from_ms + i64::try_from(step).unwrap_or(0) * data.step_ms;
    let chars = if data.step_ms >= DAY_MS { 10 } else { 16 };
    time(at_ms).chars().take(chars).collect()
}

fn line(y: u32) -> Line {
    Line { from: (LEFT, y), to: (WIDTH, y) }
}

fn place(count: u64, top: u64) -> u32 {
    let share = (u64::from(BOTTOM - TOP) * count).checked_div(top).unwrap_or(0);
    BOTTOM - u32::try_from(share).unwrap_or(0).min(BOTTOM - TOP)
}

/// The next of 1, 2, 5, 10, 20, …: a scale that people read.
fn round_up(count: u64) -> u64 {
    let mut step = 1;
    loop {
        for factor in [1, 2, 5] {
            let scale = factor * step;
            if scale >= count.max(1) {
                return scale;
            }
        }
        step *= 10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(step: usize, outcome: &str, count: u64) -> SigninCount {
        SigninCount { step, outcome: outcome.to_owned(), count }
    }

    fn day(counts: Vec<SigninCount>) -> Signins {
        Signins { steps: 24, from_ms: 1_767_225_600_000, step_ms: 3_600_000, counts }
    }

    #[test]
    fn bars_of_one_step_stand_on_each_other_and_reach_as_high_as_their_sum() {
        let drawn = signins(&day(vec![count(3, "approved", 30), count(3, "failed", 20)]));
        let [low, high] = drawn.bars.as_slice() else { panic!("{:?}", drawn.bars) };
        assert_eq!((low.x, low.class, high.class), (high.x, "approved", "failed"));
        assert_eq!((low.y + low.height, high.y + high.height), (BOTTOM, low.y));
        assert_eq!(high.y, TOP, "50 of 50");
        assert_eq!(drawn.table.rows, [["2026-01-01 03:00", "30", "0", "20", "0"]]);
        assert!(drawn.desc.starts_with("50 ended: 30 approved, 0 denied, 20 failed"));
    }

    #[test]
    fn nothing_is_drawn_of_nothing_and_it_is_said() {
        let drawn = signins(&day(Vec::new()));
        assert!(drawn.bars.is_empty() && drawn.table.rows.is_empty());
        assert_eq!(drawn.desc, "None ended in this time.");
    }

    #[test]
    fn a_full_quarter_stays_within_the_bound_and_within_the_drawing() {
        let counts =
            (0..90).flat_map(|step| OUTCOMES.map(|outcome| count(step, outcome, 1 + step as u64 * 997)));
        let drawn = signins(&Signins { steps: 90, step_ms: DAY_MS, ..day(counts.collect()) });
        assert_eq!(drawn.bars.len(), 360);
        assert!(drawn.bars.len() <= SHAPES_MAX);
        assert!(drawn.bars.iter().all(|bar| bar.x + bar.width <= WIDTH && bar.y + bar.height <= HEIGHT));
        assert_eq!(
            drawn,
            signins(&Signins {
                steps: 90,
                step_ms: DAY_MS,
                ..day((0..90)
                    .flat_map(|step| OUTCOMES.map(|outcome| count(step, outcome, 1 + step as u64 * 997)))
                    .collect())
            }),
            "the same data, the same drawing"
        );
    }

    #[test]
    fn a_scale_is_one_that_people_read() {
        assert_eq!([0, 1, 3, 7, 11, 51, 1_001].map(round_up), [1, 1, 5, 10, 20, 100, 2_000]);
    }
}
