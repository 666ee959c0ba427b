//! Manifests, epochs and round statements: what is signed is kept, and what is not signed by all who must is refused.

#![allow(clippy::unwrap_used, reason = "a test stops where its fixture cannot be made")]

use crypto::key::{KeyAlg, PrivateKey, SignAlg};
use mailbox::link::MemberLink;
use mailbox::network::{
    Claim, Class, ClassRule, Epoch, EpochClass, Identity, Manifest, Mechanism, Mode, NetworkId,
    NetworkRejection, RelayEntry, Signature, Signed, SignedStatement, TokenIssuer, Tokens, Topology,
    VerifiedManifest,
};
use mailbox::statement::{
    Expected, HopLine, MechanismLine, ROW_BYTES, RoundStatement, SignedRound, StatementRejection,
    buckets_root, rows_digest, statement_message,
};
use tessera_mailbox as mailbox;

struct Relay {
    key: PrivateKey,
}

impl Relay {
    fn new(seed: u8) -> Self {
        Self { key: PrivateKey::from_secret(KeyAlg::Ed25519, &[seed; 32]).unwrap() }
    }

    fn identity(&self) -> Identity {
        Identity(self.key.public().raw().try_into().unwrap())
    }

    fn sign(&self, message: &[u8]) -> Signature {
        Signature(self.key.sign(SignAlg::EdDsa, message).unwrap().try_into().unwrap())
    }

    fn entry(&self) -> RelayEntry {
        let (identity, url) = (self.identity(), "http://localhost:8100".to_owned());
        let operator_sig = self.sign(&Manifest::operator_message(&identity, &url));
        RelayEntry { name: "one".to_owned(), url, identity, operator: identity, operator_sig }
    }
}

fn manifest(relays: &[&Relay]) -> Manifest {
    Manifest {
        version: 1,
        network: None,
        name: "specimen".to_owned(),
        dev: true,
        genesis_ms: 1_700_000_000_000,
        epoch_ms: 86_400_000,
        topology: Topology::Ring,
        n: relays.len() as u32,
        k: relays.len() as u32,
        relays: relays.iter().map(|relay| relay.entry()).collect(),
        tokens: Tokens::Off,
        token_issuer: TokenIssuer { url: "http://localhost:8100".to_owned(), identity: relays[0].identity() },
        classes: vec![ClassRule {
            id: 0,
            round_ms: 60_000,
            mode: Mode::Full,
            window: 4,
            mechanism: Mechanism::None,
        }],
        claim: Claim { epsilon: "0".to_owned(), delta: "0".to_owned(), events: 0 },
        activity: "0.5".to_owned(),
        retention: 14,
        guarantee: "one relay: who is online shows".to_owned(),
    }
}

fn signed(kind: &str, statement: String, by: &[&Relay]) -> SignedStatement {
    let message = statement_message(kind, statement.as_bytes());
    let signatures = by
        .iter()
        .map(|relay| Signed { identity: relay.identity(), signature: relay.sign(&message) })
        .collect();
    SignedStatement { statement, signatures }
}

fn first(manifest: &Manifest, by: &[&Relay]) -> Result<VerifiedManifest, NetworkRejection> {
    let signed = signed("manifest", manifest.encode(), by);
    let id = NetworkId(signed.digest());
    Manifest::parse(signed)?.verify_first(id)
}

fn epoch(of: &VerifiedManifest) -> Epoch {
    let (cascade, standby) = of.manifest().cascade(0);
    Epoch {
        network: of.network(),
        epoch: 0,
        view: 0,
        manifest_version: of.manifest().version,
        onion_keys: cascade.iter().map(|_| Identity([7; 32])).collect(),
        cascade,
        standby,
        token_key: None,
        clients_max: 64,
        classes: vec![EpochClass { id: 0, from_round: 0, buckets: 1, rows: 71 }],
    }
}

#[test]
fn a_manifest_signed_by_all_its_relays_is_kept_byte_for_byte() {
    let (a, b) = (Relay::new(1), Relay::new(2));
    let manifest = manifest(&[&a, &b]);
    let known = first(&manifest, &[&a, &b]).unwrap();
    assert_eq!(known.manifest(), &manifest);
    assert_eq!(known.manifest().trust_domains(), 2);
    let served = known.signed().encode();
    assert_eq!(SignedStatement::parse(served.as_bytes()).unwrap(), *known.signed());
    assert_eq!(known.network().0, crypto::hash::sha256(known.signed().statement.as_bytes()));
}

#[test]
fn a_manifest_with_a_signature_missing_or_changed_is_refused() {
    let (a, b) = (Relay::new(1), Relay::new(2));
    let whole = manifest(&[&a, &b]);
    assert_eq!(first(&whole, &[&a]), Err(NetworkRejection::Signature(b.identity())));
    let mut swapped = whole.clone();
    swapped.relays[1].url = "http://localhost:9999".to_owned();
    assert_eq!(first(&swapped, &[&a, &b]), Err(NetworkRejection::Operator(1)));
    let signed = signed("manifest", whole.encode(), &[&a, &b]);
    let id = NetworkId(signed.digest());
    let mut changed = signed;
    changed.statement = changed.statement.replace("specimen", "speciman");
    assert_eq!(Manifest::parse(changed).unwrap().verify_first(id), Err(NetworkRejection::Network));
}

#[test]
fn a_manifest_is_never_rolled_back_nor_replaced_beside_itself() {
    let (a, b) = (Relay::new(1), Relay::new(2));
    let known = first(&manifest(&[&a]), &[&a]).unwrap();
    let next = |version, relays: &[&Relay], by: &[&Relay]| {
        let mut next = manifest(relays);
        (next.version, next.network) = (version, Some(known.network()));
        Manifest::parse(signed("manifest", next.encode(), by)).unwrap().verify_next(&known)
    };
    let second = next(2, &[&a, &b], &[&a, &b]).unwrap();
    assert_eq!(second.network(), known.network());
    assert_eq!(next(2, &[&a, &b], &[&b]), Err(NetworkRejection::Signature(a.identity())));
    assert_eq!(next(2, &[&b], &[&b]), Err(NetworkRejection::Network), "nobody of the old network is left");
    assert_eq!(next(3, &[&a], &[&a]), Err(NetworkRejection::Version { known: 1, found: 3 }));
    let old = Manifest::parse(known.signed().clone()).unwrap();
    assert_eq!(old.verify_next(&second), Err(NetworkRejection::Version { known: 2, found: 1 }));
    let again = Manifest::parse(known.signed().clone()).unwrap();
    assert_eq!(again.verify_next(&known).as_ref(), Ok(&known));
}

#[test]
fn numbers_out_of_bounds_and_unknown_members_are_refused() {
    let a = Relay::new(1);
    let refused = |change: fn(&mut Manifest)| {
        let mut changed = manifest(&[&a]);
        change(&mut changed);
        Manifest::parse(signed("manifest", changed.encode(), &[&a])).err()
    };
    assert_eq!(refused(|m| m.k = 2), Some(NetworkRejection::Bound("k")));
    assert_eq!(refused(|m| m.dev = false), Some(NetworkRejection::Bound("tokens")));
    assert_eq!(refused(|m| m.classes[0].round_ms = 0), Some(NetworkRejection::Bound("round_ms")));
    assert_eq!(refused(|m| m.classes[0].round_ms = 7_000), Some(NetworkRejection::Bound("epoch_ms")));
    assert_eq!(refused(|m| m.classes[0].mode = Mode::Bucketed), Some(NetworkRejection::Bound("mode")));
    assert_eq!(refused(|m| m.n = 9), Some(NetworkRejection::Bound("n")));
    assert_eq!(refused(|m| m.classes.clear()), Some(NetworkRejection::Bound("classes")));
    let text = manifest(&[&a]).encode();
    for odd in [
        text.replacen('{', "{\"more\":1,", 1),
        text.replacen("\"n\":1", "\"n\":1,\"n\":1", 1),
        format!("{text} x"),
    ] {
        let statement = SignedStatement { statement: odd, signatures: vec![] };
        assert!(matches!(Manifest::parse(statement), Err(NetworkRejection::Form(_))));
    }
}

#[test]
fn an_epoch_needs_every_hop_and_the_cascade_that_the_manifest_gives() {
    let (a, b) = (Relay::new(1), Relay::new(2));
    let known = first(&manifest(&[&a, &b]), &[&a, &b]).unwrap();
    let verify = |epoch: &Epoch, by: &[&Relay]| {
        Epoch::parse(signed("epoch", epoch.encode(), by))
            .unwrap()
            .verify(&known)
            .map(|epoch| epoch.epoch().clone())
    };
    let good = epoch(&known);
    assert_eq!(verify(&good, &[&a, &b]).as_ref(), Ok(&good));
    assert_eq!(verify(&good, &[&a]), Err(NetworkRejection::Signature(b.identity())));
    let turned = Epoch { cascade: vec![1, 0], ..good.clone() };
    assert_eq!(verify(&turned, &[&a, &b]), Err(NetworkRejection::Bound("cascade")));
    let foreign = Epoch { network: NetworkId([1; 32]), ..good.clone() };
    assert_eq!(verify(&foreign, &[&a, &b]), Err(NetworkRejection::Network));
    let newer = Epoch { manifest_version: 2, ..good.clone() };
    assert_eq!(verify(&newer, &[&a, &b]), Err(NetworkRejection::Version { known: 1, found: 2 }));
    // A signature under a manifest is none under an epoch.
    let statement = good.encode();
    let other = signed("manifest", statement, &[&a, &b]);
    assert!(Epoch::parse(other).unwrap().verify(&known).is_err());
}

#[test]
fn cascades_turn_and_take_each_operator_once_while_there_are_enough() {
    let relays: Vec<Relay> = (1..=4).map(Relay::new).collect();
    let mut four = manifest(&relays.iter().collect::<Vec<_>>());
    (four.k, four.topology) = (3, Topology::Mesh);
    assert_eq!(four.cascade(0), (vec![0, 1, 2], vec![3]));
    assert_eq!(four.cascade(5), (vec![1, 2, 3], vec![0]));
    four.relays[1].operator = four.relays[0].operator;
    assert_eq!(four.cascade(0), (vec![0, 2, 3], vec![1]));
    assert_eq!(four.trust_domains(), 3);
}

fn round_of(relay: &Relay, rows: &[Vec<u8>]) -> SignedRound {
    let statement = RoundStatement {
        network: NetworkId([9; 32]),
        class: Class::Normal,
        epoch: 3,
        view: 0,
        round: 77,
        collect_from: 77,
        mechanism: MechanismLine::default(),
        buckets: rows.len() as u16,
        rows: (rows[0].len() / ROW_BYTES) as u32,
        hops: vec![HopLine {
            relay: 0,
            cells_in: 0,
            cells_out: 2,
            dropped: 0,
            digest: rows_digest(rows),
            seed_commit: [0; 32],
            coin_commit: [0; 32],
            coin: [0; 32],
        }],
        buckets_root: buckets_root(rows),
    };
    let signature = relay.sign(&statement.message()).0;
    statement.signed(vec![signature])
}

#[test]
fn a_round_statement_has_its_public_size_and_reads_back() {
    let relay = Relay::new(1);
    let rows = vec![vec![1; 2 * ROW_BYTES]];
    let signed = round_of(&relay, &rows);
    let bytes = signed.encode();
    assert_eq!(bytes.len(), 256 + 64);
    assert_eq!(SignedRound::parse(&bytes), Ok(signed));
    for length in 0..bytes.len() {
        assert_eq!(SignedRound::parse(&bytes[..length]), Err(StatementRejection::Form));
    }
    assert_eq!(SignedRound::parse(&[&bytes[..], &[0]].concat()), Err(StatementRejection::Form));
}

#[test]
fn a_statement_holds_for_its_round_its_hops_and_its_rows_alone() {
    let relay = Relay::new(1);
    let rows = vec![vec![1; 2 * ROW_BYTES]];
    let signed = round_of(&relay, &rows);
    let cascade = [(0, relay.identity())];
    let expected =
        Expected { network: NetworkId([9; 32]), class: Class::Normal, epoch: 3, view: 0, cascade: &cascade };
    let statement = signed.clone().verify(&expected).unwrap();
    assert_eq!(statement.check_rows(0, &rows[0], &[]), Ok(()));
    let mut other = rows[0].clone();
    other[600] ^= 1;
    assert_eq!(statement.check_rows(0, &other, &[]), Err(StatementRejection::Rows));
    assert_eq!(statement.check_rows(0, &rows[0][..ROW_BYTES], &[]), Err(StatementRejection::Rows));
    assert_eq!(statement.check_rows(1, &rows[0], &[]), Err(StatementRejection::Rows));
    for wrong in [
        Expected { epoch: 4, ..expected },
        Expected { class: Class::Fast, ..expected },
        Expected { view: 1, ..expected },
    ] {
        assert_eq!(signed.clone().verify(&wrong), Err(StatementRejection::Other));
    }
    let strangers = [(0, Relay::new(2).identity())];
    let wrong = Expected { cascade: &strangers, ..expected };
    assert_eq!(signed.clone().verify(&wrong), Err(StatementRejection::Signature(0)));
    let bytes = signed.encode();
    for at in (0..bytes.len()).step_by(3) {
        let mut changed = bytes.clone();
        changed[at] ^= 0x40;
        let believed = SignedRound::parse(&changed).is_ok_and(|signed| signed.verify(&expected).is_ok());
        assert!(!believed, "byte {at}");
    }
}

#[test]
fn a_member_link_reads_back_and_bad_ones_are_none() {
    let link =
        MemberLink { url: "http://localhost:8100".to_owned(), network: NetworkId([9; 32]), code: [4; 16] };
    let text = link.encode().unwrap();
    assert!(text.starts_with("tessera:member/1#"));
    assert_eq!(MemberLink::parse(&text), Some(link.clone()));
    assert!(!format!("{link:?}").contains("4, 4"), "the code is no text of a log");
    for bad in
        ["", "tessera:member/1#", "tessera:member/2#AAAA", &text[..text.len() - 2], &format!("{text}AA")]
    {
        assert_eq!(MemberLink::parse(bad), None, "{bad}");
    }
    let odd = MemberLink { url: "file:///etc/passwd".to_owned(), ..link };
    assert_eq!(MemberLink::parse(&odd.encode().unwrap()), None);
}
