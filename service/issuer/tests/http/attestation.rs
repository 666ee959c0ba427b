//! Wallets that their makers vouch for. Attack 16: an attestation that is expired, without `sub` or of nobody we know, a proof for
//! another server, by another key, or used before: 401 `invalid_client`, and the code stays good.

use crate::house::{Answered, House, PUBLIC_URL, code};
use crate::wallet::{p256, sign};
use crypto::jose::jws::{Draft, x5c_value};
use crypto::jwk::Jwk;
use crypto::key::{PrivateKey, PublicKey};
use crypto::x509::build::{self, LeafNames, Profile, TbsDraft};
use crypto::x509::{Certificate, Name, NameParts};
use custody::{Context, Contexts};
use openid::oauth::client_attestation::{ATTESTATION_TYP, pop_draft};
use serde_json::{Value, json};

const CLIENT: &str = "https://wallet.example/app";
const ATTESTATION: &str = "oauth-client-attestation";
const POP: &str = "oauth-client-attestation-pop";

/// A maker of wallets and one wallet of its.
struct Maker {
    root: Vec<u8>,
    leaf: Vec<u8>,
    key: PrivateKey,
    wallet: PrivateKey,
}

fn certificate(
    house: &House,
    subject: &str,
    public_key: PublicKey,
    by: (&str, &PrivateKey),
    profile: Profile,
) -> Vec<u8> {
    let name = |common: &str| {
        let parts = NameParts { country: None, organisation: None, common_name: common.to_owned() };
        Name::new(&parts).unwrap()
    };
    let day = jiff::SignedDuration::from_hours(24);
    let draft = TbsDraft {
        subject: name(subject),
        issuer: name(by.0),
        issuer_key: by.1.public(),
        serial: crypto::random::array(),
        not_before: house.now() - day,
        not_after: house.now() + day * 100,
        public_key,
        profile,
    };
    let alg = by.1.alg().default_sign_alg();
    let signed = draft.to_be_signed(alg).unwrap();
    build::assemble(&signed, alg, &by.1.sign(alg, &signed).unwrap()).unwrap()
}

impl Maker {
    /// A maker that nobody believes yet.
    fn new(house: &House) -> Maker {
        let (root_key, key) = (p256(), p256());
        let ca = Profile::Ca { path_len: Some(0) };
        let root = certificate(house, "Wallet Root", root_key.public(), ("Wallet Root", &root_key), ca);
        let leaf = Profile::Leaf(LeafNames::default());
        let leaf = certificate(house, "Wallet Maker", key.public(), ("Wallet Root", &root_key), leaf);
        Maker { root, leaf, key, wallet: p256() }
    }

    /// Believed by the tenant `default`, for this context.
    async fn believed(house: &House, context: Context) -> Maker {
        let maker = Maker::new(house);
        let root = Certificate::parse(&maker.root).unwrap();
        let patterns =
            if context == Context::Issuer { vec!["https://wallet.example/*".to_owned()] } else { Vec::new() };
        house.custody.add_anchor(&house.ctx(), root, Contexts::of(&[context]), patterns).await.unwrap();
        maker
    }

    fn claims(&self, house: &House) -> Value {
        let jwk = Jwk::from_key(&self.wallet.public()).to_value();
        json!({"sub": CLIENT, "exp": house.now().as_second() + 3_600, "cnf": {"jwk": jwk}})
    }

    fn attest(&self, claims: &Value) -> String {
        let draft = Draft::new(ATTESTATION_TYP, claims.to_string());
        sign(draft.with("x5c", x5c_value(&[&self.leaf])), &self.key)
    }
}

fn pop(house: &House, tenant: &str, jti: &str, key: &PrivateKey) -> String {
    sign(pop_draft(CLIENT, &format!("{PUBLIC_URL}/t/{tenant}"), jti, house.now()), key)
}

async fn redeem(house: &House, code: &str, fields: &[(&str, &str)], headers: &[(&str, &str)]) -> Answered {
    house.redeem_with("default", code, fields, headers).await
}

#[tokio::test]
async fn a_wallet_that_its_maker_vouches_for_gets_a_token_in_its_name() {
    let house = House::with(|config| config.wallet_attestation_required = true).await;
    let maker = Maker::believed(&house, Context::WalletProvider).await;
    let attestation = maker.attest(&maker.claims(&house));
    let offer = house.offer().await;
    let proof = pop(&house, "default", "1", &maker.wallet);
    let headers = [(ATTESTATION, attestation.as_str()), (POP, proof.as_str())];
    let granted = redeem(&house, &code(&offer), &[("client_id", CLIENT)], &headers).await;
    assert_eq!(granted.status, 200, "{}", granted.text());
    let server = house.fetch("/.well-known/oauth-authorization-server/t/default").await.json();
    assert_eq!(server["token_endpoint_auth_methods_supported"], json!(["attest_jwt_client_auth"]));
    assert_eq!(server["pre-authorized_grant_anonymous_access_supported"], json!(false));
    assert_eq!(server["client_attestation_pop_signing_alg_values_supported"][0], "ES256");
    // The token is the attested client's: a key proof in another name is refused.
    let token = granted.json()["access_token"].as_str().unwrap().to_owned();
    let nonce = house.nonce("default").await;
    let key = p256();
    let named = |client: &str| {
        let issuer = format!("{PUBLIC_URL}/t/default");
        let jwk = Jwk::from_key(&key.public());
        sign(openid::vci::proof::draft(&jwk, &issuer, Some(&nonce), Some(client), house.now()), &key)
    };
    assert_eq!(house.ask(&token, &[named("other")]).await.refusal(), (400, "invalid_proof".to_owned()));
    assert_eq!(house.ask(&token, &[named(CLIENT)]).await.status, 200);
}

#[tokio::test]
async fn an_attestation_that_does_not_hold_is_invalid_client_and_the_code_stays_good() {
    let house = House::new().await;
    let maker = Maker::believed(&house, Context::WalletProvider).await;
    let (stranger, issuer) = (Maker::new(&house), Maker::believed(&house, Context::Issuer).await);
    let good = maker.attest(&maker.claims(&house));
    let changed = |name: &str, value: Value| {
        let mut claims = maker.claims(&house);
        claims[name] = value;
        maker.attest(&claims)
    };
    let own = |jti: &str| pop(&house, "default", jti, &maker.wallet);
    let offer = house.offer().await;
    house.events().await;
    let cases = [
        ("expired", changed("exp", json!(house.now().as_second())), own("1")),
        ("without sub", changed("sub", Value::Null), own("2")),
        (
            "of a stranger",
            stranger.attest(&stranger.claims(&house)),
            pop(&house, "default", "3", &stranger.wallet),
        ),
        (
            "by an anchor for issuers",
            issuer.attest(&issuer.claims(&house)),
            pop(&house, "default", "4", &issuer.wallet),
        ),
        ("proof for another server", good.clone(), pop(&house, "other", "5", &maker.wallet)),
        ("proof by another key", good.clone(), pop(&house, "default", "6", &p256())),
        ("proof that is no JWS", good.clone(), "x".to_owned()),
    ];
    for (what, attestation, proof) in &cases {
        let headers = [(ATTESTATION, attestation.as_str()), (POP, proof.as_str())];
        let refused = redeem(&house, &code(&offer), &[], &headers).await;
        assert_eq!(refused.refusal(), (401, "invalid_client".to_owned()), "{what}");
    }
    let proof = own("7");
    let alone = redeem(&house, &code(&offer), &[], &[(ATTESTATION, &good)]).await;
    assert_eq!(alone.refusal(), (401, "invalid_client".to_owned()), "no proof");
    let headers = [(ATTESTATION, good.as_str()), (POP, proof.as_str())];
    let other = redeem(&house, &code(&offer), &[("client_id", "other")], &headers).await;
    assert_eq!(other.refusal(), (401, "invalid_client".to_owned()), "another client_id");
    let twice = [(ATTESTATION, good.as_str()), (POP, proof.as_str()), (POP, proof.as_str())];
    assert_eq!(redeem(&house, &code(&offer), &[], &twice).await.refusal().1, "invalid_client");
    assert_eq!(house.events().await, vec!["issue-refused"; cases.len() + 3]);
    assert_eq!(redeem(&house, &code(&offer), &[], &headers).await.status, 200, "nothing was spent");
}

#[tokio::test]
async fn a_proof_of_possession_is_good_once_even_for_another_code() {
    let house = House::new().await;
    let maker = Maker::believed(&house, Context::WalletProvider).await;
    let attestation = maker.attest(&maker.claims(&house));
    let proof = pop(&house, "default", "1", &maker.wallet);
    let headers = [(ATTESTATION, attestation.as_str()), (POP, proof.as_str())];
    let (one, other) = (house.offer().await, house.offer().await);
    assert_eq!(redeem(&house, &code(&one), &[], &headers).await.status, 200);
    assert_eq!(
        redeem(&house, &code(&other), &[], &headers).await.refusal(),
        (401, "invalid_client".to_owned())
    );
    let second = pop(&house, "default", "2", &maker.wallet);
    let headers = [(ATTESTATION, attestation.as_str()), (POP, second.as_str())];
    assert_eq!(redeem(&house, &code(&other), &[], &headers).await.status, 200, "the code stayed good");
}

#[tokio::test]
async fn a_wallet_without_attestation_is_refused_where_one_is_asked_for() {
    let house = House::with(|config| config.wallet_attestation_required = true).await;
    let offer = house.offer().await;
    house.events().await;
    let refused = house.redeem("default", &code(&offer)).await;
    assert_eq!(refused.refusal(), (401, "invalid_client".to_owned()));
    assert_eq!(house.events().await, ["issue-refused"]);
}

#[tokio::test]
async fn an_anchor_of_one_tenant_vouches_for_no_wallet_at_another() {
    let house = House::new().await;
    let maker = Maker::believed(&house, Context::WalletProvider).await;
    let attestation = maker.attest(&maker.claims(&house));
    let token = house.token_for(&house.other, tenancy::Role::IssuerOperator).await;
    let offer = house.post_as("/api/v1/offers", &token, &[], &crate::house::diploma()).await.json();
    let proof = pop(&house, "other", "1", &maker.wallet);
    let headers = [(ATTESTATION, attestation.as_str()), (POP, proof.as_str())];
    let refused = house.redeem_with("other", &code(&offer), &[], &headers).await;
    assert_eq!(refused.refusal(), (401, "invalid_client".to_owned()));
}
