//! The statement of a round: what was carried, by whom, and the root of the buckets; signed by every hop.
//!
//! ```text
//! RoundStatement ─ encode ─▶ bytes ─ signatures ─▶ SignedRound ─ parse(k) ─ verify(epoch, identities) ─▶ RoundStatement
//! rows of a bucket ─ bucket_leaf ─▶ leaf ─ RFC 6962 ─▶ buckets_root
//! ```
//!
//! Invariant: a statement has exactly one length for its number of hops, and no statement of another kind has the same label.

use crypto::hash::{sha256, sha256_of};
use crypto::key::{KeyAlg, PublicKey, SignAlg};
use tlog::merkle::{Hash, leaf_hash, root_of};
use tlog::proof;

use crate::bytes::{Malformed, Reader};
use crate::label::label;
use crate::network::{Class, HOPS_MAX, Identity, NetworkId};

/// Bytes of a cell, and so of a row.
pub const ROW_BYTES: usize = 512;
/// Bytes of a row that its index holds: the first of its tag.
pub const INDEX_BYTES: usize = 4;
/// Bytes of a signature.
pub const SIGNATURE_BYTES: usize = 64;

const FIXED_BYTES: usize = 32 + 1 + 4 + 2 + 8 + 8 + 1 + 21 + 2 + 4 + 32;
const HOP_BYTES: usize = 1 + 4 + 4 + 4 + 32 * 4;

/// What a signature under a statement covers: `L(type) ‖ len u32 ‖ bytes`.
pub fn statement_message(kind: &str, bytes: &[u8]) -> Vec<u8> {
    let length = u32::try_from(bytes.len()).expect("statements are bounded far below 4 GiB");
    [&label(&[kind.as_bytes()])[..], &length.to_be_bytes(), bytes].concat()
}

/// What a hop says of its part in a round.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct HopLine {
    /// Its place in the manifest.
    pub relay: u8,
    /// Cells that came in; zero for the entry, since nobody can check it and it counts who is online.
    pub cells_in: u32,
    /// Cells that went out.
    pub cells_out: u32,
    /// Cells that did not open; zero for the entry.
    pub dropped: u32,
    /// SHA-256 of the batch that went out; of the rows of all buckets in order, for the last hop.
    pub digest: [u8; 32],
    /// H(seed) of the round; zero where there are no audit rounds.
    pub seed_commit: [u8; 32],
    /// H(x); zero where there are no audit rounds.
    pub coin_commit: [u8; 32],
    /// x; zero for the entry and where there are no audit rounds.
    pub coin: [u8; 32],
}

/// The noise that was added, in numbers.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct MechanismLine {
    /// 0 none, 1 Gaussian, 2 Laplace.
    pub kind: u8,
    /// σ², or the numerator of ε.
    pub num: u64,
    /// 1, or the denominator of ε.
    pub den: u64,
    /// The shift.
    pub shift: u32,
}

/// A round, in the words of its hops.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RoundStatement {
    /// The network.
    pub network: NetworkId,
    /// The class.
    pub class: Class,
    /// The epoch.
    pub epoch: u32,
    /// The view.
    pub view: u16,
    /// The round.
    pub round: u64,
    /// First round whose cells are in it: earlier than `round` where cells were held.
    pub collect_from: u64,
    /// The noise.
    pub mechanism: MechanismLine,
    /// B.
    pub buckets: u16,
    /// M: rows of each bucket. With one relay, the rows of this round.
    pub rows: u32,
    /// One line a hop, in the order of the cascade; its length is k.
    pub hops: Vec<HopLine>,
    /// Root over [`bucket_leaf`] of every bucket.
    pub buckets_root: Hash,
}

/// A statement with the signatures of its hops, as it travels and is kept.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignedRound {
    statement: RoundStatement,
    signatures: Vec<[u8; SIGNATURE_BYTES]>,
}

/// Why a statement is not believed.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum StatementRejection {
    /// Not the length that its number of hops asks for, or a number that does not exist.
    #[error("not a round statement")]
    Form,
    /// Of another network, class, round, epoch or view than expected.
    #[error("of another round")]
    Other,
    /// The hops do not chain: what went out of one is not what came into the next.
    #[error("the counts of the hops do not chain")]
    Counts,
    /// A hop is not of the cascade, or did not sign.
    #[error("hop {0} did not sign")]
    Signature(usize),
    /// Rows, index or path do not lead to the root.
    #[error("the rows are not those of the statement")]
    Rows,
}

impl RoundStatement {
    /// Bytes of a statement of `k` hops, without signatures.
    pub const fn bytes(k: usize) -> usize {
        FIXED_BYTES + k * HOP_BYTES
    }

    /// The bytes that are signed.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(Self::bytes(self.hops.len()));
        out.extend(self.network.0);
        out.push(self.class.number());
        out.extend(self.epoch.to_be_bytes());
        out.extend(self.view.to_be_bytes());
        out.extend(self.round.to_be_bytes());
        out.extend(self.collect_from.to_be_bytes());
        out.push(u8::try_from(self.hops.len()).expect("a cascade has at most seven hops"));
        out.push(self.mechanism.kind);
        out.extend(self.mechanism.num.to_be_bytes());
        out.extend(self.mechanism.den.to_be_bytes());
        out.extend(self.mechanism.shift.to_be_bytes());
        out.extend(self.buckets.to_be_bytes());
        out.extend(self.rows.to_be_bytes());
        for hop in &self.hops {
            out.push(hop.relay);
            out.extend(hop.cells_in.to_be_bytes());
            out.extend(hop.cells_out.to_be_bytes());
            out.extend(hop.dropped.to_be_bytes());
            for field in [&hop.digest, &hop.seed_commit, &hop.coin_commit, &hop.coin] {
                out.extend(field);
            }
        }
        out.extend(self.buckets_root);
        out
    }

    /// What a hop signs.
    pub fn message(&self) -> Vec<u8> {
        statement_message("round", &self.encode())
    }

    /// The statement with its signatures, which nobody has checked.
    ///
    /// # Panics
    /// When there is not one signature a hop.
    pub fn signed(self, signatures: Vec<[u8; SIGNATURE_BYTES]>) -> SignedRound {
        assert_eq!(signatures.len(), self.hops.len(), "every hop signs");
        SignedRound { statement: self, signatures }
    }

    /// Whether these rows are bucket `bucket` of the round, by the Merkle path that came with them.
    ///
    /// # Errors
    /// [`StatementRejection::Rows`].
    pub fn check_rows(&self, bucket: u16, rows: &[u8], path: &[Hash]) -> Result<(), StatementRejection> {
        if rows.len() as u64 != u64::from(self.rows) * ROW_BYTES as u64 {
            return Err(StatementRejection::Rows);
        }
        let leaf = bucket_leaf(bucket, &sha256(rows), &sha256(&index_of(rows)));
        proof::verify_inclusion(&leaf, u64::from(bucket), u64::from(self.buckets), path, &self.buckets_root)
            .map_err(|_| StatementRejection::Rows)
    }

    fn parse(bytes: &[u8]) -> Result<Self, Malformed> {
        let mut from = Reader::new(bytes);
        let network = NetworkId(from.array()?);
        let class = Class::of(from.u8()?).ok_or(Malformed)?;
        let (epoch, view, round, collect_from) = (from.u32()?, from.u16()?, from.u64()?, from.u64()?);
        let k = usize::from(from.u8()?);
        if !(1..=HOPS_MAX).contains(&k) || bytes.len() != Self::bytes(k) {
            return Err(Malformed);
        }
        let mechanism =
            MechanismLine { kind: from.u8()?, num: from.u64()?, den: from.u64()?, shift: from.u32()? };
        let (buckets, rows) = (from.u16()?, from.u32()?);
        let mut hops = Vec::with_capacity(k);
        for _ in 0..k {
            hops.push(HopLine {
                relay: from.u8()?,
                cells_in: from.u32()?,
                cells_out: from.u32()?,
                dropped: from.u32()?,
                digest: from.array()?,
                seed_commit: from.array()?,
                coin_commit: from.array()?,
                coin: from.array()?,
            });
        }
        let buckets_root = from.array()?;
        let bounded =
            mechanism.kind <= 2 && buckets >= 1 && rows <= crate::network::CELLS_MAX && collect_from <= round;
        (bounded && from.end().is_ok())
            .then_some(Self {
                network,
                class,
                epoch,
                view,
                round,
                collect_from,
                mechanism,
                buckets,
                rows,
                hops,
                buckets_root,
            })
            .ok_or(Malformed)
    }
}

/// What a reader expects of a round before it looks at it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Expected<'a> {
    /// The network.
    pub network: NetworkId,
    /// The class.
    pub class: Class,
    /// The epoch.
    pub epoch: u32,
    /// The view.
    pub view: u16,
    /// Places and identities of the cascade, in order.
    pub cascade: &'a [(u8, Identity)],
}

impl SignedRound {
    /// Bytes of a statement of `k` hops with its signatures.
    pub const fn bytes(k: usize) -> usize {
        RoundStatement::bytes(k) + k * SIGNATURE_BYTES
    }

    /// Reads `statement ‖ k signatures`, all of `bytes`.
    ///
    /// # Errors
    /// [`StatementRejection::Form`].
    pub fn parse(bytes: &[u8]) -> Result<Self, StatementRejection> {
        // The number of hops stands at a fixed place and fixes the length.
        let k = usize::from(*bytes.get(K_AT).ok_or(StatementRejection::Form)?);
        if !(1..=HOPS_MAX).contains(&k) || bytes.len() != Self::bytes(k) {
            return Err(StatementRejection::Form);
        }
        let (statement, signatures) = bytes.split_at(RoundStatement::bytes(k));
        let statement = RoundStatement::parse(statement).map_err(|_| StatementRejection::Form)?;
        let signatures = signatures.as_chunks::<SIGNATURE_BYTES>().0.to_vec();
        Ok(Self { statement, signatures })
    }

    /// As it travels and is kept.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = self.statement.encode();
        self.signatures.iter().for_each(|signature| out.extend(signature));
        out
    }

    /// The statement, which nobody has checked: for sizes and for those who made it.
    pub fn unverified(&self) -> &RoundStatement {
        &self.statement
    }

    /// Checks the statement against what is expected, its counts and every signature.
    ///
    /// # Errors
    /// [`StatementRejection`].
    pub fn verify(self, expected: &Expected<'_>) -> Result<RoundStatement, StatementRejection> {
        let it = &self.statement;
        let same = it.network == expected.network
            && it.class == expected.class
            && it.epoch == expected.epoch
            && it.view == expected.view
            && it.hops.len() == expected.cascade.len();
        if !same {
            return Err(StatementRejection::Other);
        }
        if it.hops[0].cells_in != 0 || it.hops[0].dropped != 0 {
            return Err(StatementRejection::Counts);
        }
        if it.hops.windows(2).any(|pair| pair[0].cells_out != pair[1].cells_in) {
            return Err(StatementRejection::Counts);
        }
        let message = it.message();
        for (nth, (hop, (place, identity))) in it.hops.iter().zip(expected.cascade).enumerate() {
            let key = PublicKey::from_raw(KeyAlg::Ed25519, identity.0)
                .map_err(|_| StatementRejection::Signature(nth))?;
            if hop.relay != *place || key.verify(SignAlg::EdDsa, &message, &self.signatures[nth]).is_err() {
                return Err(StatementRejection::Signature(nth));
            }
        }
        Ok(self.statement)
    }
}

/// Where k stands in a statement.
const K_AT: usize = 32 + 1 + 4 + 2 + 8 + 8;

/// The leaf of a bucket: `bucket u16 ‖ SHA-256(rows) ‖ SHA-256(index)`.
pub fn bucket_leaf(bucket: u16, rows_sha256: &[u8; 32], index_sha256: &[u8; 32]) -> Hash {
    leaf_hash(&[&bucket.to_be_bytes()[..], rows_sha256, index_sha256].concat())
}

/// The root over the rows of every bucket, in order.
pub fn buckets_root<T: AsRef<[u8]>>(buckets: &[T]) -> Hash {
    let leaves: Vec<Hash> = (0u16..)
        .zip(buckets)
        .map(|(number, rows)| bucket_leaf(number, &sha256(rows.as_ref()), &sha256(&index_of(rows.as_ref()))))
        .collect();
    root_of(&leaves)
}

/// First four bytes of every row: what a reader matches its tags against.
pub fn index_of(rows: &[u8]) -> Vec<u8> {
    rows.chunks_exact(ROW_BYTES).flat_map(|row| &row[..INDEX_BYTES]).copied().collect()
}

/// SHA-256 of what a last hop put out: the rows of all buckets in order.
pub fn rows_digest<T: AsRef<[u8]>>(buckets: &[T]) -> [u8; 32] {
    let parts: Vec<&[u8]> = buckets.iter().map(AsRef::as_ref).collect();
    sha256_of(&parts)
}
