//! Targets of `protocol/mailbox`.

use mailbox::budget::{Adjacency, PrivacyBudget, Spending};
use mailbox::cover::decimal::Decimal;
use mailbox::simulation::description::Description;

use crate::input::{self, text};

/// A decimal is exact: printed and read again it is the same, and within bounds it is a budget whose mechanism is within its own.
pub fn decimal(bytes: &[u8]) {
    let Some(Ok(decimal)) = text(bytes).map(str::parse::<Decimal>) else { return };
    assert_eq!(decimal.to_string().parse(), Ok(decimal));
    let ratio = decimal.divided(2);
    assert!(ratio.den > 0 && (ratio.num == 0) == decimal.is_zero());
    let delta = "1e-6".parse().expect("a decimal");
    let Ok(budget) = PrivacyBudget::new(decimal, delta, 1) else { return };
    if let Ok(cover) = budget.cover(Spending::PerEvent, Adjacency::Substitution) {
        assert!(cover.shift() >= 1);
        input::accepted();
    }
}

/// A description that is read names no file outside its folder, and what is written of it is read again with the same files.
pub fn simulation(bytes: &[u8]) {
    let Ok(read) = Description::parse(bytes) else { return };
    assert!(read.files.keys().all(|path| path.starts_with("world-") && !path.contains("..")));
    let again = serde_json::to_vec(&read).expect("what was read can be written");
    // Floats may differ in their last bit; nothing else may.
    let again = Description::parse(&again).expect("what we write we read");
    assert_eq!((again.files, again.seed, again.mechanism), (read.files, read.seed, read.mechanism));
    input::accepted();
}
