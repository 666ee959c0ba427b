//! The privacy flags, as every relay verb takes them: a total (`--dp-…`), or the alias that spends by the event (`--cover-traffic-…`).

use crate::failure::{Exit, Failure};
use clap::{Args, ValueEnum};
use mailbox::budget::account::composed;
use mailbox::budget::plan::{Cascade, PlanError, Topology};
use mailbox::budget::{Adjacency, BudgetError, PrivacyBudget, Spending, value};
use mailbox::cover::decimal::Decimal;

/// Where the page about these flags stands.
const PAGE: &str = "docs/problems/relay/privacy-flags.md";

/// What δ is where only ε is given.
const DELTA: &str = "1e-6";

/// The privacy flags. Values are decimal fractions and are never rounded.
#[derive(Args, Clone, Default)]
pub struct Privacy {
    /// Total epsilon over all protected events [default: 1]
    #[arg(long, value_name = "E", allow_hyphen_values = true)]
    dp_epsilon: Option<String>,
    /// Total delta over all protected events, below 1e-3 [default: 1e-6]
    #[arg(long, value_name = "D", allow_hyphen_values = true)]
    dp_delta: Option<String>,
    /// Protected events that the total covers: real cells, sent or answered
    #[arg(long, value_name = "T")]
    dp_events: Option<u64>,
    /// Alias: epsilon of every single event, which adds up
    #[arg(long, value_name = "E", allow_hyphen_values = true)]
    cover_traffic_epsilon: Option<String>,
    /// Alias: delta of every single event [default: 1e-6]
    #[arg(long, value_name = "D", allow_hyphen_values = true)]
    cover_traffic_delta: Option<String>,
    /// With more than 1, the alias is a total over so many events
    #[arg(long, value_name = "T")]
    cover_traffic_events: Option<u64>,
}

/// The relays of a network.
#[derive(Args, Clone)]
pub struct Relays {
    /// Relays of the network
    #[arg(long, default_value_t = 3)]
    nodes: u8,
    /// ring: every relay in turn; mesh: a majority in turn, the others stand by
    #[arg(long, value_enum, default_value_t = Shape::Ring)]
    topology: Shape,
    /// Hops of every cell [default: by the topology]
    #[arg(long, value_name = "K")]
    hops: Option<u8>,
}

/// `--topology`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Shape {
    /// All relays in turn.
    Ring,
    /// Some of them.
    Mesh,
}

/// What the flags state.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stated {
    /// (ε, δ, T).
    pub budget: PrivacyBudget,
    /// A total, or by the event.
    pub spending: Spending,
    /// Whether any flag was given: covers are drawn in full mode then too.
    pub given: bool,
}

impl Privacy {
    /// Reads the flags; `events` is T where none is given.
    ///
    /// # Errors
    /// A usage failure of four lines that names the flag.
    pub fn stated(&self, events: u64) -> Result<Stated, Failure> {
        let total = self.dp_epsilon.is_some() || self.dp_delta.is_some() || self.dp_events.is_some();
        let alias = self.cover_traffic_epsilon.is_some()
            || self.cover_traffic_delta.is_some()
            || self.cover_traffic_events.is_some();
        if total && alias {
            return Err(usage(
                "--dp-… and --cover-traffic-… are both given",
                "one states a total, the other what every event spends: they cannot both hold",
                "keep --dp-epsilon, --dp-delta and --dp-events",
            ));
        }
        let (prefix, epsilon, delta) = if alias {
            ("--cover-traffic", &self.cover_traffic_epsilon, &self.cover_traffic_delta)
        } else {
            ("--dp", &self.dp_epsilon, &self.dp_delta)
        };
        let events =
            if alias { self.cover_traffic_events.unwrap_or(1) } else { self.dp_events.unwrap_or(events) };
        let epsilon = decimal(&format!("{prefix}-epsilon"), epsilon.as_deref().unwrap_or("1"))?;
        let delta = decimal(&format!("{prefix}-delta"), delta.as_deref().unwrap_or(DELTA))?;
        let budget = PrivacyBudget::new(epsilon, delta, events).map_err(|error| refused(prefix, error))?;
        let spending = if alias && events == 1 { Spending::PerEvent } else { Spending::Total };
        // A budget that cannot be met is refused here, by the flag, whatever it is asked for.
        budget.cover(spending, Adjacency::Substitution).map_err(|error| refused(prefix, error))?;
        Ok(Stated { budget, spending, given: total || alias })
    }
}

impl Relays {
    /// The cascade that the flags describe.
    ///
    /// # Errors
    /// A usage failure where there are fewer relays than hops.
    pub fn cascade(&self) -> Result<Cascade, Failure> {
        let topology = match self.topology {
            Shape::Ring => Topology::Ring,
            Shape::Mesh => Topology::Mesh,
        };
        Cascade::new(self.nodes, topology, self.hops).map_err(|error| plan_refused(&error))
    }
}

impl Stated {
    /// What the alias prints on standard error, before anything else: that its ε is spent again and again.
    pub fn warning(&self, cascade: &Cascade) -> Option<String> {
        if self.spending == Spending::Total {
            return None;
        }
        let own = self.budget.epsilon();
        let adjacency = if cascade.nodes() == 1 { Adjacency::OneCount } else { Adjacency::Substitution };
        let cover = self.budget.cover(self.spending, adjacency).ok()?;
        let sums = [10, 100, 1_000].map(|n| composed(&cover, adjacency, n, value(self.budget.delta())));
        if adjacency == Adjacency::OneCount {
            let [ten, hundred, thousand] = sums.map(|(epsilon, _)| format!("{epsilon:.1}"));
            return Some(format!(
                "messages: epsilon 0; {own} covers one client's presence in one round, not towards the live relay; 10, 100, \
                 1,000 rounds: {ten}, {hundred}, {thousand}\n"
            ));
        }
        let [ten, hundred, thousand] =
            sums.map(|(epsilon, delta)| format!("({}, {delta:.1e})", short(epsilon)));
        Some(format!(
            "warning: {own} is spent by every protected event. 10, 100, 1,000 events add up to {ten} {hundred} {thousand}.\n         \
             State a total: --dp-epsilon 1 --dp-delta 1e-6 --dp-events 1000. Guarantee of this set-up: {}.\n",
            cascade.guarantee()
        ))
    }
}

/// A usage failure of four lines.
pub fn usage(what: impl Into<String>, cause: impl Into<String>, fix: impl Into<String>) -> Failure {
    let mut failure = Failure::new(Exit::Usage, what, cause, fix).code("relay/privacy-flags");
    failure.page = Some(PAGE.into());
    failure
}

/// A plan that cannot be made, as a usage failure.
pub fn plan_refused(error: &PlanError) -> Failure {
    let (what, fix) = match error {
        PlanError::Hops { .. } => {
            ("--hops and --nodes do not fit", "give at least as many relays as hops, and at most 7 hops")
        }
        PlanError::BucketsOfOne(_) => {
            ("--buckets with one relay", "leave --buckets out, or give more relays")
        }
        PlanError::Buckets(_) => ("--buckets is out of bounds", "give 1 to 4096, or auto"),
        PlanError::Users(_) => ("--users is out of bounds", "give 1 to 10,000,000"),
        PlanError::Budget(error) => return refused("--dp", *error),
    };
    usage(what, error.to_string(), fix)
}

fn refused(prefix: &str, error: BudgetError) -> Failure {
    let (flag, fix) = match error {
        BudgetError::EpsilonZero => ("epsilon", "give an epsilon above 0, such as 1"),
        BudgetError::DeltaZero => ("delta", "give a delta above 0, such as 1e-6"),
        BudgetError::DeltaTooLarge(_) => ("delta", "give a delta below 1e-3, such as 1e-6"),
        BudgetError::Events(_) => ("events", "give the number of protected events, such as 1000"),
        BudgetError::Shift | BudgetError::Cover(_) => ("epsilon", "give a larger epsilon, or fewer events"),
    };
    usage(format!("{prefix}-{flag} cannot be met"), error.to_string(), fix)
}

fn decimal(flag: &str, text: &str) -> Result<Decimal, Failure> {
    if text.strip_prefix('-').is_some_and(|rest| rest.parse::<Decimal>().is_ok()) {
        return Err(usage(
            format!("{flag} cannot be met"),
            format!("{text} is not above 0"),
            "give a number above 0",
        ));
    }
    text.parse().map_err(|error| {
        usage(
            format!("{flag} is not a number that can be kept exactly"),
            format!("“{text}” is {error}"),
            "write it as 0.1 or 1e-6",
        )
    })
}

/// Two places below one, one above: as the warning prints them.
fn short(epsilon: f64) -> String {
    if epsilon < 1.0 { format!("{epsilon:.2}") } else { format!("{epsilon:.1}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn alias(epsilon: &str) -> Privacy {
        Privacy { cover_traffic_epsilon: Some(epsilon.to_owned()), ..Privacy::default() }
    }

    fn total(epsilon: &str, delta: &str, events: u64) -> Privacy {
        Privacy {
            dp_epsilon: Some(epsilon.to_owned()),
            dp_delta: Some(delta.to_owned()),
            dp_events: Some(events),
            ..Privacy::default()
        }
    }

    fn ring(nodes: u8) -> Cascade {
        Cascade::new(nodes, Topology::Ring, None).unwrap()
    }

    #[test]
    fn the_alias_warns_in_the_words_of_the_manual() {
        let warning = alias("0.1").stated(1_000).unwrap().warning(&ring(3)).unwrap();
        assert_eq!(
            warning,
            "warning: 0.1 is spent by every protected event. 10, 100, 1,000 events add up to (0.90, 1.1e-5) (3.5, 1.0e-4) \
             (13.3, 1.0e-3).\n         State a total: --dp-epsilon 1 --dp-delta 1e-6 --dp-events 1000. Guarantee of this set-up: \
             ring of 3: holds against any 2 breached; with one relay down it stalls.\n"
        );
    }

    #[test]
    fn one_relay_says_what_the_alias_covers_there() {
        let warning = alias("0.1").stated(1_000).unwrap().warning(&ring(1)).unwrap();
        assert!(warning.starts_with("messages: epsilon 0; 0.1 covers one client's presence in one round"));
        assert!(warning.ends_with("10, 100, 1,000 rounds: 1.0, 5.1, 20.5\n"));
    }

    #[test]
    fn the_alias_over_many_events_is_a_total_and_warns_of_nothing() {
        let many = Privacy { cover_traffic_events: Some(1_000), ..alias("1") }.stated(1).unwrap();
        assert_eq!(many.budget, total("1", "1e-6", 1_000).stated(1).unwrap().budget);
        assert_eq!((many.spending, many.warning(&ring(3))), (Spending::Total, None));
    }

    #[test]
    fn without_flags_the_default_total_stands_and_nothing_counts_as_given() {
        let stated = Privacy::default().stated(1_000).unwrap();
        assert_eq!(stated.budget, total("1", "1e-6", 1_000).stated(1).unwrap().budget);
        assert!(!stated.given && total("1", "1e-6", 1).stated(1).unwrap().given);
    }

    #[test]
    fn each_impossible_flag_is_named_in_four_lines_with_exit_2() {
        let both = Privacy { dp_events: Some(5), ..alias("0.1") };
        let cases = [
            (both, "both given"),
            (total("0", "1e-6", 1), "--dp-epsilon"),
            (total("-1", "1e-6", 1), "--dp-epsilon"),
            (alias("0"), "--cover-traffic-epsilon"),
            (total("1", "1e-3", 1), "--dp-delta"),
            (total("1", "0", 1), "--dp-delta"),
            (total("1", "1e-6", 0), "--dp-events"),
            (total("0.01", "1e-6", 10_000), "--dp-epsilon"),
            (total("one", "1e-6", 1), "--dp-epsilon"),
        ];
        for (flags, named) in cases {
            let failure = flags.stated(1).unwrap_err();
            let text = failure.render(false);
            assert_eq!((failure.exit, text.lines().count()), (Exit::Usage, 4), "{text}");
            assert!(text.contains(named), "{text}");
        }
    }
}
