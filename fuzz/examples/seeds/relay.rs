//! Seeds of what relays and their clients say to each other.

use super::Seeds;
use mailbox::frame::{
    Bucket, Close, CloseCode, Fetch, FromClient, FromRelay, Hello, Round, Turn, TurnCode, Turned, Welcome,
};
use mailbox::link::MemberLink;
use mailbox::network::{
    Claim, Class, ClassRule, Epoch, EpochClass, Identity, Manifest, Mechanism, Mode, NetworkId, RelayEntry,
    SignedStatement, TokenIssuer, Tokens, Topology,
};
use mailbox::statement::{
    HopLine, MechanismLine, RoundStatement, SignedRound, buckets_root, index_of, rows_digest,
};
use tessera_fuzz::relay::{identity, relay_key, sealed, sign, signed};

const NETWORK: NetworkId = NetworkId([9; 32]);
const URL: &str = "http://localhost:8100";

pub(super) fn all() -> Vec<Seeds> {
    vec![
        ("mailbox_from_client", from_client()),
        ("mailbox_from_relay", from_relay()),
        ("mailbox_onion", onions()),
        ("mailbox_round", vec![round(1, &[]).encode(), round(1, &rows()).encode(), round(3, &[]).encode()]),
        ("mailbox_network", networks()),
        ("mailbox_member_link", links()),
    ]
}

fn from_client() -> Vec<Vec<u8>> {
    let hello = |fetch, turns| {
        FromClient::Hello(Hello { network: NETWORK, manifest_version: 1, turns, fetch, bucket: 0 })
    };
    let turn = |k: usize| {
        let onion = vec![5; mailbox::frame::onion_bytes(k)];
        FromClient::Turn { number: 3, turn: Turn { round: 7, token: [0; 48], onion, bucket: 0 } }
    };
    let close = FromClient::Close(Close::new(CloseCode::Bye, "gone"));
    [
        (1, Class::Normal, hello(Fetch::Bucket, 1)),
        (1, Class::Fast, hello(Fetch::Pir, 16)),
        (1, Class::Normal, turn(1)),
        (3, Class::Fast, turn(3)),
        (1, Class::Normal, close),
    ]
    .iter()
    .map(|(k, class, frame)| [&[k - 1][..], &frame.encode(*class)].concat())
    .collect()
}

fn from_relay() -> Vec<Vec<u8>> {
    let welcome = Welcome { now_ms: 1_700_000_000_000, round: 7, epoch: 0, view: 0, epoch_digest: [8; 32] };
    let turned = |code| FromRelay::Turned { number: 0, turned: Turned { round: 7, code } };
    let rows = rows();
    let ready = Round { signed: round(1, &rows), index: index_of(&rows), path: Vec::new() };
    let told = [
        FromRelay::Welcome(welcome).encode(Class::Normal),
        turned(TurnCode::Accepted).encode(Class::Normal),
        turned(TurnCode::Full).encode(Class::Fast),
    ];
    let published = [
        ready.frames(Class::Normal),
        Bucket::frames(Class::Normal, 7, 0, &rows),
        Bucket::frames(Class::Fast, 8, 0, &[]),
    ]
    .concat();
    let close = [Close::new(CloseCode::Slow, "too far behind").encode(Class::Normal)];
    // A part that says another follows, and one of another kind behind it.
    let torn = [vec![0x05, 0, 0, 1], published[1].clone()];
    [&told[..], &published, &close, &torn]
        .iter()
        .map(|frames| frames.iter().flat_map(|frame| framed(frame)).collect())
        .collect()
}

fn framed(frame: &[u8]) -> Vec<u8> {
    let length = u16::try_from(frame.len()).expect("a seed is small");
    [&length.to_be_bytes()[..], frame].concat()
}

fn onions() -> Vec<Vec<u8>> {
    let (one, other) = (sealed(0, &[1; 512], 1), sealed(0xffff, &[2; 512], 2));
    let mut flipped = sealed(0, &[3; 512], 3);
    flipped[300] ^= 1;
    vec![one.clone(), [one.clone(), other, flipped, one].concat()]
}

fn rows() -> Vec<u8> {
    [[1; 512], [2; 512]].concat()
}

fn round(k: u8, rows: &[u8]) -> SignedRound {
    let buckets = [rows];
    let hop = |relay: u8| HopLine {
        relay,
        cells_in: if relay == 0 { 0 } else { 2 },
        cells_out: 2,
        dropped: 0,
        digest: rows_digest(&buckets),
        seed_commit: [0; 32],
        coin_commit: [0; 32],
        coin: [0; 32],
    };
    let statement = RoundStatement {
        network: NETWORK,
        class: Class::Normal,
        epoch: 0,
        view: 0,
        round: 7,
        collect_from: 7,
        mechanism: MechanismLine::default(),
        buckets: 1,
        rows: u32::try_from(rows.len() / 512).expect("few rows"),
        hops: (0..k).map(hop).collect(),
        buckets_root: buckets_root(&buckets),
    };
    statement.signed(vec![[0; 64]; usize::from(k)])
}

/// A network of one relay, alone and with its first epoch; one that is served; one with tokens and a fast class.
fn networks() -> Vec<Vec<u8>> {
    let plain = manifest(Tokens::Off, vec![rule(0, 60_000)]);
    let served: SignedStatement = signed("manifest", &plain.encode());
    let mut all = vec![served.encode().into_bytes()];
    for manifest in [plain, manifest(Tokens::Required, vec![rule(0, 60_000), rule(1, 1_000)])] {
        let text = manifest.encode();
        let network = NetworkId(signed("manifest", &text).digest());
        all.push([text.as_bytes(), b"\n", epoch(network, &manifest).encode().as_bytes()].concat());
    }
    all
}

fn manifest(tokens: Tokens, classes: Vec<ClassRule>) -> Manifest {
    let identity = identity(relay_key());
    let operator_sig = sign(relay_key(), &Manifest::operator_message(&identity, URL));
    let url = URL.to_owned();
    Manifest {
        version: 1,
        network: None,
        name: "specimen".to_owned(),
        dev: true,
        genesis_ms: 1_700_000_000_000,
        epoch_ms: 86_400_000,
        topology: Topology::Ring,
        n: 1,
        k: 1,
        relays: vec![RelayEntry {
            name: "one".to_owned(),
            url: url.clone(),
            identity,
            operator: identity,
            operator_sig,
        }],
        tokens,
        token_issuer: TokenIssuer { url, identity },
        classes,
        claim: Claim { epsilon: "0".to_owned(), delta: "0".to_owned(), events: 0 },
        activity: "0.5".to_owned(),
        retention: 14,
        guarantee: "one relay: who is online shows".to_owned(),
    }
}

fn rule(id: u8, round_ms: u64) -> ClassRule {
    ClassRule { id, round_ms, mode: Mode::Full, window: 4, mechanism: Mechanism::None }
}

fn epoch(network: NetworkId, of: &Manifest) -> Epoch {
    let (cascade, standby) = of.cascade(0);
    Epoch {
        network,
        epoch: 0,
        view: 0,
        manifest_version: of.version,
        onion_keys: cascade.iter().map(|_| Identity([7; 32])).collect(),
        cascade,
        standby,
        token_key: (of.tokens == Tokens::Required).then_some(Identity([6; 32])),
        clients_max: 64,
        classes: of
            .classes
            .iter()
            .map(|rule| EpochClass { id: rule.id, from_round: 0, buckets: 1, rows: 71 })
            .collect(),
    }
}

fn links() -> Vec<Vec<u8>> {
    ["http://localhost:8100", "https://relay.example/t/a"]
        .map(|url| MemberLink { url: url.to_owned(), network: NETWORK, code: [4; 16] }.encode())
        .into_iter()
        .map(|link| link.expect("a short address").into_bytes())
        .collect()
}
