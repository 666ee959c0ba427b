//! Targets of `protocol/credential`.

use credential::check::PresentationName;
use credential::claims_path::{ClaimsPath, Step};
use credential::credential_type::CredentialType;
use credential::dcql::{self, Candidate, CredentialQuery, Format, Query, Reader};
use credential::presentation::{Expected, StatusAnswer, StatusMode, StatusPolicy, examine};
use credential::sd_jwt::{self, KeyBinding, SdJwt, Subject, Validity};
use credential::status::{Bits, INFLATED_BYTES_MAX, ListToken, StatusList};
use credential::trust::list::{self, SignedList};
use crypto::base64;
use crypto::jwk::Jwk;
use serde_json::{Value, json};

use crate::fixed::{self, VCT, parties};
use crate::input::{self, halves};

/// The audience that presentations are for.
pub const AUDIENCE: &str = "x509_hash:Uvo3HtuIxuhC92rShpgqcT3YXwrqRxWEviRiA0OZszk";
/// The nonce of the session.
pub const NONCE: &str = "n-0S6_WzA2Mj";

/// Lists beyond this are not compressed again: that would take most of the time.
const COMPRESSED_AGAIN_MAX: usize = 64 * 1024;

/// A credential holds under one key only; nothing of its machinery is left in the claims; any part of it may be shown.
pub fn sd_jwt(bytes: &[u8]) {
    let parties = parties();
    let Some(text) = input::sd_jwt(bytes, &parties.leaf, &parties.holder) else { return };
    if let Some((_, binding)) = text.rsplit_once('~') {
        let _ = KeyBinding::parse(binding);
    }
    let Ok(unverified) = SdJwt::parse(&text) else { return };
    let _ = (unverified.x5c(), unverified.has_key_binding());
    let Ok(read) = unverified.verify(&parties.leaf.public(), fixed::now()) else { return };
    let again = SdJwt::parse(&text).expect("it was read before");
    assert!(again.verify(&parties.wrong.public(), fixed::now()).is_err());
    assert!(is_plain(read.claims()), "{:?}", read.claims());
    let _ = (read.vct(), read.aka_vcts(), read.issuer(), read.holder_key(), read.expires_at(), read.status());

    let nothing = shown(&read, &[]).expect("no claim is asked for");
    assert!(nothing.disclosures().is_empty());
    let names = read.claims().as_object().expect("claims are an object").keys();
    let all: Option<Vec<_>> = names.map(|name| ClaimsPath::parse(&json!([name])).ok()).collect();
    if let Some(all) = all {
        let everything = shown(&read, &all).expect("each is there");
        assert_eq!(everything.claims(), read.claims());
    }
    for disclosed in read.disclosures() {
        if let Some(path) = path_to(disclosed.place()) {
            assert!(shown(&read, &[path]).is_some(), "{:?}", disclosed.place());
            input::accepted();
        }
    }
}

/// Whatever is shown, it is believed only under the right anchor, with the right nonce, and by the holder.
pub fn presentation(bytes: &[u8]) {
    let parties = parties();
    let Some(text) = input::sd_jwt(bytes, &parties.leaf, &parties.holder) else { return };
    let (query, now) = (query(), fixed::now());
    let expected = |nonce| Expected {
        query,
        name: PresentationName { query: "d".into(), index: 0 },
        audience: AUDIENCE,
        nonce,
        requested_at: now,
        transactions: &[],
    };
    let policy = StatusPolicy { mode: StatusMode::Ignore, grace_s: 0 };
    let seen = examine(&text, &expected(NONCE), &parties.trust(), now);
    let _ = seen.status_wanted(&StatusPolicy::default());
    let Some(presented) = seen.conclude(&StatusAnswer::NotWanted, &policy, now).presented else { return };
    let _ = presented.to_value();
    assert!(presented.holder_binding);
    input::accepted();
    assert_eq!(presented.kind, VCT);
    assert!(presented.claims.keys().all(|name| name == "given_name"), "only what was asked for");
    assert!(!examine(&text, &expected("another"), &parties.trust(), now).is_valid());
    assert!(!examine(&text, &expected(NONCE), &parties.wrong_trust(), now).is_valid());
}

/// The first byte gives the bits. What is inflated is bounded, and is the same when deflated and inflated again.
pub fn status_list(bytes: &[u8]) {
    let Some((first, packed)) = bytes.split_first() else { return };
    let bits = Bits::of([1, 2, 4, 8][usize::from(first & 3)]).expect("one of the four");
    let Ok(list) = StatusList::inflated(bits, packed) else { return };
    assert!(list.bytes().len() <= INFLATED_BYTES_MAX);
    input::accepted();
    let entries = list.entries();
    assert!(list.value(entries).is_err());
    assert!(entries == 0 || list.value(entries - 1).is_ok());
    if list.bytes().len() <= COMPRESSED_AGAIN_MAX {
        assert_eq!(StatusList::inflated(bits, &list.compressed()), Ok(list));
    }
}

/// A list is believed only under the right anchor.
pub fn status_token(bytes: &[u8]) {
    let parties = parties();
    let Some(token) = input::signed(bytes, &parties.leaf) else { return };
    let Ok(read) = ListToken::parse(&token) else { return };
    let Ok(list) = read.verify(&parties.trust(), fixed::now()) else { return };
    let _ = (list.subject(), list.fresh_until(fixed::now()), list.value(0));
    input::accepted();
    assert!(list.value(list.entries()).is_err());
    let again = ListToken::parse(&token).expect("it was read before");
    assert!(again.verify(&parties.wrong_trust(), fixed::now()).is_err());
}

/// A trust list is believed only under the right anchor, and what it vouches for is bounded.
pub fn trust_list(bytes: &[u8]) {
    let parties = parties();
    let Some(text) = input::signed(bytes, &parties.leaf) else { return };
    let Ok(read) = SignedList::parse(&text) else { return };
    let Ok(verified) = read.verify(&parties.trust(), fixed::now()) else { return };
    input::accepted();
    assert!(
        verified.list.entries.len() <= list::CERTIFICATES_MAX && verified.list.next_update > fixed::now()
    );
    let again = || SignedList::parse(&text).expect("it was read before");
    assert_eq!(again().verified_before(), Ok(verified.list));
    assert!(again().verify(&parties.wrong_trust(), fixed::now()).is_err());
}

/// A query of ours survives the round trip; a choice names only what was asked for and is there.
pub fn dcql(bytes: &[u8]) {
    let Some(value) = input::json(bytes) else { return };
    let own = Query::parse(&value, Reader::Own);
    if let Ok(query) = &own {
        let written = query.to_value();
        assert_eq!(Query::parse(&written, Reader::Own).map(|again| again.to_value()), Ok(written));
        let _ = dcql::unsupported(query);
    }
    let Ok(query) = Query::parse(&value, Reader::Wallet) else {
        assert!(own.is_err(), "a wallet reads whatever we ask");
        return;
    };
    let claims =
        json!({"given_name": "Ana", "degree": {"type": "BSc"}, "nationalities": ["DE", "FR"], "vct": VCT});
    let candidate = Candidate {
        format: Format::SdJwtVc,
        kind: VCT,
        aka: vec!["urn:a"],
        claims: &claims,
        has_holder_key: true,
        authority_key_ids: vec!["AAAA".to_owned()],
    };
    for pick in dcql::select(&query, std::slice::from_ref(&candidate)).unwrap_or_default() {
        assert_eq!(pick.candidate, 0);
        assert!(query.credential(&pick.query).is_some());
        assert!(pick.paths.iter().all(|path| !path.select(&claims).is_empty()));
        input::accepted();
    }
}

/// `[path]\n{claims}`: a path is written back, and selects without end or surprise.
pub fn claims_path(bytes: &[u8]) {
    let (path, claims) = halves(bytes);
    let Some(value) = input::json(path) else { return };
    let Ok(path) = ClaimsPath::parse(&value) else { return };
    assert_eq!(path.to_value(), value);
    assert!(path.is_at(path.steps()) && !path.goes_below(path.steps()));
    let _ = path.to_string();
    if let Some(claims) = input::json(claims) {
        let selected = path.select(&claims);
        assert!(path.steps().contains(&Step::All) || selected.len() <= 1);
        input::accepted();
    }
}

/// `[rules]\n{claims}`: what a type accepts is issued, and read back as it was given.
pub fn credential_type(bytes: &[u8]) {
    let (rules, claims) = halves(bytes);
    let Some(rules) = input::json(rules) else { return };
    let Ok(kind) = CredentialType::parse(VCT, &rules) else { return };
    let Some(Value::Object(claims)) = input::json(claims) else { return };
    let Ok(accepted) = kind.accept(&claims) else { return };
    let parties = parties();
    let subject = Subject {
        issuer: fixed::ISSUER,
        holder: &Jwk::from_key(&parties.holder.public()),
        status: None,
        validity: Validity::whole_days(fixed::now(), 30 * 86_400, None).expect("thirty days are some"),
    };
    let mut count = 0u64;
    let mut entropy = |out: &mut [u8]| {
        for chunk in out.chunks_mut(8) {
            count += 1;
            chunk.copy_from_slice(&count.to_be_bytes()[8 - chunk.len()..]);
        }
    };
    let Ok(draft) = sd_jwt::issue(&accepted, &subject, &mut entropy) else { return };
    let draft_text = draft.jws.with_alg(parties.leaf.alg().default_sign_alg()).signing_input();
    let signature = parties.leaf.sign(parties.leaf.alg().default_sign_alg(), draft_text.as_bytes());
    let signature = signature.expect("a key signs with its own algorithm");
    let issued = draft.disclosures.assemble(&crypto::jose::jws::assemble(&draft_text, &signature));
    let read = SdJwt::parse(&issued).expect("what we issue we read");
    let read = read.verify(&parties.leaf.public(), fixed::now()).expect("what we issue holds");
    input::accepted();
    for (name, value) in &claims {
        if !input::has_float(value) {
            assert_eq!(read.claims().get(name), Some(value));
        }
    }
}

/// What [`presentation`] asks for.
fn query() -> &'static CredentialQuery {
    static QUERY: std::sync::OnceLock<CredentialQuery> = std::sync::OnceLock::new();
    QUERY.get_or_init(|| {
        let asked = json!({"credentials": [{
            "id": "d", "format": "dc+sd-jwt", "meta": {"vct_values": [VCT]}, "claims": [{"path": ["given_name"]}],
        }]});
        Query::parse(&asked, Reader::Own).expect("a query of ours").credentials.remove(0)
    })
}

/// What a verifier reads when the holder shows `paths`; none when one of them is not there.
fn shown(credential: &SdJwt, paths: &[ClaimsPath]) -> Option<SdJwt> {
    let text = credential.present(paths).ok()?.without_key_binding();
    let read = SdJwt::parse(&text).expect("what a holder shows can be read");
    Some(read.verify(&parties().leaf.public(), fixed::now()).expect("what a holder shows holds"))
}

fn path_to(place: &[Step]) -> Option<ClaimsPath> {
    let steps = place.iter().map(|step| match step {
        Step::Name(name) => json!(name),
        Step::Index(index) => json!(index),
        Step::All => Value::Null,
    });
    ClaimsPath::parse(&steps.collect()).ok()
}

fn is_plain(claims: &Value) -> bool {
    match claims {
        Value::Object(members) => {
            members.iter().all(|(name, value)| name != "_sd" && name != "..." && is_plain(value))
        }
        Value::Array(items) => items.iter().all(is_plain),
        _ => true,
    }
}

/// The compressed list of a token, for seeds.
pub fn packed(bits: Bits, entries: u32) -> String {
    base64::url_encode(&StatusList::new(bits, entries).expect("a small list").compressed())
}
