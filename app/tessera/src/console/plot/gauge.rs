//! The privacy gauge: what the declared events add up to, against what was promised.

use super::{Bar, Label, Line, Svg, Table};

/// What is drawn.
#[derive(Clone, Copy, Debug)]
pub struct Gauge {
    /// (ε, δ) that the declared events add up to.
    pub spent: (f64, f64),
    /// (ε, δ) that the manifest promises.
    pub limit: (f64, f64),
    /// Protected events that the promise is for; 0: any number.
    pub events: u64,
    /// Rounds, of those looked at, that kept less than the manifest says.
    pub fell_short: u64,
    /// Rounds that were looked at.
    pub looked: u64,
}

const WIDTH: u32 = 720;
const HEIGHT: u32 = 76;
const LEFT: u32 = 8;
const RIGHT: u32 = 712;
/// Where the limit stands: what exceeds it has room to show by how much.
const LIMIT_X: u32 = 528;
const HALF_X: u32 = LEFT + (LIMIT_X - LEFT) / 2;

/// Draws it. Red, and said so in words, if the total exceeds the promise or a round fell short.
pub fn gauge(data: &Gauge) -> Svg {
    let ((epsilon, delta), (epsilon_max, delta_max)) = (data.spent, data.limit);
    let is_within = epsilon <= epsilon_max && delta <= delta_max;
    let class = if is_within && data.fell_short == 0 { "kept" } else { "broken" };
    let share = if epsilon <= 0.0 { 0.0 } else { (epsilon / epsilon_max).min(1.35) };
    // Within 1.35 of the limit by the line above, so it fits.
    let width = (f64::from(LIMIT_X - LEFT) * share) as u32;
    let events = match data.events {
        0 => "any number of messages".to_owned(),
        events => format!("{events} protected events"),
    };
    let verdict = match (is_within, data.fell_short) {
        (false, _) => "more than promised".to_owned(),
        (true, 0) => "within the promise".to_owned(),
        (true, rounds) => format!("within the promise, but {rounds} rounds fell short"),
    };
    let said = format!(
        "ε {} of {}, δ {} of {}, over {events}: {verdict}.",
        figure(epsilon),
        figure(epsilon_max),
        figure(delta),
        figure(delta_max)
    );
    let row = |name: &str, spent: f64, limit: f64| vec![name.to_owned(), figure(spent), figure(limit)];
    Svg {
        id: "privacy",
        title: "Privacy of messages against its limit".to_owned(),
        desc: format!("{said} {} of the last {} rounds fell short.", data.fell_short, data.looked),
        width: WIDTH,
        height: HEIGHT,
        bars: vec![
            Bar { x: LEFT, y: 24, width: RIGHT - LEFT, height: 20, class: "track" },
            Bar { x: LEFT, y: 24, width: width.clamp(4, RIGHT - LEFT), height: 20, class },
        ],
        lines: vec![
            Line { from: (LEFT, 44), to: (LEFT, 50) },
            Line { from: (HALF_X, 44), to: (HALF_X, 50) },
            Line { from: (LIMIT_X, 18), to: (LIMIT_X, 50) },
        ],
        labels: vec![
            Label { x: LEFT, y: 16, class: "start", text: format!("adds up to ε {}", figure(epsilon)) },
            Label { x: LEFT, y: 68, class: "start", text: "0".to_owned() },
            Label { x: HALF_X, y: 68, class: "mid", text: figure(epsilon_max / 2.0) },
            Label { x: LIMIT_X, y: 68, class: "mid", text: format!("limit ε {}", figure(epsilon_max)) },
        ],
        legend: vec![(class, verdict)],
        table: Table {
            head: ["", "adds up to", "limit"].map(str::to_owned).to_vec(),
            rows: vec![row("ε", epsilon, epsilon_max), row("δ", delta, delta_max)],
        },
    }
}

/// A figure with three significant digits, as people read them.
pub fn figure(number: f64) -> String {
    if number == 0.0 {
        return "0".to_owned();
    }
    if !number.is_finite() {
        return "unbounded".to_owned();
    }
    if (0.001..1_000_000.0).contains(&number) {
        let digits = (2 - number.abs().log10().floor() as i32).max(0) as usize;
        let text = format!("{number:.digits$}");
        return match text.contains('.') {
            true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
            false => text,
        };
    }
    format!("{number:.1e}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const WITHIN: Gauge =
        Gauge { spent: (0.5, 1e-7), limit: (1.0, 1e-6), events: 1_000, fell_short: 0, looked: 100 };

    #[test]
    fn within_the_limit_it_is_kept_and_reaches_as_far_as_its_share() {
        let drawn = gauge(&WITHIN);
        assert_eq!((drawn.bars[1].class, drawn.bars[1].width), ("kept", 260));
        let words: Vec<&str> = drawn.labels.iter().map(|label| label.text.as_str()).collect();
        assert_eq!(words, ["adds up to ε 0.5", "0", "0.5", "limit ε 1"], "its unit and its ticks");
        assert!(drawn.desc.starts_with("ε 0.5 of 1, δ 1.0e-7 of 1.0e-6, over 1000 protected events: within"));
    }

    #[test]
    fn beyond_it_or_after_a_round_that_fell_short_it_is_broken_and_says_why() {
        let beyond = gauge(&Gauge { spent: (1.2, 1e-7), ..WITHIN });
        assert_eq!(beyond.bars[1].class, "broken");
        assert!(
            beyond.bars[1].x + beyond.bars[1].width > LIMIT_X && beyond.desc.contains("more than promised")
        );
        let delta = gauge(&Gauge { spent: (0.5, 1e-5), ..WITHIN });
        assert_eq!(delta.bars[1].class, "broken");
        let short = gauge(&Gauge { fell_short: 2, ..WITHIN });
        assert_eq!(short.bars[1].class, "broken");
        assert!(short.desc.contains("2 rounds fell short"));
    }

    #[test]
    fn a_relay_that_promises_nothing_measurable_away_stays_within_the_drawing() {
        for spent in [0.0, 1e9, f64::INFINITY] {
            for limit in [0.0, 1.0] {
                let drawn = gauge(&Gauge { spent: (spent, 0.0), limit: (limit, 0.0), ..WITHIN });
                assert!(drawn.bars.iter().all(|bar| bar.x + bar.width <= WIDTH), "{spent} {limit}");
                assert_eq!(drawn.bars[1].class == "kept", spent <= limit, "{spent} {limit}");
            }
        }
    }

    #[test]
    fn figures_have_three_digits() {
        let read = [0.0, 1.0, 0.0314159, 12.345, 123_456.0, 1e-6, 2.5e9].map(figure);
        assert_eq!(read, ["0", "1", "0.0314", "12.3", "123456", "1.0e-6", "2.5e9"]);
    }
}
