//! The chain of key sets: how a wallet that pinned a reply key comes to believe another one, and a new agreement key.
//!
//! ```text
//! pinned reply key ── signed ──▶ set n (S, reply key) ── signed ──▶ set n+1 … ──▶ what counts now
//! ```
//! A set that the key before did not sign ends the chain: then the wallet believes nothing new, and its person enrols again. What a
//! wallet believed once it does not unlearn: sets have numbers, and a provider that shows fewer than before is refused.

use crypto::jose::jws::Jws;
use crypto::json::Limits;
use crypto::jwk::Jwk;
use crypto::key::{KeyAlg, PublicKey, SignAlg};
use serde_json::{Map, Value};

use crate::door::Metadata;
use crate::wire::object;

/// The `typ` of a signed set of keys.
pub const TYP: &str = "seal-keys+jwt";
/// Most bytes of a set: two keys and an address.
const SET_BYTES_MAX: usize = 8 * 1024;
/// Longest name of a key, in bytes.
const KID_BYTES_MAX: usize = 128;

/// What a wallet pins of its provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pins {
    /// Number of the newest set that was believed; 0 in a wallet that kept none.
    pub number: u64,
    /// Keys that sign what the wallet is told: the present one, then one that was announced.
    pub reply: Vec<PublicKey>,
    /// S by its name; when it was pinned first, also the one that was announced.
    pub agreement: Vec<(String, PublicKey)>,
}

/// Why what a provider shows now does not follow from what is pinned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum Break {
    /// The metadata is another provider's.
    #[error("it calls itself another provider")]
    OtherIssuer,
    /// A set is not signed by the reply key of the set before.
    #[error("set {0} of its keys is not signed by the key before")]
    Link(u64),
    /// It shows older sets than the wallet has seen.
    #[error("it shows set {told} of its keys, and set {known} was seen before")]
    Rollback {
        /// The newest that it shows.
        told: u64,
        /// The newest that was believed.
        known: u64,
    },
    /// It signs with a key that no set leads to.
    #[error("no signed set leads to the key that it signs with")]
    Reply,
    /// It agrees by a key that is not the one of the newest set.
    #[error("its agreement key is not the one of the newest signed set")]
    Agreement,
}

impl Pins {
    /// What is pinned on first sight: whoever answers there now is believed, so the address must come by a trusted way.
    pub fn first(metadata: &Metadata) -> Pins {
        let mut reply: Vec<PublicKey> = metadata.reply_keys.iter().map(|(_, key)| key.clone()).collect();
        let last = metadata.key_chain.last().and_then(|compact| Set::read(&metadata.issuer, compact));
        if let Some(set) = &last
            && !reply.contains(&set.reply)
            && reply.iter().any(|key| set.is_signed_by(key))
        {
            reply.push(set.reply.clone());
        }
        Pins { number: last.map_or(0, |set| set.number), reply, agreement: metadata.agreement.clone() }
    }

    /// What counts now, by the sets that lead on from here.
    ///
    /// # Errors
    /// [`Break`]; then nothing new is believed.
    pub fn follow(&self, issuer: &str, metadata: &Metadata) -> Result<Pins, Break> {
        if metadata.issuer != issuer {
            return Err(Break::OtherIssuer);
        }
        let sets: Vec<Set> =
            metadata.key_chain.iter().filter_map(|compact| Set::read(issuer, compact)).collect();
        let told = sets.iter().map(|set| set.number).max().unwrap_or(0);
        if told < self.number {
            return Err(Break::Rollback { told, known: self.number });
        }
        let mut trail = self.reply.clone();
        let mut newest: Option<&Set> = None;
        for set in sets.iter().filter(|set| set.number > self.number) {
            let is_next = newest.is_none_or(|newest| set.number > newest.number);
            if is_next && trail.last().is_some_and(|key| set.is_signed_by(key)) {
                trail.push(set.reply.clone());
                newest = Some(set);
            } else if newest.is_some() || self.number > 0 {
                // A wallet that kept no number begins at the first set that its key signed.
                return Err(Break::Link(set.number));
            }
        }
        let current = metadata.reply_keys.first().map(|(_, key)| key);
        // The last place: a set may name the key of the one before again. Once a set is signed by a key, those before are retired.
        let retired = newest.map_or(0, |_| trail.len().saturating_sub(2));
        let at = trail.iter().rposition(|key| Some(key) == current).filter(|at| *at >= retired);
        let at = at.ok_or(Break::Reply)?;
        let mut reply = trail.split_off(at);
        reply.dedup();
        let agreement = newest.map_or_else(|| self.agreement.clone(), |set| vec![set.agreement.clone()]);
        if !metadata.agreement.first().is_some_and(|told| agreement.contains(told)) {
            return Err(Break::Agreement);
        }
        Ok(Pins { number: newest.map_or(self.number, |set| set.number), reply, agreement })
    }
}

/// One set, in form; whose it is, is another question.
struct Set {
    jws: Jws,
    number: u64,
    reply: PublicKey,
    agreement: (String, PublicKey),
}

impl Set {
    /// None where it is no set of this provider: a wallet passes over what a later version may put there.
    fn read(issuer: &str, compact: &str) -> Option<Set> {
        let jws = Jws::parse(compact, &Limits { bytes_max: SET_BYTES_MAX, depth_max: 8 }).ok()?;
        if jws.typ() != Some(TYP) || jws.alg() != SignAlg::Es256 {
            return None;
        }
        let claims = object(jws.payload(), SET_BYTES_MAX).ok()?;
        let number = claims.get("number")?.as_u64()?;
        let (_, reply) = key(&claims, "reply")?;
        let agreement = key(&claims, "agreement")?;
        let is_ours = claims.get("iss").and_then(Value::as_str) == Some(issuer);
        is_ours.then_some(Set { jws, number, reply, agreement })
    }

    fn is_signed_by(&self, key: &PublicKey) -> bool {
        self.jws.verify(key).is_ok()
    }
}

fn key(claims: &Map<String, Value>, name: &str) -> Option<(String, PublicKey)> {
    let told = claims.get(name)?;
    let kid = told.get("kid")?.as_str().filter(|kid| kid.len() <= KID_BYTES_MAX)?;
    let jwk = Jwk::from_value(told.get("jwk")?).ok()?;
    (jwk.key().alg() == KeyAlg::P256).then(|| (kid.to_owned(), jwk.key().clone()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crypto::jose::jws::{Draft, assemble};
    use crypto::key::PrivateKey;
    use serde_json::json;

    const ISSUER: &str = "https://idp.example/t/default/idp";

    fn fresh() -> PrivateKey {
        PrivateKey::generate(KeyAlg::P256)
    }

    /// Set `number` of `issuer`, signed by `by`: reply key and S.
    fn set_of(issuer: &str, number: u64, by: &PrivateKey, (reply, s): (&PrivateKey, &PrivateKey)) -> String {
        let jwk =
            |kid: &str, key: &PrivateKey| json!({"kid": kid, "jwk": Jwk::from_key(&key.public()).to_value()});
        let claims = json!({
            "iss": issuer, "iat": 1, "number": number, "agreement": jwk("s", s), "reply": jwk("r", reply),
        });
        let input = Draft::new(TYP, claims.to_string()).with_alg(SignAlg::Es256).signing_input();
        assemble(&input, &by.sign(SignAlg::Es256, input.as_bytes()).unwrap())
    }

    fn set(number: u64, by: &PrivateKey, keys: (&PrivateKey, &PrivateKey)) -> String {
        set_of(ISSUER, number, by, keys)
    }

    fn told((reply, s): (&PrivateKey, &PrivateKey), key_chain: &[&String]) -> Metadata {
        Metadata {
            issuer: ISSUER.to_owned(),
            reply_keys: vec![("r".to_owned(), reply.public())],
            agreement: vec![("s".to_owned(), s.public())],
            key_chain: key_chain.iter().map(|set| (*set).clone()).collect(),
            signers: Vec::new(),
            anchors: Vec::new(),
            unanchored: true,
            relay: None,
        }
    }

    #[test]
    fn a_wallet_follows_two_rotations_and_another_agreement_key_and_drops_what_came_before() {
        let (one, two, three, s1, s2) = (fresh(), fresh(), fresh(), fresh(), fresh());
        let first = set(1, &one, (&one, &s1));
        let pins = Pins::first(&told((&one, &s1), &[&first]));
        assert_eq!((pins.number, &pins.reply), (1, &vec![one.public()]));
        let (second, third) = (set(2, &one, (&two, &s1)), set(3, &two, (&three, &s2)));
        let now = told((&three, &s2), &[&first, &second, &third]);
        let followed = pins.follow(ISSUER, &now).unwrap();
        let wanted =
            Pins { number: 3, reply: vec![three.public()], agreement: vec![("s".to_owned(), s2.public())] };
        assert_eq!(followed, wanted);
        // Nothing new is nothing new; and one rotation after the other leads to the same.
        assert_eq!(followed.follow(ISSUER, &now), Ok(wanted.clone()));
        let between = pins.follow(ISSUER, &told((&two, &s1), &[&first, &second])).unwrap();
        assert_eq!(between.follow(ISSUER, &now), Ok(wanted));
    }

    #[test]
    fn a_key_that_is_announced_is_believed_beside_the_one_that_signs_until_it_takes_over() {
        let (one, two, s) = (fresh(), fresh(), fresh());
        let (first, second) = (set(1, &one, (&one, &s)), set(2, &one, (&two, &s)));
        let pins = Pins::first(&told((&one, &s), &[&first]));
        let announced = pins.follow(ISSUER, &told((&one, &s), &[&first, &second])).unwrap();
        assert_eq!(announced.reply, [one.public(), two.public()]);
        // Who enrols just then pins the same.
        assert_eq!(Pins::first(&told((&one, &s), &[&first, &second])).reply, announced.reply);
        let over = announced.follow(ISSUER, &told((&two, &s), &[&first, &second])).unwrap();
        assert_eq!(over.reply, [two.public()]);
        // Back again is a way that no set leads; nor is it one for who slept until the new key signed a set.
        let back = over.follow(ISSUER, &told((&one, &s), &[&first, &second]));
        assert_eq!(back, Err(Break::Reply));
        let third = set(3, &two, (&two, &fresh()));
        let back = announced.follow(ISSUER, &told((&one, &s), &[&first, &second, &third]));
        assert_eq!(back, Err(Break::Reply));
    }

    #[test]
    fn a_link_that_the_key_before_did_not_sign_is_refused_with_all_that_follows() {
        let (one, two, stranger, s) = (fresh(), fresh(), fresh(), fresh());
        let first = set(1, &one, (&one, &s));
        let pins = Pins::first(&told((&one, &s), &[&first]));
        let forged = set(2, &stranger, (&stranger, &s));
        let on = set(3, &stranger, (&two, &s));
        for chain in [vec![&first, &forged], vec![&first, &forged, &on], vec![&forged]] {
            assert_eq!(pins.follow(ISSUER, &told((&stranger, &s), &chain)), Err(Break::Link(2)));
        }
        // Nor is a key that stands in the metadata alone, or in a set of somebody else, or in one that was spoiled.
        let other = set_of("https://other.example/t/default/idp", 2, &one, (&two, &s));
        for strange in [other, "a.b.c".to_owned(), String::new()] {
            assert_eq!(pins.follow(ISSUER, &told((&two, &s), &[&first, &strange])), Err(Break::Reply));
        }
        assert_eq!(
            pins.follow("https://other.example/idp", &told((&one, &s), &[&first])),
            Err(Break::OtherIssuer)
        );
    }

    #[test]
    fn a_provider_that_shows_fewer_sets_than_before_is_refused() {
        let (one, two, s1, s2) = (fresh(), fresh(), fresh(), fresh());
        let (first, second) = (set(1, &one, (&one, &s1)), set(2, &one, (&two, &s1)));
        let third = set(3, &two, (&two, &s2));
        let pins = Pins::first(&told((&one, &s1), &[&first]));
        let pins = pins.follow(ISSUER, &told((&two, &s2), &[&first, &second, &third])).unwrap();
        // The reply key is the same in both: only the number tells that the agreement key went back.
        let back = pins.follow(ISSUER, &told((&two, &s1), &[&first, &second]));
        assert_eq!(back, Err(Break::Rollback { told: 2, known: 3 }));
        let back = pins.follow(ISSUER, &told((&two, &s1), &[&first, &second, &third]));
        assert_eq!(back, Err(Break::Agreement));
        // The same number twice, or one out of order, is no way on.
        let again = set(3, &two, (&two, &s1));
        assert_eq!(pins.follow(ISSUER, &told((&two, &s1), &[&third, &again])), Err(Break::Agreement));
        let (five, four) = (set(5, &two, (&two, &s2)), set(4, &two, (&two, &s1)));
        assert_eq!(pins.follow(ISSUER, &told((&two, &s1), &[&five, &four])), Err(Break::Link(4)));
    }

    #[test]
    fn a_wallet_that_kept_no_number_begins_at_the_first_set_that_its_key_signed() {
        let (one, two, three, s) = (fresh(), fresh(), fresh(), fresh());
        let sets = [set(1, &one, (&one, &s)), set(2, &one, (&two, &s)), set(3, &two, (&three, &s))];
        let pins =
            Pins { number: 0, reply: vec![two.public()], agreement: vec![("s".to_owned(), s.public())] };
        let all: Vec<&String> = sets.iter().collect();
        let followed = pins.follow(ISSUER, &told((&three, &s), &all)).unwrap();
        assert_eq!((followed.number, followed.reply), (3, vec![three.public()]));
        let forged = set(4, &one, (&one, &s));
        let all: Vec<&String> = sets.iter().chain([&forged]).collect();
        assert_eq!(pins.follow(ISSUER, &told((&one, &s), &all)), Err(Break::Link(4)));
    }
}
