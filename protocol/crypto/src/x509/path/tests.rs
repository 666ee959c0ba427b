use jiff::Timestamp;

use super::*;
use crate::key::{KeyAlg, PrivateKey, SignAlg};
use crate::x509::build::{LeafNames, Profile, TbsDraft, assemble};
use crate::x509::{Name, NameParts};

const NOW: &str = "2026-11-20T12:00:00Z";
const MDL_SIGNER: &str = "1.0.18013.5.1.2";

/// Somebody who holds a key and a name, and can sign certificates.
struct Party {
    key: PrivateKey,
    name: Name,
}

impl Party {
    fn new(common_name: &str) -> Self {
        Self::with_alg(common_name, KeyAlg::P256)
    }

    fn with_alg(common_name: &str, alg: KeyAlg) -> Self {
        let parts = NameParts { common_name: common_name.to_owned(), ..NameParts::default() };
        Self { key: PrivateKey::generate(alg), name: Name::new(&parts).unwrap() }
    }

    fn certify(&self, subject: &Party, profile: Profile) -> Certificate {
        self.certify_with(subject, profile, |_| {})
    }

    fn certify_with(
        &self,
        subject: &Party,
        profile: Profile,
        change: impl FnOnce(&mut TbsDraft),
    ) -> Certificate {
        let mut draft = TbsDraft {
            subject: subject.name.clone(),
            issuer: self.name.clone(),
            issuer_key: self.key.public(),
            serial: [7; 16],
            not_before: at("2026-01-01T00:00:00Z"),
            not_after: at("2027-01-01T00:00:00Z"),
            public_key: subject.key.public(),
            profile,
        };
        change(&mut draft);
        let alg = self.key.alg().default_sign_alg();
        let tbs = draft.to_be_signed(alg).unwrap();
        let signature = self.key.sign(alg, &tbs).unwrap();
        Certificate::parse(&assemble(&tbs, alg, &signature).unwrap()).unwrap()
    }
}

/// A root, one intermediate and a leaf, each certified by the one before.
struct House {
    root: Party,
    middle: Party,
    signer: Party,
    anchor: Certificate,
    intermediate: Certificate,
    leaf: Certificate,
}

impl House {
    fn new() -> Self {
        let [root, middle, signer] = ["Root", "Middle", "Signer"].map(Party::new);
        let anchor = root.certify(&root, ca(Some(1)));
        let intermediate = root.certify(&middle, ca(Some(0)));
        let leaf = middle.certify(&signer, leaf());
        Self { root, middle, signer, anchor, intermediate, leaf }
    }

    fn chain(&self) -> Vec<Certificate> {
        vec![self.leaf.clone(), self.intermediate.clone()]
    }

    fn check(&self, chain: &[Certificate]) -> Result<Path, PathFault> {
        verify(chain, std::slice::from_ref(&self.anchor), &rules())
    }
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn rules() -> PathRules<'static> {
    PathRules::at(at(NOW))
}

fn ca(path_len: Option<u8>) -> Profile {
    Profile::Ca { path_len }
}

fn leaf() -> Profile {
    Profile::Leaf(LeafNames {
        san_uris: vec!["https://issuer.example/t/default".to_owned()],
        san_dns: vec!["verifier.example".to_owned()],
        ekus: vec![MDL_SIGNER.to_owned()],
    })
}

fn reason(result: Result<Path, PathFault>) -> (PathReason, usize) {
    let fault = result.unwrap_err();
    (fault.reason, fault.certificate)
}

#[test]
fn a_chain_in_order_leads_to_its_anchor() {
    let house = House::new();
    let stranger = Party::new("Stranger");
    let anchors = [stranger.certify(&stranger, ca(None)), house.anchor.clone()];
    let path = verify(&house.chain(), &anchors, &rules()).unwrap();
    assert_eq!((path.anchor, path.ends_at, path.anchor_in_chain), (1, at("2027-01-01T00:00:00Z"), false));
    let direct = house.root.certify(&house.signer, leaf());
    let shorter = verify(&[direct], &anchors, &rules()).unwrap();
    assert_ne!(shorter.chain_sha256, path.chain_sha256);
}

#[test]
fn keys_of_every_accepted_kind_sign_certificates() {
    for alg in [KeyAlg::P256, KeyAlg::P384, KeyAlg::Rsa2048] {
        let root = Party::with_alg("Root", alg);
        let anchor = root.certify(&root, ca(Some(0)));
        let leaf = root.certify(&Party::new("Signer"), leaf());
        verify(&[leaf], &[anchor], &rules()).unwrap();
    }
}

#[test]
fn no_anchor_is_named_with_the_nearest() {
    let house = House::new();
    let twin = Party::new("Root");
    let anchors = [Party::new("Other")].map(|party| party.certify(&party, ca(None)));
    assert_eq!(reason(verify(&house.chain(), &anchors, &rules())), (PathReason::NoAnchor, 1));
    assert_eq!(reason(verify(&house.chain(), &[], &rules())), (PathReason::NoAnchor, 1));
    assert_eq!(reason(verify(&[], &anchors, &rules())), (PathReason::NoAnchor, 0));
    let anchors = [anchors[0].clone(), twin.certify(&twin, ca(None))];
    let fault = verify(&house.chain(), &anchors, &rules()).unwrap_err();
    assert_eq!((fault.reason, fault.nearest), (PathReason::NoAnchor, Some(1)), "same name, other key");
}

#[test]
fn an_anchor_of_another_context_is_named_and_never_vouches() {
    let house = House::new();
    let others = [house.anchor.clone()];
    let rules = PathRules { other_contexts: &others, ..rules() };
    let fault = verify(&house.chain(), &[], &rules).unwrap_err();
    assert_eq!((fault.reason, fault.nearest), (PathReason::WrongContext, Some(0)));
}

#[test]
fn an_anchor_in_the_chain_fails_under_haip_and_warns_outside() {
    let house = House::new();
    let chain = [house.chain(), vec![house.anchor.clone()]].concat();
    assert_eq!(reason(house.check(&chain)), (PathReason::AnchorInChain, 2));
    let rules = PathRules { haip: false, ..rules() };
    let path = verify(&chain, std::slice::from_ref(&house.anchor), &rules).unwrap();
    assert!(path.anchor_in_chain);
    assert_eq!(
        reason(verify(&chain, &[], &rules)),
        (PathReason::NoAnchor, 2),
        "a root it brings proves nothing"
    );
}

#[test]
fn a_self_signed_leaf_passes_only_outside_haip_as_an_anchor_itself() {
    let signer = Party::new("Signer");
    let own = signer.certify(&signer, leaf());
    let loose = PathRules { haip: false, ..rules() };
    let anchors = [own.clone()];
    let chain = std::slice::from_ref(&own);
    assert_eq!(reason(verify(chain, &anchors, &rules())), (PathReason::SelfSignedLeaf, 0));
    assert_eq!(reason(verify(chain, &[], &loose)), (PathReason::SelfSignedLeaf, 0));
    assert!(verify(chain, &anchors, &loose).is_ok());
    let house = House::new();
    let longer = [own, house.intermediate];
    assert_eq!(reason(verify(&longer, &anchors, &loose)), (PathReason::SelfSignedLeaf, 0));
}

#[test]
fn misordered_chains_are_told_from_foreign_ones() {
    let house = House::new();
    let upside_down = [house.intermediate.clone(), house.leaf.clone()];
    assert_eq!(reason(house.check(&upside_down)), (PathReason::WrongOrder, 1));
    let stranger = Party::new("Stranger");
    let foreign = [house.leaf.clone(), house.root.certify(&stranger, ca(Some(0)))];
    assert_eq!(reason(house.check(&foreign)), (PathReason::NameMismatch, 1));
    assert_eq!(
        reason(house.check(std::slice::from_ref(&house.leaf))),
        (PathReason::NoAnchor, 0),
        "intermediate missing"
    );
    let twice = [house.leaf.clone(), house.leaf.clone(), house.intermediate.clone()];
    assert!(house.check(&twice).is_err());
}

#[test]
fn a_key_identifier_that_does_not_match_breaks_the_link() {
    let house = House::new();
    let twin = Party { key: PrivateKey::generate(KeyAlg::P256), name: house.middle.name.clone() };
    let other = house.root.certify(&twin, ca(Some(0)));
    assert_eq!(reason(house.check(&[house.leaf.clone(), other])), (PathReason::NameMismatch, 1));
}

#[test]
fn an_issuer_without_the_ca_bit_is_no_authority() {
    let house = House::new();
    let end_entity = house.root.certify(&house.middle, leaf());
    assert_eq!(reason(house.check(&[house.leaf.clone(), end_entity])), (PathReason::NotACa, 1));
    let anchor = house.root.certify(&house.root, leaf());
    let direct = house.root.certify(&house.signer, leaf());
    assert_eq!(reason(verify(&[direct], &[anchor], &rules())), (PathReason::NotACa, 1));
}

#[test]
fn path_lengths_are_kept() {
    let house = House::new();
    let deeper = Party::new("Deeper");
    let between = house.middle.certify(&deeper, ca(None));
    let leaf_below = deeper.certify(&house.signer, leaf());
    let chain = [leaf_below, between, house.intermediate.clone()];
    assert_eq!(
        reason(house.check(&chain)),
        (PathReason::PathTooLong, 2),
        "the intermediate allows leaves only"
    );
    let open = house.root.certify(&house.middle, ca(None));
    let chain = [chain[0].clone(), chain[1].clone(), open];
    assert_eq!(
        reason(house.check(&chain)),
        (PathReason::PathTooLong, 3),
        "the anchor allows one intermediate"
    );
    let unlimited = house.root.certify(&house.root, ca(None));
    assert!(verify(&chain, &[unlimited], &rules()).is_ok());
    let long = vec![house.leaf.clone(); CHAIN_MAX + 1];
    assert_eq!(reason(house.check(&long)), (PathReason::PathTooLong, CHAIN_MAX));
}

#[test]
fn dates_are_inclusive_and_hold_for_every_certificate() {
    let house = House::new();
    let check = |chain: &[Certificate], now: &str| {
        verify(chain, std::slice::from_ref(&house.anchor), &PathRules { now: at(now), ..rules() })
    };
    assert!(check(&house.chain(), "2026-01-01T00:00:00Z").is_ok());
    assert!(check(&house.chain(), "2027-01-01T00:00:00Z").is_ok());
    assert_eq!(reason(check(&house.chain(), "2025-12-31T23:59:59Z")), (PathReason::NotYetValid, 0));
    assert_eq!(reason(check(&house.chain(), "2027-01-01T00:00:01Z")), (PathReason::Expired, 0));
    let past = house
        .root
        .certify_with(&house.middle, ca(Some(0)), |draft| draft.not_after = at("2026-02-01T00:00:00Z"));
    assert_eq!(reason(check(&[house.leaf.clone(), past], NOW)), (PathReason::Expired, 1));
    let old = house
        .root
        .certify_with(&house.root, ca(Some(1)), |draft| draft.not_after = at("2026-02-01T00:00:00Z"));
    assert_eq!(
        reason(verify(&house.chain(), std::slice::from_ref(&old), &rules())),
        (PathReason::Expired, 2),
        "the anchor too"
    );
    let renewed = [old, house.anchor.clone()];
    assert_eq!(verify(&house.chain(), &renewed, &rules()).unwrap().anchor, 1, "the renewed root counts");
}

#[test]
fn the_path_ends_with_its_shortest_life() {
    let house = House::new();
    let short = house
        .middle
        .certify_with(&house.signer, leaf(), |draft| draft.not_after = at("2026-12-01T00:00:00Z"));
    let path = house.check(&[short, house.intermediate.clone()]).unwrap();
    assert_eq!(path.ends_at, at("2026-12-01T00:00:00Z"));
}

#[test]
fn a_signature_that_is_not_the_issuers_fails_wherever_it_is() {
    let house = House::new();
    // A forger with the intermediate's name and key identifier, but not its key.
    let forger = Party { key: PrivateKey::generate(KeyAlg::P256), name: house.middle.name.clone() };
    let real_key = house.middle.key.public();
    let forged = forger.certify_with(&house.signer, leaf(), |draft| draft.issuer_key = real_key);
    assert_eq!(reason(house.check(&[forged, house.intermediate.clone()])), (PathReason::BadSignature, 0));
    let forger = Party { key: PrivateKey::generate(KeyAlg::P256), name: house.root.name.clone() };
    let real_key = house.root.key.public();
    let forged = forger.certify_with(&house.middle, ca(Some(0)), |draft| draft.issuer_key = real_key);
    assert_eq!(reason(house.check(&[house.leaf.clone(), forged])), (PathReason::BadSignature, 1));
}

#[test]
fn usages_bind_the_leaf_and_the_authorities() {
    let house = House::new();
    let wanted = PathRules { eku: Some(MDL_SIGNER), ..rules() };
    let anchors = std::slice::from_ref(&house.anchor);
    assert!(verify(&house.chain(), anchors, &wanted).is_ok());
    let other = PathRules { eku: Some("1.3.6.1.5.5.7.3.1"), ..rules() };
    assert_eq!(reason(verify(&house.chain(), anchors, &other)), (PathReason::Eku, 0));
    let bare = house.middle.certify(&house.signer, Profile::Leaf(LeafNames::default()));
    let chain = [bare, house.intermediate.clone()];
    assert!(verify(&chain, anchors, &rules()).is_ok());
    assert_eq!(reason(verify(&chain, anchors, &wanted)), (PathReason::Eku, 0));
    assert_eq!(
        reason(house.check(std::slice::from_ref(&house.intermediate))),
        (PathReason::Eku, 0),
        "an authority's key does not sign credentials"
    );
}

#[test]
fn the_leaf_carries_the_name_that_is_demanded() {
    let house = House::new();
    let with = |name| {
        let rules = PathRules { name: Some(name), ..rules() };
        verify(&house.chain(), std::slice::from_ref(&house.anchor), &rules)
    };
    assert!(with(LeafName::Uri("https://issuer.example/t/default")).is_ok());
    assert!(with(LeafName::Dns("Verifier.Example")).is_ok());
    for name in [
        LeafName::Uri("https://issuer.example/t/DEFAULT"),
        LeafName::Uri("verifier.example"),
        LeafName::Dns("other.example"),
        LeafName::Dns("a.verifier.example"),
    ] {
        assert_eq!(reason(with(name)), (PathReason::NameMismatch, 0));
    }
}

#[test]
fn reasons_have_the_names_of_the_report() {
    let names = [
        (PathReason::NoAnchor, "no-anchor"),
        (PathReason::AnchorInChain, "anchor-in-chain"),
        (PathReason::SelfSignedLeaf, "self-signed-leaf"),
        (PathReason::WrongOrder, "wrong-order"),
        (PathReason::NotACa, "not-a-ca"),
        (PathReason::PathTooLong, "path-too-long"),
        (PathReason::Expired, "expired"),
        (PathReason::NotYetValid, "not-yet-valid"),
        (PathReason::BadSignature, "bad-signature"),
        (PathReason::WrongContext, "wrong-context"),
        (PathReason::Eku, "eku"),
        (PathReason::NameMismatch, "name-mismatch"),
    ];
    for (reason, name) in names {
        assert_eq!(reason.to_string(), name);
    }
}

#[test]
fn certificates_are_not_signed_with_what_no_path_accepts() {
    let root = Party::with_alg("Root", KeyAlg::Ed25519);
    let draft = TbsDraft {
        subject: root.name.clone(),
        issuer: root.name.clone(),
        issuer_key: root.key.public(),
        serial: [0xff; 16],
        not_before: at(NOW),
        not_after: at(NOW),
        public_key: root.key.public(),
        profile: ca(None),
    };
    assert!(draft.to_be_signed(SignAlg::EdDsa).is_err());
}
