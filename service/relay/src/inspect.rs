//! What a stolen disk shows: every stored column of the room, the law of its sizes, and the entropy of its bytes.

use crate::{Relay, store};
use ::store::{Ctx, StoreFault};
use mailbox::network::Class;
use mailbox::statement::{ROW_BYTES, SignedRound};

/// A stored column and what stands in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Column {
    /// The table.
    pub table: &'static str,
    /// The column.
    pub column: &'static str,
    /// The law of its sizes.
    pub size: &'static str,
    /// What somebody who reads it learns.
    pub tells: &'static str,
}

/// Every column of the room. A test holds it against the migrations.
pub const COLUMNS: &[Column] = &[
    row("relay_intake", "tenant_id", "text", "nothing"),
    row("relay_intake", "class", "number", "which class"),
    row("relay_intake", "round", "number", "which round is being carried"),
    row("relay_intake", "part", "number", "commits in the round so far"),
    row(
        "relay_intake",
        "cells",
        "562 bytes a cell",
        "how many cells were taken in 20 ms; each sealed to the hop key",
    ),
    row("relay_bucket_round", "tenant_id", "text", "nothing"),
    row("relay_bucket_round", "class", "number", "which class"),
    row("relay_bucket_round", "round", "number", "which round"),
    row("relay_bucket_round", "bucket", "number", "0: there is one bucket"),
    row("relay_bucket_round", "part", "number", "place in a long blob"),
    row(
        "relay_bucket_round",
        "cells",
        "512 bytes a row",
        "how many were online; rows are sorted and sealed by contacts",
    ),
    row("relay_round", "tenant_id", "text", "nothing"),
    row("relay_round", "class", "number", "which class"),
    row("relay_round", "round", "number", "which round"),
    row("relay_round", "statement", "320 bytes", "public"),
    row("relay_statement", "tenant_id", "text", "nothing"),
    row("relay_statement", "kind", "text", "manifest or epoch"),
    row("relay_statement", "version", "number", "public"),
    row("relay_statement", "body", "text", "public"),
    row("relay_epoch_key", "tenant_id", "text", "nothing"),
    row("relay_epoch_key", "epoch", "number", "which epoch"),
    row("relay_epoch_key", "purpose", "text", "nothing"),
    row(
        "relay_epoch_key",
        "secret",
        "32 bytes, encrypted",
        "with the store's key: opens cells that are in flight",
    ),
    row("relay_member", "tenant_id", "text", "nothing"),
    row("relay_member", "member_id", "text", "a pseudonym"),
    row("relay_member", "member_key", "32 bytes", "a pseudonym that no cell carries"),
    row("relay_member", "state", "text", "active or suspended"),
    row("relay_member", "added_day", "number", "the day of joining"),
    row("relay_member", "turns", "number", "1, or a server's"),
    row("relay_link", "tenant_id", "text", "nothing"),
    row("relay_link", "sha256", "32 bytes", "that a link is open"),
    row("relay_link", "expires_at_ms", "number", "seven days after it was made"),
];

/// What a sample of a blob column measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Measured {
    /// Rounds that were looked at.
    pub rounds: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// Whether every blob is whole rows of 512 bytes, in the order of their bytes.
    pub is_lawful: bool,
    /// Thousandths of a bit per byte.
    pub entropy_millibits: u64,
}

/// Rounds that one look takes.
const ROUNDS_MAX: usize = 100;

impl Relay {
    /// Measures the rows of the last rounds: what a thief has of the messages.
    ///
    /// # Errors
    /// [`StoreFault`].
    pub async fn measured(&self, ctx: &Ctx) -> Result<Measured, StoreFault> {
        let ctx = &self.inside(ctx);
        let (mut all, mut is_lawful, mut rounds) = (Vec::new(), true, 0);
        for row in store::last_rounds(self.store(), ctx, Class::Normal, ROUNDS_MAX).await? {
            let rows = store::rows(self.store(), ctx, Class::Normal, row.round, 0).await?;
            let (cells, rest) = rows.as_chunks::<ROW_BYTES>();
            let stated = SignedRound::parse(&row.statement)
                .is_ok_and(|signed| signed.unverified().rows as usize == cells.len());
            is_lawful &= rest.is_empty() && cells.is_sorted() && (stated || cells.is_empty());
            rounds += 1;
            all.extend(rows);
        }
        let entropy_millibits = if all.is_empty() { 0 } else { entropy_millibits(&all) };
        Ok(Measured { rounds, bytes: all.len() as u64, is_lawful, entropy_millibits })
    }
}

const fn row(table: &'static str, column: &'static str, size: &'static str, tells: &'static str) -> Column {
    Column { table, column, size, tells }
}

/// Shannon entropy of the bytes, in thousandths of a bit per byte; 8,000 is the most. Cells are as good as random: a sample of n
/// bytes falls short of 8,000 by about 184,000/n.
pub fn entropy_millibits(bytes: &[u8]) -> u64 {
    let mut counts = [0u64; 256];
    for &byte in bytes {
        counts[usize::from(byte)] += 1;
    }
    let total = bytes.len() as f64;
    let bits: f64 = counts
        .iter()
        .filter(|&&count| count > 0)
        .map(|&count| {
            let share = count as f64 / total;
            -share * share.log2()
        })
        .sum();
    (bits * 1_000.0).round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_stored_column_is_listed() {
        let mut table = "";
        let mut stored = Vec::new();
        for line in include_str!("migrations/0001_relay.sql").lines() {
            if let Some(rest) = line.strip_prefix("CREATE TABLE ") {
                table = rest.trim_end_matches(" (");
            } else if let Some(column) = line.strip_prefix("  ").and_then(|rest| rest.split(' ').next())
                && line.contains("-- data:")
            {
                stored.push((table, column));
            }
        }
        let listed: Vec<_> = COLUMNS.iter().map(|one| (one.table, one.column)).collect();
        assert_eq!(listed, stored);
        let telling = ["sender", "recipient", "address", "ip", "user", "peer", "connected_at"];
        assert!(stored.iter().all(|(_, column)| !telling.contains(column)));
    }

    #[test]
    fn entropy_is_that_of_the_bytes() {
        assert_eq!(entropy_millibits(&[7; 100]), 0);
        let all: Vec<u8> = (0..=255).collect();
        assert_eq!(entropy_millibits(&all), 8_000);
        assert_eq!(entropy_millibits(&[0, 1]), 1_000);
    }
}
