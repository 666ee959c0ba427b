//! Opening the network: the first start makes it, every later one reads what was signed.

use crate::epoch::{EpochError, Epochs};
use crate::lane::Lane;
use crate::{Live, Relay, now_ms, store};
use ::store::{CommitError, Ctx, StoreFault, Unit};
use custody::SignError;
use mailbox::network::{
    Claim, Class, ClassRule, Identity, Manifest, Mechanism, Mode, NetworkId, NetworkRejection, RelayEntry,
    Signature, Signed, SignedStatement, TokenIssuer, Tokens, VerifiedManifest,
};
use mailbox::statement::statement_message;
use std::convert::Infallible;
use std::sync::Arc;
use tlog::event::{Event, KeyUse};

/// Why the relay does not run.
#[derive(Debug, thiserror::Error)]
pub enum RelayFault {
    /// A setting.
    #[error(transparent)]
    Config(#[from] crate::ConfigFault),
    /// What was kept does not hold any more.
    #[error("the kept network is not sound: {0}")]
    Network(#[from] NetworkRejection),
    /// The kept network has another rhythm or address than the settings.
    #[error("the network of this store has {name} = {kept}, not {asked}")]
    Differs {
        /// What differs.
        name: &'static str,
        /// What the signed manifest says.
        kept: String,
        /// What was asked for.
        asked: String,
    },
    /// The identity key.
    #[error("the identity key cannot be made: {0}")]
    Key(String),
    /// Signing.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// An epoch.
    #[error(transparent)]
    Epoch(#[from] EpochError),
    /// The store could not.
    #[error(transparent)]
    Store(#[from] StoreFault),
}

impl Relay {
    /// Opens the network of the tenant that `ctx` acts in: makes it on a new store, reads it on a used one, takes up the cells that
    /// an interrupted round left. Nothing happens when it is open.
    ///
    /// # Errors
    /// [`RelayFault`].
    pub async fn open(&self, ctx: &Ctx) -> Result<(), RelayFault> {
        if self.live().is_some() {
            return Ok(());
        }
        self.config().check()?;
        let key =
            self.custody().provision_relay(ctx).await.map_err(|fault| RelayFault::Key(fault.to_string()))?;
        let identity =
            key.raw().try_into().map(Identity).map_err(|_| RelayFault::Key("not Ed25519".to_owned()))?;
        let manifest = match store::last_statement(self.store(), ctx, "manifest").await? {
            Some(text) => self.kept(ctx, &text).await?,
            None => self.make(ctx, identity).await?,
        };
        let calendar = manifest.manifest().calendar();
        let classes =
            [Class::Normal, Class::Fast].into_iter().filter(|&class| calendar.round_ms(class).is_some());
        let lanes = classes.map(|class| Arc::new(Lane::new(class, calendar))).collect();
        let live = Live {
            tenant: ctx.tenant.clone(),
            identity,
            manifest,
            calendar,
            epochs: Epochs::default(),
            lanes,
        };
        let _ = self.0.live.set(live);
        self.open_epochs(ctx).await?;
        self.take_up(ctx).await?;
        Ok(())
    }

    /// Signs a statement of one relay.
    pub(crate) async fn signed(
        &self,
        ctx: &Ctx,
        identity: Identity,
        kind: &str,
        statement: String,
    ) -> Result<(SignedStatement, KeyUse), SignError> {
        let message = statement_message(kind, statement.as_bytes());
        let (signature, key_use) = self.custody().sign_statement(ctx, &message).await?;
        let signatures = vec![Signed { identity, signature: Signature(signature) }];
        Ok((SignedStatement { statement, signatures }, key_use))
    }

    async fn kept(&self, ctx: &Ctx, last: &str) -> Result<VerifiedManifest, RelayFault> {
        let missing = || NetworkRejection::Form("the first manifest is missing".to_owned());
        let first = store::statement(self.store(), ctx, "manifest", 1).await?.ok_or_else(missing)?;
        let first = SignedStatement::parse(first.as_bytes())?;
        let id = NetworkId(first.digest());
        let first = Manifest::parse(first)?.verify_first(id)?;
        let last = SignedStatement::parse(last.as_bytes())?;
        let known =
            if last == *first.signed() { first } else { Manifest::parse(last)?.verify_next(&first)? };
        let differs = |name, kept: String, asked: String| {
            if kept == asked { Ok(()) } else { Err(RelayFault::Differs { name, kept, asked }) }
        };
        let round_ms = |class| known.manifest().calendar().round_ms(class).unwrap_or(0).to_string();
        differs("round_ms", round_ms(Class::Normal), self.config().round_ms.to_string())?;
        differs("fast_round_ms", round_ms(Class::Fast), self.config().fast_round_ms.to_string())?;
        let mechanism = |rule: &Mechanism| format!("{rule:?}");
        let kept =
            known.manifest().class(Class::Normal).map(|rule| mechanism(&rule.mechanism)).unwrap_or_default();
        differs("cover", kept, mechanism(&self.config().mechanism()))?;
        differs("public_url", known.manifest().relays[0].url.clone(), self.config().public_url.clone())?;
        Ok(known)
    }

    async fn make(&self, ctx: &Ctx, identity: Identity) -> Result<VerifiedManifest, RelayFault> {
        let config = self.config();
        let url = config.public_url.clone();
        // The operator of a lone relay is who holds its key: one trust domain.
        let word = Manifest::operator_message(&identity, &url);
        let (operator_sig, _) = self.custody().sign_statement(ctx, &word).await?;
        let class = |id, round_ms| ClassRule {
            id,
            round_ms,
            mode: Mode::Full,
            window: 4,
            mechanism: config.mechanism(),
        };
        let mut classes = vec![class(0, config.round_ms)];
        if config.fast_round_ms > 0 {
            classes.push(class(1, config.fast_round_ms));
        }
        let entry = RelayEntry {
            name: config.name.clone(),
            url: url.clone(),
            identity,
            operator: identity,
            operator_sig: Signature(operator_sig),
        };
        let manifest = Manifest {
            version: 1,
            network: None,
            name: config.name.clone(),
            dev: config.dev,
            // A genesis on a whole round of the clock, so that rounds of relays on one machine do not drift apart by a start.
            genesis_ms: now_ms(ctx) / config.round_ms * config.round_ms,
            epoch_ms: config.epoch_ms,
            topology: config.topology,
            n: 1,
            k: 1,
            relays: vec![entry],
            tokens: Tokens::Off,
            token_issuer: TokenIssuer { url, identity },
            classes,
            claim: Claim { epsilon: "0".to_owned(), delta: "0".to_owned(), events: 0 },
            activity: "0.5".to_owned(),
            retention: config.retention_days,
            guarantee: config.guarantee().to_owned(),
        };
        let (signed, key_use) = self.signed(ctx, identity, "manifest", manifest.encode()).await?;
        let digest = signed.digest();
        let body = signed.encode();
        let known = Manifest::parse(signed)?.verify_first(NetworkId(digest))?;
        let event = Event::RelayNetworkChanged { version: 1, sha256: digest, key_use };
        let unit = Unit::<Infallible>::new(event).put(store::put_statement("manifest", 1, &body));
        commit(self, ctx, unit).await?;
        Ok(known)
    }
}

/// Commits a unit without guards.
pub(crate) async fn commit(relay: &Relay, ctx: &Ctx, unit: Unit<Infallible>) -> Result<(), StoreFault> {
    match relay.store().commit(ctx, unit).await {
        Ok(_) => Ok(()),
        Err(CommitError::Fault(fault)) => Err(fault),
        Err(CommitError::Lost(never)) => match never {},
    }
}
