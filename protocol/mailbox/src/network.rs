//! Who carries the cells: the manifest of a network and the statement of an epoch, signed JSON kept verbatim.
//!
//! ```text
//! Manifest ─ encode ─▶ text ─ signatures ─▶ SignedStatement ─ parse ─▶ Unverified ─ verify(pins) ─▶ Manifest
//! Epoch    ─ encode ─▶ text ─ signatures ─▶ SignedStatement ─ parse ─▶ Unverified ─ verify(manifest) ─▶ Epoch
//! ```
//!
//! Invariants: what is signed is what is kept, byte for byte; a manifest or epoch that was not checked is `Unverified`; an older
//! manifest than the one known is refused; every number is bounded before it is used.

use crypto::base64;
use crypto::hash::{equal, sha256};
use crypto::json;
use crypto::key::{KeyAlg, PublicKey, SignAlg};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

use crate::calendar::Calendar;
use crate::statement::statement_message;

/// Bytes of a manifest: at most seven hops stand in a cascade, and a network has few relays beside them.
pub const MANIFEST_BYTES_MAX: usize = 64 << 10;
/// Bytes of an epoch statement.
pub const EPOCH_BYTES_MAX: usize = 4 << 10;
/// Bytes of a statement with its signatures, as it is served.
pub const SIGNED_BYTES_MAX: usize = 2 * MANIFEST_BYTES_MAX;
/// Hops of a cascade: more would make rounds longer than people wait.
pub const HOPS_MAX: usize = 7;
/// Relays of a network: one number of one byte names each in a round statement.
pub const RELAYS_MAX: usize = 64;
/// Signatures under one statement: relays that stay, leave and join.
pub const SIGNATURES_MAX: usize = 2 * RELAYS_MAX;
/// Buckets of a class.
pub const BUCKETS_MAX: u32 = 4_096;
/// Cells of a round.
pub const CELLS_MAX: u32 = 1 << 20;
/// Letters of a name, and of an address of a relay.
pub const TEXT_CHARS_MAX: usize = 200;
/// Shortest and longest round of the normal class, milliseconds; a development network may go down to 250.
pub const ROUND_MS_MIN: u64 = 10_000;
/// Longest round.
pub const ROUND_MS_MAX: u64 = 300_000;
/// Shortest round of a development network.
pub const ROUND_MS_DEV_MIN: u64 = 250;
/// Shortest round of the fast class.
pub const ROUND_MS_FAST_MIN: u64 = 250;
/// Length of an epoch unless a development network says otherwise.
pub const EPOCH_MS: u64 = 86_400_000;

/// SHA-256 of the first manifest: what a network is called by those who do not trust names.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NetworkId(pub [u8; 32]);

impl NetworkId {
    /// Reads the form that people copy: 64 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        crypto::hex::decode(text).ok()?.try_into().ok().map(Self)
    }
}

impl std::fmt::Display for NetworkId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&crypto::hex::encode(&self.0))
    }
}

impl std::fmt::Debug for NetworkId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "NetworkId({self})")
    }
}

/// A class of rounds. Its number stands in frames, keys and statements.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
#[repr(u8)]
pub enum Class {
    /// Messages: rounds of a minute unless the manifest says otherwise.
    Normal = 0,
    /// What cannot wait: rounds of a second, always full mode, kept in memory alone.
    Fast = 1,
}

impl Class {
    /// The class of a number.
    pub const fn of(number: u8) -> Option<Self> {
        match number {
            0 => Some(Self::Normal),
            1 => Some(Self::Fast),
            _ => None,
        }
    }

    /// The number.
    pub const fn number(self) -> u8 {
        self as u8
    }
}

/// What came from outside and was not checked. The only way to the value is a `verify` of it.
#[derive(Clone, Debug)]
pub struct Unverified<T> {
    value: T,
    signed: SignedStatement,
}

/// A public Ed25519 key, as in statements: unpadded base64url of 32 bytes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Identity(pub [u8; 32]);

impl Identity {
    fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        PublicKey::from_raw(KeyAlg::Ed25519, self.0)
            .is_ok_and(|key| key.verify(SignAlg::EdDsa, message, signature).is_ok())
    }
}

impl std::fmt::Display for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&base64::url_encode(&self.0))
    }
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Identity({self})")
    }
}

macro_rules! base64url_text {
    ($ty:ident, $bytes:literal) => {
        impl Serialize for $ty {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(&base64::url_encode(&self.0))
            }
        }

        impl<'de> Deserialize<'de> for $ty {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                let text = String::deserialize(from)?;
                let bytes: Option<[u8; $bytes]> =
                    base64::url_decode(&text).ok().and_then(|bytes| bytes.try_into().ok());
                bytes
                    .map(Self)
                    .ok_or_else(|| serde::de::Error::custom(concat!("not base64url of ", $bytes, " bytes")))
            }
        }
    };
}
base64url_text!(Identity, 32);
base64url_text!(Signature, 64);
base64url_text!(NetworkId, 32);

/// An Ed25519 signature.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Signature(pub [u8; 64]);

/// One signature under a statement.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Signed {
    /// Who signed.
    pub identity: Identity,
    /// Over `L(type) ‖ len u32 ‖ statement`.
    pub signature: Signature,
}

/// A statement as it is served and kept: its text verbatim, and the signatures under it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SignedStatement {
    /// The JSON text that was signed.
    pub statement: String,
    /// Who signed it.
    pub signatures: Vec<Signed>,
}

impl SignedStatement {
    /// Reads the served form.
    ///
    /// # Errors
    /// [`NetworkRejection`].
    pub fn parse(bytes: &[u8]) -> Result<Self, NetworkRejection> {
        let signed: Self = strict(bytes, SIGNED_BYTES_MAX)?;
        if signed.signatures.len() > SIGNATURES_MAX {
            return Err(NetworkRejection::Bound("signatures"));
        }
        Ok(signed)
    }

    /// The served form.
    pub fn encode(&self) -> String {
        serde_json::to_string(self).expect("texts and byte strings always have a JSON form")
    }

    /// SHA-256 of the statement: the network id if it is a first manifest, the epoch digest if it is an epoch.
    pub fn digest(&self) -> [u8; 32] {
        sha256(self.statement.as_bytes())
    }

    fn is_signed_by(&self, kind: &str, identity: &Identity) -> bool {
        let message = statement_message(kind, self.statement.as_bytes());
        let mut theirs = self.signatures.iter().filter(|one| one.identity == *identity);
        theirs.any(|one| identity.verifies(&message, &one.signature.0))
    }
}

/// Why a manifest or an epoch is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NetworkRejection {
    /// Not JSON of the form, or a member that does not belong there.
    #[error("not a statement of this kind: {0}")]
    Form(String),
    /// A number, text or list is out of its bounds.
    #[error("{0} is out of its bounds")]
    Bound(&'static str),
    /// Somebody who must sign did not.
    #[error("the signature of {0} is missing or wrong")]
    Signature(Identity),
    /// An operator's word for a relay does not hold.
    #[error("the operator's signature for relay {0} is wrong")]
    Operator(usize),
    /// Older than, or beside, the one that is known.
    #[error("version {found} does not follow version {known}")]
    Version {
        /// What is known.
        known: u32,
        /// What came.
        found: u32,
    },
    /// Of another network.
    #[error("of another network")]
    Network,
}

/// How relays stand to each other.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Topology {
    /// All relays, in turn.
    Ring,
    /// Some of the relays, in turn; the others stand by.
    Mesh,
}

impl Topology {
    /// The word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ring => "ring",
            Self::Mesh => "mesh",
        }
    }
}

/// Whether a cell costs a token.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tokens {
    /// None is asked for: development networks alone.
    Off,
    /// One for each cell.
    Required,
}

/// What a class of a network publishes.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// One bucket, null cells stored too: whether a cell is real does not show.
    Full,
    /// Several buckets and noise at every hop.
    Bucketed,
}

/// The noise that hops add.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Mechanism {
    /// None: full mode needs none.
    None,
    /// Discrete Gaussian.
    Gaussian {
        /// Variance.
        sigma2: u64,
        /// What is added before the clamp at 0.
        shift: u32,
    },
    /// Discrete Laplace, `epsilon_b = num/den`.
    Laplace {
        /// Numerator.
        num: u64,
        /// Denominator.
        den: u64,
        /// What is added before the clamp at 0.
        shift: u32,
    },
}

/// A relay of a network.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RelayEntry {
    /// For people.
    pub name: String,
    /// Where it answers; nothing else is ever dialled.
    pub url: String,
    /// Signs for the relay.
    pub identity: Identity,
    /// Signs for who runs it: distinct operators are distinct trust domains.
    pub operator: Identity,
    /// The operator's word over `L("operator") ‖ len ‖ identity ‖ url`.
    pub operator_sig: Signature,
}

/// Who issues tokens.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenIssuer {
    /// Where it answers.
    pub url: String,
    /// Stands in every Schnorr proof made for it.
    pub identity: Identity,
}

/// A class, as long as the manifest holds.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClassRule {
    /// Its number.
    pub id: u8,
    /// Length of a round.
    pub round_ms: u64,
    /// What is published.
    pub mode: Mode,
    /// Rounds that one fetch covers.
    pub window: u32,
    /// Its noise.
    pub mechanism: Mechanism,
}

/// The total that a network promises, as decimal texts: they never pass through floats.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// E.
    pub epsilon: String,
    /// δ.
    pub delta: String,
    /// T.
    pub events: u64,
}

/// A network, as its relays sign it.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// 1 for the first; each next one is one higher.
    pub version: u32,
    /// The network, from version 2 on; the first one *is* the network id.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<NetworkId>,
    /// For people.
    pub name: String,
    /// Development: short rounds, tokens may be off, no promise to anybody.
    pub dev: bool,
    /// When round 0 of every class begins, Unix milliseconds.
    pub genesis_ms: u64,
    /// Length of an epoch.
    pub epoch_ms: u64,
    /// How relays stand to each other.
    pub topology: Topology,
    /// Relays.
    pub n: u32,
    /// Hops of a cascade.
    pub k: u32,
    /// The relays, in the order of cascades.
    pub relays: Vec<RelayEntry>,
    /// Whether a cell costs a token.
    pub tokens: Tokens,
    /// Who issues them, and takes members.
    pub token_issuer: TokenIssuer,
    /// The classes that run.
    pub classes: Vec<ClassRule>,
    /// The total promise; ε = 0 in full mode.
    pub claim: Claim,
    /// Share of members that a round is expected to carry cells of, a decimal text.
    pub activity: String,
    /// Days that buckets are kept.
    pub retention: u32,
    /// What holds against whom, in words.
    pub guarantee: String,
}

impl Manifest {
    /// The text to sign.
    pub fn encode(&self) -> String {
        serde_json::to_string(self).expect("the manifest has a JSON form")
    }

    /// Reads a served manifest. The order of members is the writer's: the text is kept as it came.
    ///
    /// # Errors
    /// [`NetworkRejection`].
    pub fn parse(signed: SignedStatement) -> Result<Unverified<Self>, NetworkRejection> {
        let value: Self = strict(signed.statement.as_bytes(), MANIFEST_BYTES_MAX)?;
        value.check()?;
        Ok(Unverified { value, signed })
    }

    /// The class with this number.
    pub fn class(&self, class: Class) -> Option<&ClassRule> {
        self.classes.iter().find(|rule| rule.id == class.number())
    }

    /// The rhythm of the network.
    pub fn calendar(&self) -> Calendar {
        let round_ms = |class| self.class(class).map_or(0, |rule| rule.round_ms);
        Calendar::new(self.genesis_ms, self.epoch_ms, round_ms(Class::Normal), round_ms(Class::Fast))
            .expect("a parsed manifest has whole rounds of lengths above zero")
    }

    /// Distinct operators: N relays of one operator are one trust domain.
    pub fn trust_domains(&self) -> usize {
        self.relays.iter().map(|relay| relay.operator).collect::<BTreeSet<_>>().len()
    }

    /// What an operator signs for a relay.
    pub fn operator_message(identity: &Identity, url: &str) -> Vec<u8> {
        statement_message("operator", &[&identity.0, url.as_bytes()].concat())
    }

    /// The cascade of an epoch, as places in [`Manifest::relays`], and who stands by: k relays from place `epoch mod N` on,
    /// operators not yet taken first.
    pub fn cascade(&self, epoch: u32) -> (Vec<u8>, Vec<u8>) {
        let n = self.relays.len();
        let turn: Vec<usize> = (0..n).map(|i| (epoch as usize + i) % n.max(1)).collect();
        let mut seen = BTreeSet::new();
        let (fresh, again): (Vec<usize>, Vec<usize>) =
            turn.into_iter().partition(|&place| seen.insert(self.relays[place].operator));
        let mut order = fresh.into_iter().chain(again).map(|place| place as u8);
        let cascade: Vec<u8> = order.by_ref().take(self.k as usize).collect();
        (cascade, order.collect())
    }

    fn check(&self) -> Result<(), NetworkRejection> {
        let bound = |name, fits: bool| if fits { Ok(()) } else { Err(NetworkRejection::Bound(name)) };
        let text = |text: &str| !text.is_empty() && text.chars().count() <= TEXT_CHARS_MAX;
        bound("version", self.version >= 1)?;
        bound("network", self.network.is_some() == (self.version > 1))?;
        bound("name", text(&self.name))?;
        bound("n", (1..=RELAYS_MAX).contains(&self.relays.len()) && self.relays.len() == self.n as usize)?;
        bound("k", (1..=HOPS_MAX.min(self.relays.len())).contains(&(self.k as usize)))?;
        bound("relays", self.relays.iter().all(|relay| text(&relay.name) && text(&relay.url)))?;
        let identities: BTreeSet<_> = self.relays.iter().map(|relay| relay.identity).collect();
        bound("relays", identities.len() == self.relays.len())?;
        bound("token_issuer", text(&self.token_issuer.url))?;
        bound("tokens", self.dev || self.tokens == Tokens::Required)?;
        bound("genesis_ms", self.genesis_ms < 1 << 46)?;
        bound(
            "epoch_ms",
            if self.dev { (1_000..=EPOCH_MS).contains(&self.epoch_ms) } else { self.epoch_ms == EPOCH_MS },
        )?;
        bound("retention", (1..=400).contains(&self.retention))?;
        bound(
            "claim",
            self.claim.epsilon.len() <= 32 && self.claim.delta.len() <= 32 && self.activity.len() <= 32,
        )?;
        bound("guarantee", self.guarantee.chars().count() <= 2_000)?;
        bound("classes", self.classes.first().is_some_and(|rule| rule.id == 0) && self.classes.len() <= 2)?;
        for (number, rule) in self.classes.iter().enumerate() {
            bound("classes", rule.id as usize == number)?;
            let shortest = if number == 1 {
                ROUND_MS_FAST_MIN
            } else if self.dev {
                ROUND_MS_DEV_MIN
            } else {
                ROUND_MS_MIN
            };
            bound("round_ms", (shortest..=ROUND_MS_MAX).contains(&rule.round_ms))?;
            bound("epoch_ms", self.epoch_ms.is_multiple_of(rule.round_ms))?;
            bound("window", (1..=64).contains(&rule.window))?;
            bound("mode", (self.k > 1 && number == 0) || rule.mode == Mode::Full)?;
        }
        Ok(())
    }
}

impl Unverified<Manifest> {
    /// Checks the operators' words and the signatures of every relay in it: good for a first manifest, whose digest `network` was
    /// learned from a member link or an invite.
    ///
    /// # Errors
    /// [`NetworkRejection`].
    pub fn verify_first(self, network: NetworkId) -> Result<VerifiedManifest, NetworkRejection> {
        if self.value.version != 1 {
            return Err(NetworkRejection::Version { known: 0, found: self.value.version });
        }
        if !equal(&self.signed.digest(), &network.0) {
            return Err(NetworkRejection::Network);
        }
        self.signed_by(&[])?;
        Ok(VerifiedManifest { network, manifest: self.value, signed: self.signed })
    }

    /// Checks a manifest against the one that is known. A network whose first manifest was never seen is known by `network`
    /// alone: then every relay that is in the manifest must have signed it, and it names the network.
    ///
    /// # Errors
    /// [`NetworkRejection::Version`] for one that is older, the same version with other bytes, or a leap.
    pub fn verify_next(self, known: &VerifiedManifest) -> Result<VerifiedManifest, NetworkRejection> {
        let (was, is) = (known.manifest.version, self.value.version);
        if is == was && equal(&self.signed.digest(), &known.signed.digest()) {
            return Ok(known.clone());
        }
        if is != was.saturating_add(1) {
            return Err(NetworkRejection::Version { known: was, found: is });
        }
        if self.value.network != Some(known.network) {
            return Err(NetworkRejection::Network);
        }
        let same_time = self.value.genesis_ms == known.manifest.genesis_ms
            && self.value.epoch_ms == known.manifest.epoch_ms
            && self.value.dev == known.manifest.dev;
        if !same_time {
            return Err(NetworkRejection::Bound("genesis_ms"));
        }
        let stays: Vec<Identity> = known
            .manifest
            .relays
            .iter()
            .map(|relay| relay.identity)
            .filter(|old| self.value.relays.iter().any(|relay| relay.identity == *old))
            .collect();
        // With nobody left who was there before, anybody could take the network over.
        if stays.is_empty() {
            return Err(NetworkRejection::Network);
        }
        self.signed_by(&stays)?;
        Ok(VerifiedManifest { network: known.network, manifest: self.value, signed: self.signed })
    }

    fn signed_by(&self, others: &[Identity]) -> Result<(), NetworkRejection> {
        for (place, relay) in self.value.relays.iter().enumerate() {
            let word = Manifest::operator_message(&relay.identity, &relay.url);
            if !relay.operator.verifies(&word, &relay.operator_sig.0) {
                return Err(NetworkRejection::Operator(place));
            }
        }
        let must = self.value.relays.iter().map(|relay| &relay.identity).chain(others);
        for identity in must {
            if !self.signed.is_signed_by("manifest", identity) {
                return Err(NetworkRejection::Signature(*identity));
            }
        }
        Ok(())
    }
}

/// A manifest whose signatures were checked. There is no other way to one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VerifiedManifest {
    network: NetworkId,
    manifest: Manifest,
    signed: SignedStatement,
}

impl VerifiedManifest {
    /// The network.
    pub fn network(&self) -> NetworkId {
        self.network
    }

    /// Its rules.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// As it is served and kept.
    pub fn signed(&self) -> &SignedStatement {
        &self.signed
    }
}

/// What an epoch says of a class.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EpochClass {
    /// Its number.
    pub id: u8,
    /// First round of the class that this statement holds for; classes count their own rounds.
    pub from_round: u64,
    /// Buckets.
    #[serde(rename = "B")]
    pub buckets: u32,
    /// Size of a published bucket; with one relay, the most cells that a round takes.
    #[serde(rename = "M")]
    pub rows: u32,
}

/// An X25519 public key, base64url.
pub type OnionKey = Identity;

/// What holds for one epoch, or from a view of it on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Epoch {
    /// The network.
    pub network: NetworkId,
    /// The epoch.
    pub epoch: u32,
    /// 0, and one more each time a hop was replaced.
    pub view: u16,
    /// The manifest that it follows.
    pub manifest_version: u32,
    /// The hops, as places in the manifest.
    pub cascade: Vec<u8>,
    /// Who stands by, in turn.
    pub standby: Vec<u8>,
    /// X25519 keys of the hops, in the order of the cascade.
    pub onion_keys: Vec<OnionKey>,
    /// Key of the token issuer for the epoch, if tokens are asked for.
    pub token_key: Option<Identity>,
    /// Members that the sizes are made for: declared, never counted live.
    pub clients_max: u32,
    /// The classes.
    pub classes: Vec<EpochClass>,
}

impl Epoch {
    /// The text to sign.
    pub fn encode(&self) -> String {
        serde_json::to_string(self).expect("the epoch has a JSON form")
    }

    /// Reads a served epoch.
    ///
    /// # Errors
    /// [`NetworkRejection`].
    pub fn parse(signed: SignedStatement) -> Result<Unverified<Self>, NetworkRejection> {
        let value: Self = strict(signed.statement.as_bytes(), EPOCH_BYTES_MAX)?;
        Ok(Unverified { value, signed })
    }

    /// The class with this number.
    pub fn class(&self, class: Class) -> Option<&EpochClass> {
        self.classes.iter().find(|one| one.id == class.number())
    }
}

impl Unverified<Epoch> {
    /// Checks that the epoch follows the manifest and that every hop of its cascade signed it.
    ///
    /// # Errors
    /// [`NetworkRejection`].
    pub fn verify(self, by: &VerifiedManifest) -> Result<VerifiedEpoch, NetworkRejection> {
        let (epoch, manifest) = (&self.value, by.manifest());
        if epoch.network != by.network() {
            return Err(NetworkRejection::Network);
        }
        if epoch.manifest_version != manifest.version {
            return Err(NetworkRejection::Version { known: manifest.version, found: epoch.manifest_version });
        }
        let bound = |name, fits: bool| if fits { Ok(()) } else { Err(NetworkRejection::Bound(name)) };
        let (n, k) = (manifest.relays.len(), manifest.k as usize);
        bound("cascade", epoch.cascade.len() == k && epoch.onion_keys.len() == k)?;
        let places: BTreeSet<u8> = epoch.cascade.iter().chain(&epoch.standby).copied().collect();
        bound("cascade", places.len() == n && epoch.cascade.len() + epoch.standby.len() == n)?;
        bound("cascade", places.iter().all(|&place| usize::from(place) < n))?;
        bound(
            "cascade",
            epoch.view > 0 || (epoch.cascade.clone(), epoch.standby.clone()) == manifest.cascade(epoch.epoch),
        )?;
        bound("clients_max", (1..=CELLS_MAX).contains(&epoch.clients_max))?;
        bound("token_key", epoch.token_key.is_some() == (manifest.tokens == Tokens::Required))?;
        bound("classes", epoch.classes.len() == manifest.classes.len())?;
        for (rule, class) in manifest.classes.iter().zip(&epoch.classes) {
            bound("classes", rule.id == class.id)?;
            bound(
                "B",
                (1..=BUCKETS_MAX).contains(&class.buckets)
                    && (rule.mode == Mode::Bucketed || class.buckets == 1),
            )?;
            bound("M", (1..=CELLS_MAX).contains(&class.rows))?;
            let rounds = manifest.epoch_ms / rule.round_ms;
            let first = u64::from(epoch.epoch) * rounds;
            bound("from_round", (first..first + rounds).contains(&class.from_round))?;
        }
        for &place in &epoch.cascade {
            let identity = &manifest.relays[usize::from(place)].identity;
            if !self.signed.is_signed_by("epoch", identity) {
                return Err(NetworkRejection::Signature(*identity));
            }
        }
        let digest = self.signed.digest();
        Ok(VerifiedEpoch { epoch: self.value, digest, signed: self.signed })
    }
}

/// An epoch that its hops signed. There is no other way to one.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct VerifiedEpoch {
    epoch: Epoch,
    digest: [u8; 32],
    signed: SignedStatement,
}

impl VerifiedEpoch {
    /// What it says.
    pub fn epoch(&self) -> &Epoch {
        &self.epoch
    }

    /// SHA-256 of its text: WELCOME names it.
    pub fn digest(&self) -> [u8; 32] {
        self.digest
    }

    /// As it is served and kept.
    pub fn signed(&self) -> &SignedStatement {
        &self.signed
    }
}

fn strict<T: for<'de> Deserialize<'de>>(bytes: &[u8], bytes_max: usize) -> Result<T, NetworkRejection> {
    let limits = json::Limits { bytes_max, depth_max: 6 };
    let value = json::parse(bytes, &limits).map_err(|fault| NetworkRejection::Form(fault.to_string()))?;
    serde_json::from_value(value).map_err(|fault| {
        let mut text = fault.to_string();
        text.truncate(text.char_indices().nth(TEXT_CHARS_MAX).map_or(text.len(), |(at, _)| at));
        NetworkRejection::Form(text)
    })
}
