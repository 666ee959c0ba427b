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
const HEIGHT: u32 = 220;
const LEFT: u32 = 44;
const TOP: u32 = 28;
const BOTTOM: u32 = 188;
/// Ticks of time: four quarters of what is drawn.
const QUARTERS: usize = 4;
const TICK: u32 = 5;
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
        lines: lines(data, top, slot),
        labels: labels(data, top, slot),
        legend: OUTCOMES.iter().map(|outcome| (*outcome, format!("{outcome} {}", sum(outcome)))).collect(),
        table: table(data, of),
    }
}

/// The scale at nought, half and whole, and a tick at each quarter of the time.
fn lines(data: &Signins, top: u64, slot: u32) -> Vec<Line> {
    let scale = scale(top).into_iter().map(|count| line(place(count, top)));
    let ticks = quarters(data, slot).map(|(_, x)| Line { from: (x, BOTTOM), to: (x, BOTTOM + TICK) });
    scale.chain(ticks).collect()
}

/// Counts that the scale names: half of one is none.
fn scale(top: u64) -> Vec<u64> {
    if top.is_multiple_of(2) { vec![0, top / 2, top] } else { vec![0, top] }
}

/// The step at each quarter, and where it begins.
fn quarters(data: &Signins, slot: u32) -> impl Iterator<Item = (usize, u32)> {
    let steps = data.steps;
    (0..QUARTERS).map(move |quarter| {
        let step = steps * quarter / QUARTERS;
        (step, LEFT + slot * u32::try_from(step).unwrap_or(0))
    })
}

fn labels(data: &Signins, top: u64, slot: u32) -> Vec<Label> {
    let count = |number: u64| Label {
        x: LEFT - 6,
        y: place(number, top) + 4,
        class: "end",
        text: number.to_string(),
    };
    let unit = if data.step_ms >= DAY_MS { "sign-ins a day" } else { "sign-ins an hour" };
    let unit = Label { x: 4, y: 14, class: "start", text: unit.to_owned() };
    let zone = Label { x: WIDTH, y: HEIGHT - 8, class: "end", text: "UTC".to_owned() };
    let ticks = quarters(data, slot).map(|(step, x)| Label {
        x,
        y: HEIGHT - 8,
        class: "start",
        text: short(data, step).chars().skip(tick_skip(data, step)).collect(),
    });
    scale(top).into_iter().map(count).chain([unit, zone]).chain(ticks).collect()
}

/// Characters of a time that a tick leaves out: its year or its whole day, where the first tick says it.
const fn tick_skip(data: &Signins, step: usize) -> usize {
    match (data.step_ms >= DAY_MS, step) {
        (true, 0) => 0,
        (true, _) | (false, 0) => 5,
        (false, _) => 11,
    }
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
    fn the_scale_has_its_unit_and_the_time_a_tick_at_each_quarter_with_its_zone() {
        let words =
            |data: &Signins| signins(data).labels.into_iter().map(|label| label.text).collect::<Vec<_>>();
        let hours = ["0", "25", "50", "sign-ins an hour", "UTC", "01-01 00:00", "06:00", "12:00", "18:00"];
        assert_eq!(words(&day(vec![count(3, "approved", 30), count(3, "failed", 20)])), hours);
        let quarter = Signins { steps: 90, step_ms: DAY_MS, ..day(Vec::new()) };
        let days = ["0", "1", "sign-ins a day", "UTC", "2026-01-01", "01-23", "02-15", "03-09"];
        assert_eq!(words(&quarter), days);
        let drawn = signins(&quarter);
        let ticks: Vec<u32> =
            drawn.lines.iter().filter(|line| line.from.0 == line.to.0).map(|line| line.from.0).collect();
        assert_eq!(ticks.len(), QUARTERS);
        assert!(drawn.labels.iter().all(|label| label.x <= WIDTH && label.y <= HEIGHT));
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
