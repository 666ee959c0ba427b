//! The rooms of one process, wired together; no rule stands here.
//!
//! ```text
//! Plan ─► store ─► tenancy ─► edge ─► custody ─► audit (start checks) ─► issuer, verifier, idp, relay ─► doors, jobs
//! ```

use crate::config::{self, Config};
use crate::failure::{Exit, Failure};
use crate::push;
use audit::Audit;
use credential::presentation::StatusMode;
use crypto::x509::{Certificate, pem};
use custody::{Custody, TrustLists};
use edge::health::Status;
use edge::{Clock, Doors, Edge};
use idp::Idp;
use issuer::Issuer;
use relay::Relay;
use relay::network::RelayFault;
use std::fs;
use std::io::Read;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;
use std::sync::Arc;
use store::{Ctx, Entropy, OpenFault, Store, StoreConfig, TenantId};
use tenancy::tenant::NewTenant;
use tenancy::{Tenancy, Tenant};
use tlog::event::Event;
use url::Url;
use verifier::Verifier;

/// The database's name in the data folder.
pub const DATABASE: &str = "tessera.db";
/// The tenant that the relay of a development house belongs to.
pub const RELAY_TENANT: &str = "relay";

/// What a house is opened with.
pub struct Plan {
    /// `public_url`.
    pub public_url: Url,
    /// The data folder.
    pub data: PathBuf,
    /// The root of the software keeper.
    pub root: crypto::secret::Secret<[u8; 32]>,
    /// Development: loopback, plain http, wider rates.
    pub dev: bool,
    /// The configuration.
    pub config: Config,
    /// Length of the relay's rounds, milliseconds; none: its doors answer that no network runs here.
    pub relay_round_ms: Option<u64>,
    /// Certificates that our own outbound client trusts beside the machine's.
    pub outbound_roots: Vec<rustls::pki_types::CertificateDer<'static>>,
}

/// The open rooms. Clones share them.
#[derive(Clone)]
pub struct House {
    /// What is kept.
    pub store: Store,
    /// Who may do what.
    pub tenancy: Tenancy,
    /// What every door shares.
    pub edge: Edge,
    /// Signing keys.
    pub custody: Custody,
    /// The Ledger.
    pub audit: Audit,
    /// The issuer role.
    pub issuer: Issuer,
    /// The verifier role.
    pub verifier: Verifier,
    /// The identity provider.
    pub idp: Idp,
    /// The relay; it runs once [`House::open_relay`] opened it.
    pub relay: Relay,
    /// Pages of the console that listen for changes.
    pub watchers: crate::console::Watchers,
    /// The relay that carries pushes of sign-ins, where they are pushed.
    pub push: Option<push::Over>,
    /// How often checkpoints are signed, milliseconds.
    pub checkpoint_ms: u64,
}

impl House {
    /// Opens every room in order. A first run makes the house log, the system log and the instance's keys.
    ///
    /// # Errors
    /// A [`Failure`] that names the room and what mends it.
    pub async fn open(plan: Plan) -> Result<Self, Failure> {
        let Plan { public_url, data, root, dev, config, relay_round_ms, outbound_roots } = plan;
        fs::DirBuilder::new().recursive(true).mode(0o700).create(&data).map_err(|fault| {
            Failure::start(format!("{} cannot be made", data.display()), fault, "name a folder of yours")
        })?;
        let store = Store::open(StoreConfig::new(data.join(DATABASE), root), &migrations())
            .map_err(|fault| cannot_open(&fault))?;
        let host = public_url.host_str().unwrap_or("localhost").to_owned();
        let tenancy = Tenancy::new(store.clone(), tenancy::Config::new(&host));
        let edge_config = edge_config(&config, public_url, dev, outbound_roots);
        let base = edge_config.base().to_owned();
        #[expect(clippy::disallowed_methods, reason = "the program's one clock is made here")]
        let clock = Clock::running(jiff::Timestamp::now);
        let edge = Edge::new(edge_config, store.clone(), tenancy.clone(), clock, Entropy::Os)
            .map_err(|fault| Failure::usage(fault.to_string(), "mend the configuration at that place"))?;
        let settings = custody::Settings::new(&base, dev, config.custody.clone());
        let custody = Custody::new(store.clone(), &tenancy, edge.tokens().own().clone(), settings);
        let ctx = edge.tick();
        let checkpoint_ms = config.ledger.checkpoint_ms;
        let ledger = config.ledger.clone().decided(&base, &host, &data);
        let audit = Audit::open(store.clone(), custody.clone(), ledger, &ctx).await.map_err(|fault| {
            Failure::start(
                "the ledger cannot be opened",
                fault,
                "see `tessera doctor`; never delete the guard",
            )
            .code("ledger/start")
        })?;
        custody
            .provision_system(&ctx)
            .await
            .map_err(|fault| fault_of("the instance's keys cannot be made", &fault))?;
        let issuing = issuer_config(&config, &base);
        issuing.check().map_err(|fault| {
            Failure::usage(format!("[issuer]: {fault}"), "mend the key; `tessera init` shows the defaults")
                .code("config/range")
        })?;
        let issuer = Issuer::new(store.clone(), custody.clone(), issuing);
        let verifying = verifier_config(&config, &base, dev)?;
        let verifier = Verifier::new(store.clone(), custody.clone(), edge.outbound().clone(), verifying);
        let signing_in = idp_config(&config, &base, dev)?;
        let idp = Idp::new(store.clone(), custody.clone(), edge.outbound().clone(), signing_in);
        let push = push_over(&config, dev)?;
        let relay = Relay::new(store.clone(), custody.clone(), relay_config(&base, relay_round_ms));
        tenancy.on_new_tenant(Arc::new(audit.clone()));
        tenancy.on_new_tenant(Arc::new(custody.clone()));
        tenancy.on_new_tenant(Arc::new(issuer.clone()));
        tenancy.on_new_tenant(Arc::new(idp.clone()));
        let house = Self {
            store,
            tenancy,
            edge,
            custody,
            audit,
            issuer,
            verifier,
            idp,
            relay,
            watchers: crate::console::Watchers::default(),
            push,
            checkpoint_ms,
        };
        house.begin(&ctx).await;
        Ok(house)
    }

    /// What a start brings and records. A quarantined log or a full disk stops what is new, not what stands: the start goes on.
    async fn begin(&self, ctx: &Ctx) {
        self.watch();
        if let Err(fault) = self.tenancy.prepare_all(ctx).await {
            tracing::warn!(%fault, "a tenant lacks what this version brings; see /readyz");
        }
        let started = Event::ServerStarted { version: env!("CARGO_PKG_VERSION").to_owned() };
        if let Err(fault) = self.store.record(ctx, started).await {
            tracing::warn!(%fault, "the start could not be recorded; see /readyz");
        }
    }

    /// Every door of every room.
    pub fn doors(&self) -> Doors {
        custody::http::doors(&self.custody)
            .and(custody::http::list_doors(&self.trust_lists()))
            .and(self.audit.doors())
            .and(self.issuer.doors())
            .and(self.verifier.doors())
            .and(self.idp.doors())
            .and(self.relay.doors())
            .and(crate::docs::doors())
            .and(crate::console::doors(self))
    }

    /// Trust lists, and the client that fetches them.
    pub fn trust_lists(&self) -> TrustLists {
        TrustLists::new(self.custody.clone(), self.edge.outbound().clone())
    }

    /// The tenant of this name, made if it is not there.
    ///
    /// # Errors
    /// A [`Failure`].
    pub async fn tenant(&self, name: &str, title: &str) -> Result<Tenant, Failure> {
        let ctx = self.edge.tick();
        let found = self
            .tenancy
            .tenant_named(&ctx, name)
            .await
            .map_err(|fault| fault_of("the tenants cannot be read", &fault))?;
        if let Some(tenant) = found {
            return Ok(tenant);
        }
        let new = NewTenant { name: name.to_owned(), title: Some(title.to_owned()) };
        let (tenant, _) = self
            .tenancy
            .create_tenant(&ctx, new, None)
            .await
            .map_err(|fault| fault_of(&format!("the tenant {name} cannot be made"), &fault))?;
        Ok(tenant)
    }

    /// Opens the development network of one relay, in a tenant of its own: each round is an entry of that tenant's log, and would
    /// bury what others do in theirs. False where the folder keeps a network of another address or rhythm: the house runs without it.
    ///
    /// # Errors
    /// A [`Failure`].
    pub async fn open_relay(&self) -> Result<bool, Failure> {
        let tenant = self.tenant(RELAY_TENANT, "Relay").await?;
        match self.relay.open(&self.inside(&tenant.id)).await {
            Ok(()) => {
                push::told_to_provider(self);
                Ok(true)
            }
            Err(fault @ RelayFault::Differs { .. }) => {
                tracing::warn!(%fault, "the relay stays closed");
                Ok(false)
            }
            Err(fault) => Err(fault_of("the relay's network cannot be opened", &fault)),
        }
    }

    /// A context for an act of the instance inside a tenant.
    pub fn inside(&self, tenant: &TenantId) -> Ctx {
        self.edge.tick().for_tenant(tenant.clone())
    }

    /// Registers the readiness checks of the rooms.
    fn watch(&self) {
        let store = self.store.clone();
        self.edge.health().register("store", move |_| {
            let ended = store.is_ended();
            async move {
                if ended {
                    (Status::Down, "the writer has ended".to_owned())
                } else {
                    (Status::Ok, "reads and writes".to_owned())
                }
            }
        });
        let audit = self.audit.clone();
        self.edge.health().register("ledger", move |now| {
            let found = match audit.readiness(now) {
                audit::Readiness::Ready => (Status::Ok, "every log is signed in time".to_owned()),
                audit::Readiness::Degraded(why) => (Status::Degraded, why),
                audit::Readiness::Down(why) => (Status::Down, why),
            };
            async move { found }
        });
        let (custody, edge) = (self.custody.clone(), self.edge.clone());
        self.edge.health().register("custody", move |_| {
            let (custody, edge) = (custody.clone(), edge.clone());
            async move {
                match custody.is_rotation_blocked(&edge.tick()).await {
                    Ok(false) => (Status::Ok, "keys rotate".to_owned()),
                    Ok(true) => (Status::Degraded, "a rotation waits for an outside certificate".to_owned()),
                    Err(fault) => (Status::Down, fault.to_string()),
                }
            }
        });
    }
}

/// Every room's migrations, lowest room first.
pub fn migrations() -> [store::Migrations; 8] {
    [
        tenancy::MIGRATIONS,
        edge::MIGRATIONS,
        custody::MIGRATIONS,
        audit::MIGRATIONS,
        issuer::MIGRATIONS,
        verifier::MIGRATIONS,
        idp::MIGRATIONS,
        relay::MIGRATIONS,
    ]
}

fn edge_config(
    config: &Config,
    public_url: Url,
    dev: bool,
    outbound_roots: Vec<rustls::pki_types::CertificateDer<'static>>,
) -> edge::Config {
    let mut edge = edge::Config::new(public_url, dev);
    if !dev {
        edge.rate = config.rate;
    }
    edge.issuers = config.api.issuer.clone();
    edge.outbound_allow = config.server.outbound_allow.clone();
    edge.outbound_roots = outbound_roots;
    edge
}

fn relay_config(base: &str, round_ms: Option<u64>) -> relay::Config {
    let decided = relay::Config::new(base);
    // Development rounds are as long in both classes; the fast one carries pushes of sign-ins.
    let round_ms = round_ms.unwrap_or(decided.round_ms);
    relay::Config { round_ms, fast_round_ms: round_ms.min(decided.fast_round_ms), ..decided }
}

fn issuer_config(config: &Config, base: &str) -> issuer::Config {
    let config::Issuer { offer_ttl_s, access_bearer_ttl_s, rounds_max, status_entries, .. } =
        config.issuer.clone();
    issuer::Config {
        offer_ttl_s,
        access_bearer_ttl_s,
        access_dpop_ttl_s: config.issuer.access_dpop_ttl_s,
        batch_size: config.issuer.batch_size,
        tx_code_tries: config.issuer.tx_code_tries,
        dpop_nonce_required: config.issuer.dpop_nonce_required,
        wallet_attestation_required: config.issuer.wallet_attestation_required,
        revoke_on_failure: config.issuer.revoke_on_failure,
        rounds_max,
        status_entries,
        status_ttl_s: config.issuer.status_ttl_s,
        status_exp_s: config.issuer.status_exp_s,
        signer_min_left_s: config.issuer.signer_min_left_s.cast_signed(),
        ..issuer::Config::new(base)
    }
}

fn verifier_config(config: &Config, base: &str, dev: bool) -> Result<verifier::Config, Failure> {
    let status_policy = match config.verifier.status_policy.as_str() {
        "if_present" => StatusMode::IfPresent,
        "require" => StatusMode::Require,
        "ignore" => StatusMode::Ignore,
        other => {
            let what = format!("verifier.status_policy = {other} is no policy");
            return Err(Failure::usage(what, "use if_present, require or ignore"));
        }
    };
    let made = verifier::Config {
        session_ttl_s: config.verifier.session_ttl_s,
        result_ttl_s: config.verifier.result_ttl_s,
        status_policy,
        status_grace_s: config.verifier.status_grace_s,
        return_ttl_s: config.verifier.return_ttl_s,
        verifier_info: config.verifier.verifier_info.clone(),
        dev,
        ..verifier::Config::new(base)
    };
    made.check().map_err(|fault| {
        Failure::usage(format!("[verifier]: {fault}"), "mend the key; `tessera init` shows the defaults")
            .code("config/range")
    })?;
    Ok(made)
}

/// Which relay carries pushes: in development the house's own, in production one on this machine that the configuration names.
pub(crate) fn push_over(config: &Config, dev: bool) -> Result<Option<push::Over>, Failure> {
    let seal = &config.seal;
    if dev {
        return Ok(Some(push::Over::Own));
    }
    if !seal.relay_push {
        return Ok(None);
    }
    let network = mailbox::network::NetworkId::parse(&seal.relay_network);
    match network.filter(|_| push::loopback_port(&seal.relay_url).is_some()) {
        Some(network) => {
            let url = seal.relay_url.trim_end_matches('/').to_owned();
            Ok(Some(push::Over::Relay { url, network }))
        }
        None => Err(Failure::usage(
            "seal.relay_push has no relay to go over",
            "give seal.relay_url (http on this machine, until relays have tokens) and seal.relay_network, the id that `tessera relay serve` prints",
        )
        .code("config/range")),
    }
}

fn idp_config(config: &Config, base: &str, dev: bool) -> Result<idp::Config, Failure> {
    let seal = config.seal.clone();
    let wrong = |what: String, fix: &str| Failure::usage(what, fix).code("config/range");
    let enrolment = match seal.enrolment.as_str() {
        "invited" => idp::Enrolling::Invited,
        "open" => idp::Enrolling::Open,
        other => return Err(wrong(format!("seal.enrolment = {other} is no choice"), "use invited or open")),
    };
    let decided = idp::Config {
        session_ttl_s: seal.session_ttl_s,
        par_ttl_s: seal.par_ttl_s,
        code_ttl_s: seal.code_ttl_s,
        access_ttl_s: seal.access_ttl_s,
        refresh_ttl_d: seal.refresh_ttl_d,
        refresh_idle_d: seal.refresh_idle_d,
        enrolment,
        unanchored: seal.unanchored,
        second_device_wait_s: seal.second_device_wait_s,
        dpop_nonce: seal.dpop_nonce,
        country: seal.country,
        signer_id: seal.signer_id,
        consent_keep_d: seal.consent_keep_d,
        attestation_roots: attestation_roots(&seal.attestation_roots)?,
        ..idp::Config::new(base)
    };
    decided
        .check()
        .map_err(|fault| wrong(fault.to_string(), "mend the key; `tessera init` shows the defaults"))?;
    Ok(if dev { decided.dev() } else { decided })
}

/// The certificates of these PEM files. One that is not read stops the start: what it vouches for would silently count for less.
fn attestation_roots(files: &[PathBuf]) -> Result<Vec<Vec<u8>>, Failure> {
    let mut roots = Vec::new();
    for file in files {
        let unread = |cause: String| {
            let what = format!("seal.attestation_roots: {} holds no certificate", file.display());
            Failure::start(what, cause, "give PEM files with the roots that makers of security keys publish")
        };
        let mut text = String::new();
        let opened = fs::File::open(file).map(|file| file.take(pem::PEM_BYTES_MAX as u64 + 1));
        opened
            .and_then(|mut file| file.read_to_string(&mut text))
            .map_err(|fault| unread(fault.to_string()))?;
        let found = pem::decode_certificates(&text).map_err(|fault| unread(fault.to_string()))?;
        let parsed = found.iter().try_for_each(|der| Certificate::parse(der).map(drop));
        parsed.map_err(|fault| unread(fault.to_string()))?;
        if found.is_empty() {
            return Err(unread("there is no CERTIFICATE block in it".to_owned()));
        }
        roots.extend(found);
    }
    Ok(roots)
}

fn cannot_open(fault: &OpenFault) -> Failure {
    Failure::new(
        Exit::Unreachable,
        "the store cannot be opened",
        fault.to_string(),
        "check the folder's owner, mode and space, that no other process uses it, and that the root key is its own",
    )
    .code("store/open")
}

/// A fault of ours at start.
pub fn fault_of(what: &str, fault: &dyn std::fmt::Display) -> Failure {
    Failure::new(Exit::Unreachable, what, fault.to_string(), "see the log lines above, and `tessera doctor`")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn over(relay_push: bool, url: &str, network: &str) -> Result<Option<push::Over>, Failure> {
        let mut config = Config::default();
        config.seal.relay_push = relay_push;
        (config.seal.relay_url, config.seal.relay_network) = (url.to_owned(), network.to_owned());
        push_over(&config, false)
    }

    #[test]
    fn a_house_pushes_only_where_it_is_asked_to_and_over_a_relay_of_this_machine_that_is_pinned() {
        let id = "ab".repeat(32);
        assert_eq!(over(false, "", "").ok().flatten(), None);
        let pushes = over(true, "http://localhost:8100/", &id).ok().flatten();
        assert!(matches!(pushes, Some(push::Over::Relay { url, .. }) if url == "http://localhost:8100"));
        for (url, network) in
            [("", id.as_str()), ("http://localhost:8100", ""), ("https://relay.example", &id)]
        {
            let refused = over(true, url, network).err().map(|failure| failure.exit);
            assert_eq!(refused, Some(Exit::Usage), "{url} {network}");
        }
        assert_eq!(push_over(&Config::default(), true).ok().flatten(), Some(push::Over::Own));
    }

    #[test]
    fn a_root_of_a_maker_is_read_from_pem_and_a_file_without_one_stops_the_start() {
        let folder = tempfile::tempdir().unwrap();
        let (good, empty) = (folder.path().join("maker.pem"), folder.path().join("empty.pem"));
        let made =
            crate::certificate::self_signed("maker.example", "2026-11-20T10:00:00Z".parse().unwrap(), 1)
                .unwrap();
        fs::write(&good, made.chain_pem).unwrap();
        fs::write(&empty, "no block").unwrap();
        assert_eq!(attestation_roots(std::slice::from_ref(&good)).ok().map(|roots| roots.len()), Some(1));
        for file in [empty, folder.path().join("missing.pem")] {
            let failure = attestation_roots(&[good.clone(), file.clone()]).err().unwrap();
            assert!(failure.what.contains(&*file.display().to_string()), "{}", failure.what);
        }
    }
}
