//! Credentials that the wallet holds: opened, checked anew, and laid out for people.

use super::{Wallet, WalletFault};
use crate::record::{self, CredentialRecord};
use crate::vault::{Kind, VaultFault};
use credential::claims_path::Step;
use credential::sd_jwt::{NEVER_DISCLOSABLE, Rejection, SdJwt};
use credential::status::StatusReference;
use credential::trust::Context;
use jiff::Timestamp;
use serde_json::{Map, Value};
use std::fmt::Write;

/// A credential of this wallet. `Debug` shows none of its claims.
pub struct Held {
    /// `wcr_…`, known to this wallet only.
    pub id: String,
    /// Identifier of the issuer it came from.
    pub issuer: String,
    /// The issuer's name, as its metadata had it: its own word, vouched for by nobody.
    pub issuer_name: Option<String>,
    /// Id of the configuration in the issuer's metadata.
    pub configuration_id: String,
    /// The credential's name, as the metadata had it.
    pub name: Option<String>,
    /// Its type.
    pub vct: String,
    /// Subjects of the certificates that vouched for it when it came, signer first, anchor last.
    pub trust_path: Vec<String>,
    /// When it came.
    pub received_at: Timestamp,
    /// When it ends.
    pub expires_at: Option<Timestamp>,
    /// Its place in the issuer's status list.
    pub status: Option<StatusReference>,
    /// Whether it can be shown now.
    pub state: HeldState,
    pub(super) credential: SdJwt,
    pub(super) authority_key_ids: Vec<String>,
}

/// Whether a credential can be shown, as far as the wallet itself knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeldState {
    /// In its dates, and vouched for.
    Usable,
    /// It has expired, or is not valid yet.
    OutOfDate,
    /// No anchor of this wallet vouches for it now.
    Untrusted,
}

/// One claim: where it stands and what it says.
#[derive(Clone, PartialEq)]
pub struct Claim {
    /// From the root of the credential.
    pub place: Vec<Step>,
    /// A text, number, boolean, null, or an empty list or object.
    pub value: Value,
}

impl Wallet {
    /// Every credential, newest first.
    ///
    /// # Errors
    /// [`VaultFault`].
    pub fn list(&self) -> Result<Vec<Held>, VaultFault> {
        let mut all = Vec::new();
        for (id, bytes) in self.vault.list(Kind::Credential)? {
            all.push(self.opened(id, bytes.expose())?);
        }
        all.sort_by_key(|held| std::cmp::Reverse(held.received_at));
        Ok(all)
    }

    /// One credential, by its id or the beginning of it.
    ///
    /// # Errors
    /// [`WalletFault::NotHeld`] when none or more than one fits, [`WalletFault::Vault`].
    pub fn held(&self, id: &str) -> Result<Held, WalletFault> {
        let mut fitting: Vec<Held> = self.list()?.into_iter().filter(|held| held.answers_to(id)).collect();
        match (fitting.pop(), fitting.is_empty()) {
            (Some(held), true) => Ok(held),
            _ => Err(WalletFault::NotHeld(id.to_owned())),
        }
    }

    /// Reads a record. It was checked when it came, so it is read as of then; whether it may be used is asked as of now.
    pub(super) fn opened(&self, id: String, bytes: &[u8]) -> Result<Held, VaultFault> {
        let broken = || VaultFault::Broken(id.clone());
        let record: CredentialRecord = record::decode(bytes).ok_or_else(broken)?;
        let received_at = Timestamp::from_millisecond(record.received_at_ms).map_err(|_| broken())?;
        let unverified = || SdJwt::parse(&record.text).map_err(|_| broken());
        let chain = unverified()?.x5c().map_err(|_| broken())?;
        let now = self.now();
        let judged = self.trust().judge(&chain, Context::Issuer, now).map_err(|_| broken())?;
        let credential = unverified()?.verify(judged.signer(), received_at).map_err(|_| broken())?;
        let vct = credential.vct().map_err(|_| broken())?.to_owned();
        let state = match unverified()?.verify(judged.signer(), now) {
            Err(Rejection::Dates(_)) => HeldState::OutOfDate,
            Err(_) => return Err(broken()),
            Ok(_) if judged.vouches_for(&self.anchors, Context::Issuer, &vct).is_none() => {
                HeldState::Untrusted
            }
            Ok(_) => HeldState::Usable,
        };
        Ok(Held {
            issuer: record.issuer,
            issuer_name: record.issuer_name,
            configuration_id: record.configuration_id,
            name: record.name,
            trust_path: record.trust_path,
            received_at,
            expires_at: credential.expires_at().ok().flatten(),
            status: credential.status().ok().flatten(),
            state,
            authority_key_ids: judged.chain().iter().filter_map(|it| it.authority_key_id_text()).collect(),
            vct,
            credential,
            id,
        })
    }
}

impl Held {
    /// The claims about its holder, everything disclosed: every leaf with its place. The registered ones, which say how the
    /// credential is to be used, are left out.
    #[must_use]
    pub fn claims(&self) -> Vec<Claim> {
        claims_of(self.credential.claims())
    }

    /// The same claims as JSON, as they stand in the credential.
    #[must_use]
    pub fn dataset(&self) -> Map<String, Value> {
        let members = self.value().as_object().into_iter().flatten();
        members
            .filter(|(name, _)| !is_registered(name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect()
    }

    /// The whole credential as JSON, registered claims included.
    #[must_use]
    pub fn value(&self) -> &Value {
        self.credential.claims()
    }

    /// Whether `id` is its id or the beginning of it.
    pub(super) fn answers_to(&self, id: &str) -> bool {
        let random = self.id.split_once('_').map_or("", |(_, random)| random);
        !id.is_empty() && (self.id.starts_with(id) || random.starts_with(id))
    }
}

impl std::fmt::Debug for Held {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Held").field("id", &self.id).field("vct", &self.vct).finish_non_exhaustive()
    }
}

impl HeldState {
    /// One word, as it is printed.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Usable => "usable",
            Self::OutOfDate => "out-of-date",
            Self::Untrusted => "untrusted",
        }
    }
}

impl Claim {
    /// `degrees[0].type`.
    #[must_use]
    pub fn path(&self) -> String {
        let mut path = String::new();
        for step in &self.place {
            // Writing to a String cannot fail.
            let _ = match step {
                Step::Name(name) if path.is_empty() => write!(path, "{name}"),
                Step::Name(name) => write!(path, ".{name}"),
                Step::Index(index) => write!(path, "[{index}]"),
                Step::All => write!(path, "[*]"),
            };
        }
        path
    }

    /// The value, a text without quotation marks.
    #[must_use]
    pub fn text(&self) -> String {
        self.value.as_str().map_or_else(|| self.value.to_string(), str::to_owned)
    }
}

impl std::fmt::Debug for Claim {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Claim({})", self.path())
    }
}

/// The leaves of a credential's claims, its registered claims aside.
pub(super) fn claims_of(root: &Value) -> Vec<Claim> {
    let mut leaves = Vec::new();
    for (name, value) in root.as_object().into_iter().flatten() {
        if !is_registered(name) {
            collect(vec![Step::Name(name.clone())], value, &mut leaves);
        }
    }
    leaves
}

/// Claims that say what the credential is and how to use it, and `jti`, which names the copy as its key does.
fn is_registered(name: &str) -> bool {
    NEVER_DISCLOSABLE.contains(&name) || matches!(name, "iat" | "_sd_alg" | "jti")
}

/// Depth is bounded by the credential's reader.
fn collect(place: Vec<Step>, value: &Value, leaves: &mut Vec<Claim>) {
    let below = |step: Step| place.iter().cloned().chain([step]).collect();
    match value {
        Value::Object(members) if !members.is_empty() => {
            for (name, member) in members {
                collect(below(Step::Name(name.clone())), member, leaves);
            }
        }
        Value::Array(elements) if !elements.is_empty() => {
            for (index, element) in (0..).zip(elements) {
                collect(below(Step::Index(index)), element, leaves);
            }
        }
        leaf => leaves.push(Claim { place, value: leaf.clone() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn claims_are_laid_out_leaf_by_leaf_without_the_registered_ones() {
        let root = json!({"vct": "v", "cnf": {}, "degrees": [{"type": "BSc"}, {}], "age": 7, "iat": 1});
        let shown: Vec<_> =
            claims_of(&root).iter().map(|it| format!("{}={}", it.path(), it.text())).collect();
        assert_eq!(shown, ["degrees[0].type=BSc", "degrees[1]={}", "age=7"]);
    }
}
