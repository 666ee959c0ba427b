//! What rooms ask of custody: keys that are there from the start, signatures, chains, agreement.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod house;

use crypto::cbor::{self, Value as Cbor};
use crypto::cose::{self, Sign1Draft};
use crypto::jose::jws::{Draft, Jws};
use crypto::json::Limits;
use crypto::key::{Ecdh, KeyAlg, SignAlg};
use crypto::x509::Certificate;
use crypto::x509::path::{self, LeafName, PathRules};
use house::{House, PUBLIC_URL};
use jiff::SignedDuration;
use std::sync::Arc;
use tessera_custody::moves::Rotate;
use tessera_custody::state::{State, Verb};
use tessera_custody::{
    Context, KeyError, KeyRef, LIST_USE, Owner, Policy, REQUEST_USE, RoomKey, SD_JWT_USE, SignError,
};

const LIMITS: Limits = Limits { bytes_max: 1 << 20, depth_max: 32 };
const DAY: u64 = 86_400;

#[tokio::test]
async fn a_new_tenant_has_a_root_as_its_anchor_and_a_leaf_for_each_signer() {
    let house = House::new().await;
    let ctx = house.ctx();
    let anchors = house.custody.anchors(&ctx, Context::Issuer, None).await.unwrap();
    let [root] = anchors.as_slice() else { panic!("one anchor") };
    assert!(root.is_own && root.certificate.is_ca());
    let identifier = format!("{PUBLIC_URL}/t/default");
    for (one, name) in [
        (SD_JWT_USE, LeafName::Uri(&identifier)),
        (LIST_USE, LeafName::Uri(&identifier)),
        (REQUEST_USE, LeafName::Dns("localhost")),
    ] {
        let info = house.custody.signer(&ctx, KeyRef::Use(one)).await.unwrap();
        assert_eq!(info.chain.len(), 1, "{one}: the root never travels");
        let chain = [Certificate::parse(&info.chain[0]).unwrap()];
        assert_eq!(chain[0].public_key(), &info.public);
        let rules = PathRules { name: Some(name), ..PathRules::at(ctx.now) };
        let found = path::verify(&chain, std::slice::from_ref(&root.certificate), &rules).unwrap();
        assert_eq!(Some(found.ends_at), info.ends_at);
    }
    let events = house.events_of(&house.tenant.id).await;
    assert_eq!(events.iter().filter(|name| *name == "key-created").count(), 4);
    assert_eq!(events.iter().filter(|name| *name == "anchor-added").count(), 1);
}

#[tokio::test]
async fn provisioning_twice_changes_nothing() {
    let house = House::new().await;
    let (ctx, system) = (house.ctx(), house.system());
    let before = house.custody.signer(&ctx, KeyRef::Use(SD_JWT_USE)).await.unwrap();
    let log = house.custody.provision_log(&system, "ledger.test/log/house").await.unwrap();
    let events = (house.events_of(&house.tenant.id).await.len(), house.events_of(&system.tenant).await.len());
    house.custody.provision(&ctx, "default").await.unwrap();
    house.custody.provision_system(&system).await.unwrap();
    assert_eq!(house.custody.provision_log(&system, "ledger.test/log/house").await.unwrap(), log);
    assert_eq!(house.custody.signer(&ctx, KeyRef::Use(SD_JWT_USE)).await.unwrap(), before);
    let after = (house.events_of(&house.tenant.id).await.len(), house.events_of(&system.tenant).await.len());
    assert_eq!(after, events);
}

#[tokio::test]
async fn the_root_vouches_for_its_own_types_and_no_others() {
    let house = House::new().await;
    let ctx = house.ctx();
    let own = format!("{PUBLIC_URL}/t/default/vct/diploma");
    let foreign = format!("{PUBLIC_URL}/t/other/vct/diploma");
    let count =
        async |context, name: &str| house.custody.anchors(&ctx, context, Some(name)).await.unwrap().len();
    assert_eq!(count(Context::Issuer, &own).await, 1);
    assert_eq!(count(Context::Issuer, &foreign).await, 0);
    assert_eq!(count(Context::Status, "").await, 1);
    assert_eq!(count(Context::WalletProvider, "").await, 0);
    assert_eq!(count(Context::ListSigner, "").await, 0);
}

#[tokio::test]
async fn a_rooms_jws_carries_its_chain_and_verifies_under_the_leaf() {
    let house = House::new().await;
    let ctx = house.ctx();
    let draft = Draft::new("dc+sd-jwt", *b"{\"vct\":\"x\"}").with("kid", "forged").with("x5c", "forged");
    let signed = house.custody.sign_jws(&ctx, KeyRef::Use(SD_JWT_USE), draft).await.unwrap();
    let jws = Jws::parse(&signed.compact, &LIMITS).unwrap();
    let leaf = Certificate::parse(&jws.x5c().unwrap()[0]).unwrap();
    jws.verify(leaf.public_key()).unwrap();
    assert_eq!(jws.kid(), None);
    assert_eq!((signed.key.version, signed.key.count), (1, 1));
    assert!(signed.key.key_id.starts_with("key_"));
}

#[tokio::test]
async fn a_room_signs_nothing_that_its_key_is_not_for() {
    let house = House::new().await;
    let ctx = house.ctx();
    for typ in ["statuslist+jwt", "at+jwt", "JWT", ""] {
        let refused = house.custody.sign_jws(&ctx, KeyRef::Use(SD_JWT_USE), Draft::new(typ, *b"{}")).await;
        assert!(matches!(refused, Err(SignError::UseRefused { .. })), "{typ}");
    }
    let untyped = Draft { header: serde_json::Map::new(), payload: b"{}".to_vec() };
    let refused = house.custody.sign_jws(&ctx, KeyRef::Use(SD_JWT_USE), untyped).await;
    assert!(matches!(refused, Err(SignError::UseRefused { .. })));
    let cose = Sign1Draft::new(*b"x");
    let refused = house.custody.sign_cose(&ctx, KeyRef::Use(SD_JWT_USE), "mso_mdoc", cose, ctx.now).await;
    assert!(matches!(refused, Err(SignError::UseRefused { .. })));
    let missing = house.custody.sign_jws(&ctx, KeyRef::Use("jws:vc+jwt"), Draft::new("vc+jwt", *b"{}")).await;
    assert_eq!(missing, Err(SignError::NotFound));
}

#[tokio::test]
async fn a_rooms_cose_key_signs_mso_mdoc_with_the_algorithm_alone_in_its_protected_header() {
    let house = House::new().await;
    let ctx = house.ctx();
    let key = RoomKey {
        owner: Owner::Issuer,
        alg: KeyAlg::P256,
        uses: &["cose:mso_mdoc"],
        label: "mdoc signer",
        names: None,
        policy: Policy::default(),
    };
    house.custody.make_key(&ctx, &key).await.unwrap();
    let draft = Sign1Draft::new(*b"mso");
    let signed = house
        .custody
        .sign_cose(&ctx, KeyRef::Use("cose:mso_mdoc"), "mso_mdoc", draft, ctx.now)
        .await
        .unwrap();
    let info = house.custody.signer(&ctx, KeyRef::Use("cose:mso_mdoc")).await.unwrap();
    let parsed =
        cose::Sign1::parse(&signed.bytes, &cbor::CborLimits { bytes_max: 4096, depth_max: 8 }).unwrap();
    parsed.verify(&info.public, &[], None).unwrap();
    assert_eq!(parsed.protected(&cose::ALG), Some(&Cbor::int(-7)));
    assert_eq!((parsed.protected(&cose::CONTENT_TYPE), parsed.protected(&cose::KID)), (None, None));
}

#[tokio::test]
async fn a_log_has_its_two_keys_in_the_system_tenant_and_they_sign_notes_only() {
    let house = House::new().await;
    let system = house.system();
    let origin = "ledger.test/log/t/x";
    let keys = house.custody.provision_log(&system, origin).await.unwrap();
    for (alg, public, sign_alg) in
        [(KeyAlg::Ed25519, &keys.ed25519, SignAlg::EdDsa), (KeyAlg::MlDsa44, &keys.mldsa44, SignAlg::MlDsa44)]
    {
        let signature = house.custody.sign_note(&system, origin, alg, b"note\n").await.unwrap();
        public.verify(sign_alg, b"note\n", &signature).unwrap();
        assert_eq!(house.custody.note_key(&system, origin, alg).await.unwrap().as_ref(), Some(public));
    }
    assert_eq!(
        house.custody.sign_note(&house.ctx(), origin, KeyAlg::Ed25519, b"x").await,
        Err(SignError::NotFound)
    );
    let slot = format!("note:{origin} ed25519");
    let refused = house.custody.sign_jws(&system, KeyRef::Use(&slot), Draft::new("JWT", *b"{}")).await;
    assert!(matches!(refused, Err(SignError::UseRefused { .. })));
    let before = house.events_of(&system.tenant).await.len();
    house.custody.sign_note(&system, origin, KeyAlg::Ed25519, b"note\n").await.unwrap();
    assert_eq!(house.events_of(&system.tenant).await.len(), before, "a note is no event");
}

#[tokio::test]
async fn keys_of_logs_and_roots_are_moved_by_no_door() {
    let house = House::new().await;
    let (ctx, system) = (house.ctx(), house.system());
    house.custody.provision_log(&system, "ledger.test/log/house").await.unwrap();
    let log = house.custody.signer(&system, KeyRef::Use("note:ledger.test/log/house ed25519")).await.unwrap();
    let root = house.custody.signer(&ctx, KeyRef::Use("x509:ca")).await.unwrap();
    for (ctx, key) in [(&system, log), (&ctx, root)] {
        let rotated = house.custody.rotate(ctx, &key.key_id, Rotate::Now, None).await;
        assert_eq!(rotated.unwrap_err(), KeyError::Fixed);
        let frozen = house.custody.move_version(ctx, &key.key_id, 1, Verb::Freeze, None).await;
        assert_eq!(frozen.unwrap_err(), KeyError::Fixed);
    }
}

#[tokio::test]
async fn an_agreement_key_agrees_and_signs_nothing() {
    let house = House::new().await;
    let ctx = house.ctx();
    let key = RoomKey {
        owner: Owner::Issuer,
        alg: KeyAlg::P256,
        uses: &["ecdh:jwe"],
        label: "request key",
        names: None,
        policy: Policy::default(),
    };
    let key = house.custody.make_key(&ctx, &key).await.unwrap();
    let peer = Ecdh::generate();
    let ours = house.custody.agree(&ctx, KeyRef::Use("ecdh:jwe"), None, &peer.public()).await.unwrap();
    assert_eq!(ours.expose(), peer.agree(&key.versions[0].public).unwrap().expose());
    let refused = house.custody.sign_jws(&ctx, KeyRef::Use("ecdh:jwe"), Draft::new("JWT", *b"{}")).await;
    assert!(matches!(refused, Err(SignError::UseRefused { .. })));
    let refused = house.custody.agree(&ctx, KeyRef::Use(SD_JWT_USE), None, &peer.public()).await;
    assert_eq!(refused.unwrap_err(), SignError::NotFound);
}

#[tokio::test]
async fn nothing_is_signed_under_a_path_that_ends_within_a_day() {
    let house = House::new().await;
    let ctx = house.ctx();
    let info = house.custody.signer(&ctx, KeyRef::Use(SD_JWT_USE)).await.unwrap();
    let ends_at = info.ends_at.unwrap();
    let at = |before_s: i64| ctx.child(ends_at - SignedDuration::from_secs(before_s));
    let sign = async |ctx| {
        house.custody.sign_jws(&ctx, KeyRef::Use(SD_JWT_USE), Draft::new("dc+sd-jwt", *b"{}")).await
    };
    assert!(sign(at(86_401)).await.is_ok());
    let expected = SignError::Expiring { key_id: info.key_id, ends_at };
    assert_eq!(sign(at(86_400)).await.unwrap_err(), expected);
    assert_eq!(
        house.custody.usable(&at(86_400), KeyRef::Use(SD_JWT_USE), 86_400).await.unwrap_err(),
        expected
    );
    assert!(house.custody.usable(&at(86_401), KeyRef::Use(SD_JWT_USE), 86_400).await.is_ok());
    assert!(expected.passes());
}

#[tokio::test]
async fn a_public_part_is_kept_as_long_as_the_longest_life_that_was_signed() {
    let house = House::new().await;
    let ctx = house.ctx();
    let key_id = house.custody.signer(&ctx, KeyRef::Use(SD_JWT_USE)).await.unwrap().key_id;
    let until = ctx.now + SignedDuration::from_secs(365 * 86_400);
    for _ in 0..3 {
        let draft = Draft::new("dc+sd-jwt", *b"{}");
        house.custody.sign_jws_until(&ctx, KeyRef::Use(SD_JWT_USE), draft, until).await.unwrap();
    }
    assert_eq!(house.count("key-changed").await, 1, "written when it grows");
    house.custody.move_version(&ctx, &key_id, 1, Verb::Retire, None).await.unwrap();
    let kept = house.custody.key(&ctx, &key_id).await.unwrap().versions[0].keep_public_until.unwrap();
    assert_eq!(kept, until);
    let listed = async |ctx| house.custody.jwks(&ctx).await.unwrap().to_string();
    let kid = house.custody.key(&ctx, &key_id).await.unwrap().versions[0].kid.clone();
    assert!(listed(ctx.child(until - SignedDuration::from_secs(1))).await.contains(&kid));
    assert!(!listed(ctx.child(until)).await.contains(&kid));
}

#[tokio::test]
async fn a_version_that_is_frozen_retired_compromised_or_destroyed_signs_nothing() {
    let house = House::new().await;
    let ctx = house.ctx();
    let key_id = house.custody.signer(&ctx, KeyRef::Use(LIST_USE)).await.unwrap().key_id;
    let sign = async || {
        house
            .custody
            .sign_jws(&ctx, KeyRef::Use(LIST_USE), Draft::new("statuslist+jwt", *b"{}"))
            .await
            .map(drop)
    };
    let state = |state| Err(SignError::NotActive { key_id: key_id.clone(), state });
    sign().await.unwrap();
    for (verb, expected) in [
        (Verb::Freeze, State::Frozen),
        (Verb::Retire, State::Retired),
        (Verb::Compromise, State::Compromised),
        (Verb::Destroy, State::Destroyed),
    ] {
        house.custody.move_version(&ctx, &key_id, 1, verb, None).await.unwrap();
        assert_eq!(sign().await, state(expected), "although the private part was opened a moment ago");
    }
    let mut moves = Vec::new();
    for name in VERBS {
        moves.extend(vec![name; house.count(name).await]);
    }
    assert_eq!(moves, ["key-frozen", "key-retired", "key-compromised", "key-destroyed"], "each once");
}

#[tokio::test]
async fn a_key_disabled_in_this_process_signs_nothing_afterwards_whoever_asks_by_which_name() {
    let house = House::new().await;
    let ctx = house.ctx();
    let key_id = house.custody.signer(&ctx, KeyRef::Use(LIST_USE)).await.unwrap().key_id;
    for round in 0..16 {
        let mut signing = tokio::task::JoinSet::new();
        for turn in 0..4 {
            let (custody, ctx, key_id) = (house.custody.clone(), ctx.clone(), key_id.clone());
            signing.spawn(async move {
                let key = if turn % 2 == 0 { KeyRef::Use(LIST_USE) } else { KeyRef::Id(&key_id) };
                for _ in 0..8 {
                    custody.sign_jws(&ctx, key, Draft::new("statuslist+jwt", *b"{}")).await.map(drop).ok();
                    tokio::task::yield_now().await;
                }
            });
        }
        let (verb, signs) = if round % 2 == 0 { (Verb::Freeze, false) } else { (Verb::Unfreeze, true) };
        house.custody.move_version(&ctx, &key_id, 1, verb, None).await.unwrap();
        for key in [KeyRef::Use(LIST_USE), KeyRef::Id(&key_id)] {
            let signed = house.custody.sign_jws(&ctx, key, Draft::new("statuslist+jwt", *b"{}")).await;
            assert_eq!(signed.is_ok(), signs, "round {round}");
            assert_eq!(house.custody.usable(&ctx, key, 0).await.is_ok(), signs, "round {round}");
        }
        signing.join_all().await;
    }
}

#[tokio::test]
async fn a_use_is_no_id_and_an_id_no_use_also_when_the_other_was_asked_for_before() {
    let house = House::new().await;
    let ctx = house.ctx();
    let key_id = house.custody.signer(&ctx, KeyRef::Use(LIST_USE)).await.unwrap().key_id;
    house.custody.signer(&ctx, KeyRef::Id(&key_id)).await.unwrap();
    assert_eq!(house.custody.signer(&ctx, KeyRef::Id(LIST_USE)).await.unwrap_err(), SignError::NotFound);
    assert_eq!(house.custody.signer(&ctx, KeyRef::Use(&key_id)).await.unwrap_err(), SignError::NotFound);
}

/// Events of the verbs that end a version.
const VERBS: [&str; 4] = ["key-frozen", "key-retired", "key-compromised", "key-destroyed"];

#[tokio::test]
async fn a_frozen_version_signs_again_when_it_is_unfrozen() {
    let house = House::new().await;
    let ctx = house.ctx();
    let key_id = house.custody.signer(&ctx, KeyRef::Use(LIST_USE)).await.unwrap().key_id;
    house.custody.move_version(&ctx, &key_id, 1, Verb::Freeze, None).await.unwrap();
    house.custody.move_version(&ctx, &key_id, 1, Verb::Unfreeze, None).await.unwrap();
    let draft = Draft::new("statuslist+jwt", *b"{}");
    house.custody.sign_jws(&ctx, KeyRef::Use(LIST_USE), draft).await.unwrap();
    assert_eq!((house.count("key-frozen").await, house.count("key-unfrozen").await), (1, 1));
}

#[tokio::test]
async fn an_opened_private_part_is_forgotten_after_its_time() {
    let house = House::new().await;
    let ctx = house.ctx();
    let sign = async |ctx| {
        house
            .custody
            .sign_jws(&ctx, KeyRef::Use(LIST_USE), Draft::new("statuslist+jwt", *b"{}"))
            .await
            .unwrap();
    };
    house.advance(301);
    house.custody.tick(&house.system()).await.unwrap();
    assert_eq!(house.custody.keeper().opened_count(), 0);
    sign(house.ctx()).await;
    assert_eq!(house.custody.keeper().opened_count(), 1);
    house.advance(301);
    house.custody.tick(&house.system()).await.unwrap();
    assert_eq!(house.custody.keeper().opened_count(), 0);
    drop(ctx);
}

#[tokio::test]
async fn a_job_publishes_the_successor_a_day_ahead_activates_it_when_due_and_destroys_the_old_one_a_week_later()
 {
    let house = House::new().await;
    let key_id = house.custody.signer(&house.ctx(), KeyRef::Use(SD_JWT_USE)).await.unwrap().key_id;
    let states = async || {
        house.custody.tick(&house.system()).await.unwrap();
        let key = house.custody.key(&house.ctx(), &key_id).await.unwrap();
        key.versions.iter().rev().map(|version| version.state).collect::<Vec<_>>()
    };
    assert_eq!(states().await, [State::Active]);
    house.advance(89 * DAY);
    assert_eq!(states().await, [State::Active, State::Pending]);
    let info = house.custody.signer(&house.ctx(), KeyRef::Use(SD_JWT_USE)).await.unwrap();
    assert_eq!(info.version, 1, "the old one signs until the new one is due");
    house.advance(DAY - 1);
    assert_eq!(states().await, [State::Active, State::Pending]);
    house.advance(1);
    assert_eq!(states().await, [State::Retired, State::Active]);
    let next = house.custody.signer(&house.ctx(), KeyRef::Use(SD_JWT_USE)).await.unwrap();
    assert_eq!((next.version, next.chain.len()), (2, 1), "the root signed its leaf at once");
    house.advance(7 * DAY);
    assert_eq!(states().await, [State::Destroyed, State::Active]);
    let jwks = house.custody.jwks(&house.ctx()).await.unwrap().to_string();
    assert!(jwks.contains(&info.kid), "a public part outlives the private one");
    house.advance(30 * DAY);
    assert!(!house.custody.jwks(&house.ctx()).await.unwrap().to_string().contains(&info.kid));
    assert_eq!(house.count("key-activated").await, 3, "one for each signer of the tenant");
    assert_eq!(house.count("key-destroyed").await, 3);
}

#[tokio::test]
async fn the_access_token_key_rotates_and_tokens_of_both_versions_are_taken() {
    let house = House::new().await;
    let old = house.token(&house.tenant.clone(), &[custody_role()]).await;
    let key_id = house.custody.signer(&house.system(), KeyRef::Use("jws:at+jwt")).await.unwrap().key_id;
    house.advance(2);
    house.custody.rotate(&house.system(), &key_id, Rotate::Now, None).await.unwrap();
    let new = house.token(&house.tenant.clone(), &[custody_role()]).await;
    for token in [&old, &new] {
        assert_eq!(house.get("/api/v1/session", token).await.status, 200);
    }
    house.advance(2);
    house.custody.rotate(&house.system(), &key_id, Rotate::Compromised, None).await.unwrap();
    house.edge.tokens().forget();
    assert_eq!(house.get("/api/v1/session", &new).await.status, 401, "a compromised key vouches for nothing");
}

fn custody_role() -> tenancy::Role {
    tenancy::Role::Auditor
}

#[tokio::test]
async fn every_statement_fits_its_tables() {
    store::conformance::try_on_sqlite(&[tessera_custody::MIGRATIONS], tessera_custody::STATEMENTS).unwrap();
}

#[tokio::test]
#[ignore = "needs PostgreSQL: set TESSERA_TEST_PG"]
async fn every_statement_fits_postgresql() {
    let url = std::env::var(store::conformance::POSTGRES_URL).unwrap();
    let (rooms, statements) = ([tessera_custody::MIGRATIONS], tessera_custody::STATEMENTS);
    store::conformance::try_on_postgres(&url, &rooms, statements).await.unwrap();
}

/// Stands on tenancy's list, and tells when it is gone.
struct Witness(#[allow(dead_code, reason = "it is counted")] Arc<()>);

impl tenancy::Prepare for Witness {
    fn prepare<'a>(
        &'a self,
        _ctx: &'a store::Ctx,
        _tenant: &'a tenancy::Tenant,
    ) -> std::pin::Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>> {
        Box::pin(async { Ok(()) })
    }
}

#[tokio::test]
async fn a_house_that_is_let_go_of_is_gone_with_its_store() {
    let house = House::new().await;
    let alive = Arc::new(());
    house.tenancy.on_new_tenant(Arc::new(Witness(alive.clone())));
    drop(house);
    assert_eq!(Arc::strong_count(&alive), 1, "a room on tenancy's list holds the list");
}
