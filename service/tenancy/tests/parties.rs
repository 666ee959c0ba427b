//! Accounts at the token door, and what rooms above make for a new tenant; through an ephemeral store.

#![allow(clippy::unwrap_used, reason = "a test stops where its fixture cannot be made")]

use crypto::jose::jws;
use crypto::jwk::Jwk;
use crypto::key::{KeyAlg, PrivateKey, SignAlg};
use jiff::{SignedDuration, Timestamp};
use openid::oauth::{ClientAuth, Form};
use serde_json::{Value, json};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use store::{Actor, Ctx, Entropy, LogId, LogSpec, Refused, Store, TenantId, Unit};
use tenancy::service_account::{AccountError, ClientError, NewAccount};
use tenancy::tenant::{CreateError, NewTenant};
use tenancy::{Prepare, Role, Roles, Tenancy, Tenant};
use tessera_tenancy as tenancy;
use tlog::event::Event;

const AUDIENCE: &str = "https://tessera.example/oauth/token";

struct House {
    store: Store,
    tenancy: Tenancy,
    entropy: Entropy,
    now: Timestamp,
}

impl House {
    fn new() -> Self {
        let store = Store::ephemeral(&[tenancy::MIGRATIONS]).unwrap();
        let tenancy = Tenancy::new(store.clone(), tenancy::Config::new("tessera.example"));
        Self { store, tenancy, entropy: Entropy::seeded(7), now: "2026-11-20T10:00:00Z".parse().unwrap() }
    }

    fn ctx(&self, tenant: &TenantId) -> Ctx {
        Ctx::new(tenant.clone(), Actor::system(), self.now, self.entropy.clone())
    }

    async fn tenant(&self, name: &str) -> TenantId {
        let new = NewTenant { name: name.to_owned(), title: None };
        self.tenancy.create_tenant(&self.ctx(&TenantId::SYSTEM), new, None).await.unwrap().0.id
    }

    async fn account(&self, tenant: &TenantId, jwk: Option<Value>) -> (String, String) {
        let new = NewAccount { name: "a program".into(), roles: Roles::of(&[Role::Admin]), ttl_s: None, jwk };
        let made = self
            .tenancy
            .create_account(&self.ctx(tenant), Roles::of(&[Role::Owner]), new, None)
            .await
            .unwrap();
        (made.account.id, made.secret.map_or_else(String::new, |secret| secret.expose().clone()))
    }

    async fn by_secret(&self, id: &str, secret: &str) -> Result<String, ClientError> {
        let form = Form::parse(format!("client_id={id}&client_secret={secret}").as_bytes(), 4_096).unwrap();
        self.authenticate(ClientAuth::read(None, &form).unwrap()).await.map(|(account, _)| account)
    }

    async fn by_assertion(&self, assertion: &str) -> Result<(String, Option<store::Stmt>), ClientError> {
        let text = format!(
            "client_assertion_type=urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion={assertion}"
        );
        let form = Form::parse(text.as_bytes(), 16_384).unwrap();
        self.authenticate(ClientAuth::read(None, &form).unwrap()).await
    }

    async fn authenticate(&self, client: ClientAuth) -> Result<(String, Option<store::Stmt>), ClientError> {
        let found = self.tenancy.authenticate(&self.ctx(&TenantId::SYSTEM), client, &[AUDIENCE]).await?;
        Ok((found.account.id, found.spend))
    }

    fn assertion(&self, key: &PrivateKey, account: &str, jti: &str) -> String {
        let now = self.now.as_second();
        let part = |value: &Value| crypto::base64::url_encode(value.to_string().as_bytes());
        let header = json!({"alg": "ES256", "typ": "JWT", "kid": "mine"});
        let claims =
            json!({"iss": account, "sub": account, "aud": AUDIENCE, "iat": now, "exp": now + 60, "jti": jti});
        let input = format!("{}.{}", part(&header), part(&claims));
        jws::assemble(&input, &key.sign(SignAlg::Es256, input.as_bytes()).unwrap())
    }
}

fn jwk(key: &PrivateKey) -> Value {
    let mut value = Jwk::from_key(&key.public()).to_value();
    value["kid"] = json!("mine");
    value
}

fn code(error: &ClientError) -> &'static str {
    match error {
        ClientError::Refused { code, .. } => code,
        ClientError::Unknown => "unknown",
        ClientError::Store(_) => "store",
    }
}

#[tokio::test]
async fn a_secret_opens_its_own_account_until_it_is_rotated_or_revoked_or_over() {
    let mut house = House::new();
    let acme = house.tenant("acme").await;
    let ((one, first), (two, second)) = (house.account(&acme, None).await, house.account(&acme, None).await);
    assert_eq!(house.by_secret(&one, &first).await, Ok(one.clone()));
    for (id, secret, why) in [
        (one.as_str(), second.as_str(), "oauth/wrong-secret"),
        (one.as_str(), "", "oauth/no-authentication"),
        ("svc_00000000000000000000000000", first.as_str(), "unknown"),
        ("opr_x", first.as_str(), "unknown"),
    ] {
        assert_eq!(code(&house.by_secret(id, secret).await.unwrap_err()), why);
    }
    let owner = Roles::of(&[Role::Owner]);
    let rotated = house.tenancy.rotate_secret(&house.ctx(&acme), owner, &one).await.unwrap().secret.unwrap();
    assert_eq!(code(&house.by_secret(&one, &first).await.unwrap_err()), "oauth/wrong-secret");
    assert_eq!(house.by_secret(&one, rotated.expose()).await, Ok(one.clone()));
    house.tenancy.revoke_account(&house.ctx(&acme), &one).await.unwrap();
    assert_eq!(code(&house.by_secret(&one, rotated.expose()).await.unwrap_err()), "service-accounts/ended");
    let again = house.tenancy.rotate_secret(&house.ctx(&acme), owner, &one).await.unwrap_err();
    assert_eq!(again, AccountError::Ended, "a revoked account does not come back by a new secret");
    house.now += SignedDuration::from_secs(366 * 86_400);
    assert_eq!(code(&house.by_secret(&two, &second).await.unwrap_err()), "service-accounts/ended");
}

#[derive(Debug, PartialEq, Eq)]
struct Replayed;

impl Refused for Replayed {
    fn event(&self) -> Event {
        Event::ServiceTokenRefused { account: "svc".into(), code: "oauth/assertion-replayed".into() }
    }
}

#[tokio::test]
async fn an_assertion_opens_its_account_and_of_64_uses_at_once_one_is_spent() {
    let house = Arc::new(House::new());
    let acme = house.tenant("acme").await;
    let key = PrivateKey::generate(KeyAlg::P256);
    let (account, secret) = house.account(&acme, Some(jwk(&key))).await;
    assert_eq!(secret, "", "an account with a key has no secret");
    let assertion = house.assertion(&key, &account, "once");
    let tasks: Vec<_> = (0..64)
        .map(|_| {
            let (house, assertion, acme) = (house.clone(), assertion.clone(), acme.clone());
            tokio::spawn(async move {
                let (_, spend) = house.by_assertion(&assertion).await.unwrap();
                let event = Event::DetailsRead { count: 0, operation: "token".into() };
                let unit = Unit::new(event).guard(spend.unwrap(), Replayed);
                house.store.commit(&house.ctx(&acme), unit).await.is_ok()
            })
        })
        .collect();
    let mut spent = 0;
    for task in tasks {
        spent += u32::from(task.await.unwrap());
    }
    assert_eq!(spent, 1);
}

#[tokio::test]
async fn an_assertion_by_another_key_or_against_a_secrets_account_is_refused() {
    let house = House::new();
    let acme = house.tenant("acme").await;
    let (key, other) = (PrivateKey::generate(KeyAlg::P256), PrivateKey::generate(KeyAlg::P256));
    let (account, _) = house.account(&acme, Some(jwk(&key))).await;
    let (plain, secret) = house.account(&acme, None).await;
    let forged = house.assertion(&other, &account, "a");
    assert_eq!(code(&house.by_assertion(&forged).await.unwrap_err()), "oauth/assertion-refused");
    let keyless = house.assertion(&key, &plain, "b");
    assert_eq!(code(&house.by_assertion(&keyless).await.unwrap_err()), "oauth/no-key");
    assert_eq!(code(&house.by_secret(&account, &secret).await.unwrap_err()), "oauth/wrong-secret");
}

struct Noting(Arc<Mutex<Vec<String>>>, Store, Result<(), String>);

impl Prepare for Noting {
    fn prepare<'a>(
        &'a self,
        ctx: &'a Ctx,
        tenant: &'a Tenant,
    ) -> Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>> {
        Box::pin(async move {
            self.0.lock().unwrap().push(format!("{} {}", tenant.name, ctx.tenant == tenant.id));
            self.1
                .create_log(ctx, &LogSpec::of("tessera.example", &ctx.tenant))
                .await
                .map_err(|f| f.to_string())?;
            self.2.clone()
        })
    }
}

#[tokio::test]
async fn rooms_above_prepare_a_tenant_before_it_exists_and_a_failure_leaves_none() {
    let house = House::new();
    let noted = Arc::new(Mutex::new(Vec::new()));
    house.tenancy.on_new_tenant(Arc::new(Noting(noted.clone(), house.store.clone(), Ok(()))));
    house.tenant("acme").await;
    assert_eq!(*noted.lock().unwrap(), ["acme true"]);
    let failing = Noting(noted.clone(), house.store.clone(), Err("no keeper".into()));
    house.tenancy.on_new_tenant(Arc::new(failing));
    let ctx = house.ctx(&TenantId::SYSTEM);
    let new = NewTenant { name: "other".into(), title: None };
    let failed = house.tenancy.create_tenant(&ctx, new, None).await.unwrap_err();
    assert_eq!(failed, CreateError::Preparation("no keeper".into()));
    assert_eq!(house.tenancy.tenant_named(&ctx, "other").await.unwrap(), None);
    let waiting = house.store.take_pending(&ctx, &LogId::house(), 100).await.unwrap();
    assert_eq!(waiting.len(), 1, "one tenant, one event");
}

#[tokio::test]
async fn an_operators_name_is_encrypted_where_it_lies() {
    let house = House::new();
    let ctx = house.ctx(&TenantId::SYSTEM);
    let (operator, _, _) = house.tenancy.invite(&ctx, "Canary Ruiz", Role::Owner, None).await.unwrap();
    let sql = store::Stmt::new("SELECT name FROM tenancy_operator");
    let sealed = house.store.read(&ctx).one(sql).await.unwrap().unwrap().blob(0).unwrap();
    assert!(!String::from_utf8_lossy(&sealed).contains("Canary"));
    assert_eq!(house.tenancy.operator(&ctx, &operator.id).await.unwrap().name, "Canary Ruiz");
}

#[tokio::test]
async fn a_tenant_that_stood_before_a_room_came_is_prepared_by_it_too() {
    let house = House::new();
    house.tenant("acme").await;
    house.tenant("other").await;
    let noted = Arc::new(Mutex::new(Vec::new()));
    house.tenancy.on_new_tenant(Arc::new(Noting(noted.clone(), house.store.clone(), Ok(()))));
    house.tenancy.prepare_all(&house.ctx(&TenantId::SYSTEM)).await.unwrap();
    let mut prepared = noted.lock().unwrap().clone();
    prepared.sort();
    assert_eq!(prepared, ["acme true", "other true"]);
}

#[tokio::test]
async fn an_owner_who_never_used_the_first_link_gets_another_and_one_who_is_in_gets_none() {
    let house = House::new();
    let ctx = house.ctx(&TenantId::SYSTEM);
    house.tenancy.first_link(&ctx).await.unwrap().expect("an instance without owner prints a link");
    let second = house.tenancy.first_link(&ctx).await.unwrap().expect("nobody used the first");
    let session = house.tenancy.spend_link(&ctx, second.token.expose()).await.unwrap();
    assert_eq!(session.operator.role, Role::Owner);
    assert!(house.tenancy.first_link(&ctx).await.unwrap().is_none(), "the owner is in");
    let owners = house.tenancy.operators(&ctx, &tenancy::After::start(), 10).await.unwrap();
    assert_eq!(owners.len(), 1, "a second link makes no second owner");
    let mut later = ctx.clone();
    later.now += SignedDuration::from_hours(9);
    assert!(house.tenancy.first_link(&later).await.unwrap().is_some(), "the session ended: no way in");
}
