//! `tessera relay budget`: what a privacy budget means for a network, before anybody runs one.

use super::privacy::{Privacy, Relays, Stated, plan_refused, usage};
use crate::failure::Failure;
use crate::output::{self, Format};
use mailbox::budget::account::composed;
use mailbox::budget::plan::{Mode, Plan, Site};
use mailbox::budget::{Adjacency, Spending, value};
use serde_json::{Value, json};

/// T where none is given: a year of three messages a day to one contact.
const EVENTS: u64 = 1_000;

/// The numbers of events whose sum is shown.
const COMPOSED: [u64; 5] = [1, 10, 100, 1_000, 10_000];

/// The share of clients that send a real cell in a busy round, as a server's default.
const ACTIVITY: f64 = 0.5;

/// Shortest and longest round: a development network's, and that of a network which spares its phones.
const ROUND_MS: std::ops::RangeInclusive<u64> = 250..=300_000;

/// Flags of the verb.
#[derive(clap::Args, Clone)]
pub struct Args {
    #[command(flatten)]
    privacy: Privacy,
    #[command(flatten)]
    relays: Relays,
    /// The most clients at once (clients_max)
    #[arg(long, default_value_t = 1_000)]
    users: u64,
    /// The length of a round: 250ms to 300s
    #[arg(long, default_value = "60s")]
    round: String,
    /// Buckets, or auto
    #[arg(long, default_value = "auto")]
    buckets: String,
}

/// Runs the verb.
pub fn run(args: &Args, format: Format) -> Result<(), Failure> {
    let (stated, plan) = planned(args)?;
    if let Some(warning) = stated.warning(&plan.site.cascade) {
        eprint!("{warning}");
    }
    output::print(format, &answer(&stated, &plan)?);
    Ok(())
}

fn planned(args: &Args) -> Result<(Stated, Plan), Failure> {
    let stated = args.privacy.stated(EVENTS)?;
    let site = Site {
        cascade: args.relays.cascade()?,
        users: args.users,
        server_turns: 0,
        activity: ACTIVITY,
        round_ms: round_ms(&args.round)?,
        buckets: buckets(&args.buckets)?,
        noise_in_full: stated.given,
    };
    let plan = Plan::new(site, &stated.budget, stated.spending).map_err(|error| plan_refused(&error))?;
    Ok((stated, plan))
}

fn answer(stated: &Stated, plan: &Plan) -> Result<Value, Failure> {
    let (budget, cascade) = (stated.budget, plan.site.cascade);
    // In full mode without covers the mechanism is still shown: it is what more clients would bring.
    let cover = plan.cover.map_or_else(|| budget.cover(stated.spending, Adjacency::Substitution), Ok);
    let cover = cover.map_err(|error| plan_refused(&error.into()))?;
    let mut mechanism = json!(cover.mechanism());
    mechanism["shift"] = json!(cover.shift());
    let composition: Vec<Value> = COMPOSED.iter().map(|events| sum(stated, plan, *events)).collect();
    Ok(json!({
        "guarantee": cascade.guarantee(),
        "claim": {
            "epsilon": value(budget.epsilon()), "delta": value(budget.delta()), "events": budget.events(),
            "hides": match (plan.mode, plan.cover) {
                (Mode::Bucketed, _) => "to whom, and whether at all",
                (Mode::Full, Some(_)) => "whether one client was online in a round; of cells nothing is seen",
                (Mode::Full, None) => "of cells nothing is seen (epsilon 0); who is online is",
            },
        },
        "mechanism": mechanism,
        "covers_drawn": plan.cover.is_some(),
        "mode": if plan.mode == Mode::Full { "full" } else { "bucketed" },
        "buckets": plan.buckets,
        "rows": plan.rows,
        "nodes": cascade.nodes(),
        "hops": cascade.hops(),
        "users": plan.site.users,
        "round_ms": plan.site.round_ms,
        "client_bytes_per_round": plan.client_bytes_per_round(),
        "client_bytes_per_day": plan.client_bytes_per_day().round() as u64,
        "last_hop_cells_per_s": plan.last_hop_cells_per_s().round() as u64,
        "fetch_bytes_per_s": plan.fetch_bytes_per_s().round() as u64,
        "disk_bytes_per_day": plan.disk_bytes_per_day().round() as u64,
        "composition": composition,
    }))
}

/// What so many events add up to.
fn sum(stated: &Stated, plan: &Plan, events: u64) -> Value {
    let delta = value(stated.budget.delta());
    let (epsilon, delta) = match (plan.cover, stated.spending) {
        (None, _) => (0.0, 0.0),
        (Some(_), Spending::PerEvent) if events == 1 => (value(stated.budget.epsilon()), delta),
        (Some(cover), Spending::PerEvent) => composed(&cover, plan.adjacency, events, delta),
        (Some(cover), Spending::Total) => composed(&cover, plan.adjacency, events, delta / 2.0),
    };
    // Rounded up: a loss is never shown smaller than it is.
    json!({ "events": events, "epsilon": (epsilon * 1e4).ceil() / 1e4, "delta": two_digits_up(delta) })
}

fn two_digits_up(delta: f64) -> f64 {
    if delta <= 0.0 {
        return 0.0;
    }
    let unit = 10_f64.powf(delta.log10().floor() - 1.0);
    let up = (delta / unit - 1e-9).ceil() * unit;
    format!("{up:.1e}").parse().unwrap_or(up)
}

fn round_ms(text: &str) -> Result<u64, Failure> {
    let (number, unit) = match text.strip_suffix("ms") {
        Some(number) => (number, 1),
        None => (text.strip_suffix('s').unwrap_or(text), 1_000),
    };
    let parsed = number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
    parsed.filter(|ms| ROUND_MS.contains(ms)).ok_or_else(|| {
        usage("--round is out of bounds", format!("“{text}” is not within 250ms and 300s"), "give 60s")
    })
}

fn buckets(text: &str) -> Result<Option<u16>, Failure> {
    if text == "auto" {
        return Ok(None);
    }
    text.parse().map(Some).map_err(|_| {
        usage("--buckets is not a number", format!("“{text}” is neither auto nor 1 to 4096"), "give auto")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        args: Args,
    }

    fn told(line: &str) -> Value {
        let args = Line::parse_from(std::iter::once("x").chain(line.split(' '))).args;
        let (stated, plan) = planned(&args).unwrap();
        answer(&stated, &plan).unwrap()
    }

    #[test]
    fn a_large_site_is_told_its_buckets_and_bytes() {
        let told = told("--users 10000 --dp-epsilon 1 --dp-events 100");
        assert_eq!(told["mechanism"], json!({ "kind": "gaussian", "sigma2": 4360, "shift": 388 }));
        assert_eq!(
            (&told["mode"], &told["buckets"], &told["rows"]),
            (&json!("bucketed"), &json!(17), &json!(2248))
        );
        assert_eq!(told["last_hop_cells_per_s"], json!(516));
        let sums = told["composition"].as_array().unwrap();
        assert_eq!(sums.len(), 5);
        assert_eq!((&sums[2]["epsilon"], &sums[2]["delta"]), (&json!(1.0), &json!(9.7e-7)));
    }

    #[test]
    fn a_small_site_without_privacy_flags_draws_nothing_and_loses_nothing() {
        let told = told("--users 200 --nodes 3");
        assert_eq!(
            (&told["mode"], &told["rows"], &told["covers_drawn"]),
            (&json!("full"), &json!(220), &json!(false))
        );
        assert!(told["composition"].as_array().unwrap().iter().all(|sum| sum["epsilon"] == json!(0.0)));
    }

    #[test]
    fn the_alias_is_told_per_event() {
        let told = told("--users 100000 --cover-traffic-epsilon 0.1 --cover-traffic-delta 1e-6");
        assert_eq!(told["mechanism"]["shift"], json!(277));
        assert_eq!(told["composition"][0], json!({ "events": 1, "epsilon": 0.1, "delta": 1e-6 }));
    }

    #[test]
    fn rounds_are_read_with_their_unit() {
        assert_eq!([round_ms("60s").unwrap(), round_ms("250ms").unwrap()], [60_000, 250]);
        for text in ["0s", "301s", "249ms", "s", "-5s", "99999999999999999999s"] {
            assert!(round_ms(text).is_err(), "{text}");
        }
    }
}
