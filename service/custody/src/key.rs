//! Keys and their versions: what they are, and the pure moves of [`Key::step`] and [`Key::succeed`].
//!
//! ```text
//! Key (as read) ── step(version, verb, now) | succeed(new version, now) ──▶ Key (as it is to be) + which versions changed
//! ```
//! At most one version is in use; a move of one is a move of the key, decided by its revision.

use crypto::key::{KeyAlg, PublicKey};
use jiff::Timestamp;
use openid::oidc::id_token::ID_TOKEN_TYP;

use crate::chain::{Chain, LeafNames};
use crate::envelope::KeeperKind;
use crate::rotation::{Aged, ChainKind, Policy};
use crate::state::{NoSuchStep, State, Verb};
use crate::usage::{Container, Use, Uses};

/// Characters of a label.
pub const LABEL_CHARS_MAX: usize = 100; // one line of a list

/// Keys on one page.
pub const PAGE_MAX: usize = 200; // as every list of the API

/// Who made a key, and alone has things signed by it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Owner {
    /// Somebody over HTTP: `POST sign` serves it.
    Api,
    /// This room: the tenant's root, the access-token key.
    Custody,
    /// The issuer.
    Issuer,
    /// The verifier.
    Verifier,
    /// The ledger.
    Audit,
    /// The identity provider.
    Idp,
    /// The relay.
    Relay,
}

/// A signing key.
#[derive(Clone, Debug)]
pub struct Key {
    /// `key_…`.
    pub id: String,
    /// What a room finds it by: its use, for log keys with the algorithm; `None` for keys of the API.
    pub slot: Option<String>,
    /// What its makers call it.
    pub label: String,
    /// Who made it.
    pub owner: Owner,
    /// What it is.
    pub alg: KeyAlg,
    /// Where its private parts live.
    pub keeper: KeeperKind,
    /// What it is for.
    pub uses: Uses,
    /// Where its certificates come from.
    pub chain_kind: ChainKind,
    /// What its own leaves name, if the tenant's root signs them.
    pub names: Option<LeafNames>,
    /// When it gets a new version.
    pub policy: Policy,
    /// The version that is active or frozen.
    pub in_use: Option<u32>,
    /// The newest version's number.
    pub last_version: u32,
    /// The state as the row says: for keys that were read without their versions.
    pub resting: State,
    /// Grows with each change; two who read the same one cannot both move the key.
    pub revision: i64,
    /// When it was made.
    pub created_at: Timestamp,
    /// Newest first.
    pub versions: Vec<Version>,
}

/// One version: one key pair.
#[derive(Clone, Debug)]
pub struct Version {
    /// Counts from 1.
    pub number: u32,
    /// RFC 7638 thumbprint, base64url.
    pub kid: String,
    /// What it may be used for now.
    pub state: State,
    /// The public part.
    pub public: PublicKey,
    /// Its certificates.
    pub chain: Option<Chain>,
    /// Signatures so far, as far as they are counted.
    pub uses: u64,
    /// Longest life of anything it signed, in seconds.
    pub longest_life_s: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// When a pending version is to take over.
    pub activate_at: Option<Timestamp>,
    /// When it began to sign.
    pub activated_at: Option<Timestamp>,
    /// When it retired.
    pub retired_at: Option<Timestamp>,
    /// Until when its public part stays published after that.
    pub keep_public_until: Option<Timestamp>,
    /// When its private part goes.
    pub destroy_at: Option<Timestamp>,
    /// Since when its turn is blocked.
    pub blocked_at: Option<Timestamp>,
    /// Days left for which the end of its chain was told last.
    pub warned_days: Option<i64>,
}

/// Which keys a list shows.
#[derive(Clone, Debug, Default)]
pub struct KeyFilter {
    /// Only in this state.
    pub state: Option<State>,
    /// Only of this algorithm.
    pub alg: Option<KeyAlg>,
    /// Only with exactly this label.
    pub label: Option<String>,
}

/// A page of a list.
#[derive(Clone, Debug)]
pub struct Page {
    /// Behind this one: time in milliseconds and id.
    pub after: Option<(i64, String)>,
    /// At most so many, and at most [`PAGE_MAX`].
    pub limit: usize,
}

impl Owner {
    const ALL: [Owner; 7] =
        [Owner::Api, Owner::Custody, Owner::Issuer, Owner::Verifier, Owner::Audit, Owner::Idp, Owner::Relay];

    /// The word in rows and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Api => "api",
            Self::Custody => "custody",
            Self::Issuer => "issuer",
            Self::Verifier => "verifier",
            Self::Audit => "audit",
            Self::Idp => "idp",
            Self::Relay => "relay",
        }
    }

    /// Reads [`Owner::as_str`].
    pub fn parse(text: &str) -> Option<Owner> {
        Self::ALL.into_iter().find(|owner| owner.as_str() == text)
    }
}

impl Key {
    /// What a room finds its key by: the use, for keys of logs and of ID Tokens with the algorithm.
    pub fn slot_of(one: &Use, alg: KeyAlg) -> String {
        match one.container() {
            // A log, and a provider of ID Tokens, has a key of each algorithm for the same use.
            Container::Note => format!("{one} {alg}"),
            Container::Jws if one.profile() == ID_TOKEN_TYP => format!("{one} {alg}"),
            _ => one.as_str().to_owned(),
        }
    }

    /// The state of the version in use; without one, of the newest.
    pub fn state(&self) -> State {
        let of = |number: u32| self.version(number).map(|version| version.state);
        self.in_use.and_then(of).or_else(|| of(self.last_version)).unwrap_or(self.resting)
    }

    /// A version by its number.
    pub fn version(&self, number: u32) -> Option<&Version> {
        self.versions.iter().find(|version| version.number == number)
    }

    /// The version that waits for its turn.
    pub fn pending(&self) -> Option<&Version> {
        self.versions.iter().find(|version| version.state == State::Pending)
    }

    /// Whether signatures of the key carry its chain, so that nobody need cache its public part. Keys of the API say `x5c` for
    /// each signature.
    pub fn travels_with_chain(&self) -> bool {
        self.owner != Owner::Api && self.chain_kind != ChainKind::None
    }

    /// Whether rotation by door or job is for this key: logs and roots of tenants keep theirs.
    pub fn rotates(&self) -> bool {
        !matches!(self.uses.container(), Container::Note | Container::Relay)
            && self.slot.as_deref() != Some(crate::chain::ROOT_USE)
    }

    /// What the rotation decides by.
    pub fn aged(&self) -> Vec<Aged> {
        self.versions.iter().map(Version::aged).collect()
    }

    /// Moves one version as the table of [`State`] says; `activate` retires the one in use. Answers the numbers of the versions
    /// that changed. The key stays as it was if it refuses.
    ///
    /// # Errors
    /// [`NoSuchStep`].
    pub fn step(&mut self, number: u32, verb: Verb, now: Timestamp) -> Result<Vec<u32>, NoSuchStep> {
        let policy = self.policy;
        let takes_over = matches!(verb, Verb::Activate | Verb::Rotate)
            && self.version(number).is_some_and(|version| version.state == State::Pending);
        let old = self.in_use.filter(|_| takes_over);
        let mut moved = Vec::new();
        for version in &mut self.versions {
            let verb = match version.number {
                one if one == number => verb,
                one if Some(one) == old => Verb::Rotate,
                _ => continue,
            };
            let to = version.state.step(verb)?;
            moved.push((version.number, to));
        }
        for (one, to) in &moved {
            if let Some(version) = self.versions.iter_mut().find(|version| version.number == *one) {
                version.enter(*to, &policy, now);
            }
        }
        self.in_use =
            self.versions.iter().find(|version| version.state.in_use()).map(|version| version.number);
        Ok(moved.into_iter().map(|(one, _)| one).collect())
    }

    /// A new version takes over at once: the one in use retires, or is given up as compromised. Answers the numbers of the older
    /// versions that changed.
    ///
    /// # Errors
    /// [`NoSuchStep`] when no version is in use.
    pub fn succeed(
        &mut self,
        new: Version,
        compromised: bool,
        now: Timestamp,
    ) -> Result<Vec<u32>, NoSuchStep> {
        let number = new.number;
        let mut changed = Vec::new();
        if let Some(old) = self.in_use.filter(|_| compromised) {
            changed.extend(self.step(old, Verb::Compromise, now)?);
        }
        self.last_version = number;
        self.versions.insert(0, new);
        changed.extend(self.step(number, Verb::Activate, now)?.into_iter().filter(|one| *one != number));
        Ok(changed)
    }
}

impl Version {
    /// A version just made; not in use yet.
    pub(crate) fn new(number: u32, public: PublicKey, now: Timestamp) -> Version {
        Version {
            number,
            kid: crypto::jwk::Jwk::from_key(&public).kid(),
            state: State::Pending,
            public,
            chain: None,
            uses: 0,
            longest_life_s: 0,
            created_at: now,
            activate_at: None,
            activated_at: None,
            retired_at: None,
            keep_public_until: None,
            destroy_at: None,
            blocked_at: None,
            warned_days: None,
        }
    }

    fn enter(&mut self, state: State, policy: &Policy, now: Timestamp) {
        let before = std::mem::replace(&mut self.state, state);
        self.activate_at = None;
        self.blocked_at = None;
        match state {
            State::Active if before == State::Pending => self.activated_at = Some(now),
            State::Retired => {
                self.retired_at = Some(now);
                self.keep_public_until = Some(policy.keep_public_until(now, self.longest_life_s));
                self.destroy_at = Some(policy.destroy_at(now));
            }
            State::Compromised => {
                self.retired_at = self.retired_at.or(Some(now));
                self.keep_public_until = None;
                self.destroy_at = None;
            }
            State::Destroyed => self.destroy_at = Some(now),
            State::Pending | State::Active | State::Frozen => {}
        }
    }

    fn aged(&self) -> Aged {
        Aged {
            version: self.number,
            state: self.state,
            activate_at: self.activate_at,
            activated_at: self.activated_at,
            destroy_at: self.destroy_at,
            uses: self.uses,
            certificate: self.chain.as_ref().map(|chain| (chain.from, chain.until)),
            is_blocked: self.blocked_at.is_some(),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crypto::key::PrivateKey;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// A P-256 key of the API with one active version.
    pub(crate) fn key() -> Key {
        let mut key = Key {
            id: "key_x".to_owned(),
            slot: None,
            label: "x".to_owned(),
            owner: Owner::Api,
            alg: KeyAlg::P256,
            keeper: KeeperKind::Software,
            uses: Uses::parse(&["jws:*"], KeyAlg::P256).unwrap(),
            chain_kind: ChainKind::None,
            names: None,
            policy: Policy::default(),
            in_use: None,
            last_version: 1,
            resting: State::Active,
            revision: 1,
            created_at: at(0),
            versions: vec![version(1)],
        };
        key.step(1, Verb::Activate, at(0)).unwrap();
        key
    }

    fn version(number: u32) -> Version {
        Version::new(number, PrivateKey::generate(KeyAlg::P256).public(), at(0))
    }

    #[test]
    fn a_successor_takes_over_and_the_old_version_retires() {
        let mut key = key();
        assert_eq!(key.succeed(version(2), false, at(10)), Ok(vec![1]));
        assert_eq!((key.in_use, key.last_version, key.state()), (Some(2), 2, State::Active));
        let old = key.version(1).unwrap();
        assert_eq!((old.state, old.retired_at), (State::Retired, Some(at(10))));
        assert_eq!(old.keep_public_until, Some(at(10 + 2_592_000)));
        assert_eq!(old.destroy_at, Some(at(10 + 604_800)));
        assert_eq!(key.version(2).unwrap().activated_at, Some(at(10)));
    }

    #[test]
    fn a_compromised_version_is_withdrawn_as_its_successor_takes_over() {
        let mut key = key();
        key.versions[0].longest_life_s = 1_000_000_000;
        assert_eq!(key.succeed(version(2), true, at(10)), Ok(vec![1]));
        let old = key.version(1).unwrap();
        assert_eq!((old.state, old.keep_public_until), (State::Compromised, None));
        assert_eq!(key.in_use, Some(2));
    }

    #[test]
    fn a_frozen_version_gives_way_and_a_refused_step_changes_nothing() {
        let mut key = key();
        key.step(1, Verb::Freeze, at(1)).unwrap();
        assert_eq!((key.in_use, key.state()), (Some(1), State::Frozen));
        assert!(key.step(1, Verb::Activate, at(2)).is_err());
        assert!(key.step(1, Verb::Destroy, at(2)).is_err());
        assert_eq!(key.state(), State::Frozen);
        key.succeed(version(2), false, at(3)).unwrap();
        assert_eq!(key.version(1).unwrap().state, State::Retired);
    }

    #[test]
    fn whatever_is_done_at_most_one_version_is_in_use() {
        // Every walk of four verbs over two versions.
        let mut walks = vec![{
            let mut key = key();
            key.last_version = 2;
            key.versions.insert(0, version(2));
            key
        }];
        for _ in 0..4 {
            let mut next = Vec::new();
            for key in &walks {
                for number in [1, 2] {
                    for verb in Verb::ALL {
                        let mut moved = key.clone();
                        if moved.step(number, verb, at(5)).is_ok() {
                            next.push(moved);
                        }
                    }
                }
            }
            for key in &next {
                let in_use: Vec<u32> =
                    key.versions.iter().filter(|one| one.state.in_use()).map(|one| one.number).collect();
                assert!(in_use.len() <= 1);
                assert_eq!(key.in_use, in_use.first().copied());
            }
            walks = next;
        }
        assert!(!walks.is_empty());
    }

    #[test]
    fn a_retired_version_stays_public_as_long_as_the_longest_life_it_signed() {
        let mut key = key();
        key.versions[0].longest_life_s = 31_536_000;
        key.step(1, Verb::Retire, at(100)).unwrap();
        assert_eq!(key.version(1).unwrap().keep_public_until, Some(at(100 + 31_536_000)));
        assert_eq!((key.in_use, key.state()), (None, State::Retired));
    }
}
