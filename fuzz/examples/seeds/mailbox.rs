//! Seeds of the mailbox targets.

use std::collections::BTreeMap;

use mailbox::budget::plan::{Cascade, Topology};
use mailbox::budget::{PrivacyBudget, Spending};
use mailbox::simulation::description::Description;
use mailbox::simulation::{Load, Place, Setting, Simulation, View};

use crate::{Seeds, texts};

pub fn all() -> Vec<Seeds> {
    vec![
        ("decimal", texts(["0.1", "1e-6", "12E+1", "0.000125", "999999999999999999", "1e-18"])),
        ("simulation", vec![description(Spending::Total), description(Spending::PerEvent)]),
    ]
}

fn description(spending: Spending) -> Vec<u8> {
    let setting = Setting {
        rounds: 100,
        users: 100,
        cascade: Cascade::new(3, Topology::Ring, None).expect("three relays"),
        buckets: 2,
        budget: PrivacyBudget::new(decimal("0.5"), decimal("1e-6"), 1).expect("a budget"),
        spending,
        noise_in_full: false,
        load: Load::Binomial(decimal("0.05")),
        worlds: [Place::Null, Place::Bucket(0)],
        breached: None,
        view: Some(View::Count),
        seed: [42; 32],
    };
    let simulation = Simulation::new(setting).expect("a setting that fits");
    let digest = "00".repeat(32);
    let files = BTreeMap::from(["world-a/null.txt", "world-b/bucket-0001.txt"].map(|path| (path.to_owned(), digest.clone())));
    serde_json::to_vec(&Description::of(&simulation, "0.1.0", files)).expect("a description can be written")
}

fn decimal(text: &str) -> mailbox::cover::decimal::Decimal {
    text.parse().expect("a decimal")
}
