//! The ticks of a process: each job has its period and its own `Ctx`; a tick that fails is logged and comes again.

use crate::house::House;
use crate::push;
use relay::Relay;
use std::future::Future;
use std::time::Duration;
use store::Ctx;
use tenancy::After;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Tenants that one tick walks over at a time.
const TENANTS_PAGE: usize = 200;
/// How often lists that changed are signed: the delay that `visible_by` counts with.
const LISTS_EVERY: Duration = Duration::from_secs(2);
/// How often sign-ins that nobody answered are ended.
const SIGNINS_EVERY: Duration = Duration::from_secs(idp::SWEEP_S);
/// How often what is past its time is ended and forgotten.
const TIDY_EVERY: Duration = Duration::from_secs(60);
/// Longest that the rounds of a relay sleep: a clock that was set is noticed within this.
const ROUNDS_NAP_MS_MAX: u64 = 250;
/// How often ended log tokens are forgotten.
const DAILY: Duration = Duration::from_secs(86_400);

/// Starts every job; they end when `shutdown` says true.
pub fn start(house: &House, shutdown: &watch::Receiver<bool>) -> JoinSet<()> {
    let mut jobs = JoinSet::new();
    sequencing(&mut jobs, house, shutdown);
    let h = house.clone();
    jobs.spawn(every(Duration::from_millis(house.checkpoint_ms), shutdown.clone(), move || {
        let h = h.clone();
        async move { audit::jobs::publish(&h.audit, &h.edge.tick()).await }
    }));
    let h = house.clone();
    jobs.spawn(every(DAILY, shutdown.clone(), move || {
        let h = h.clone();
        async move { audit::jobs::expire(&h.audit, &h.edge.tick()).await }
    }));
    let h = house.clone();
    jobs.spawn(every(TIDY_EVERY, shutdown.clone(), move || {
        let h = h.clone();
        async move { tidy(&h).await }
    }));
    let h = house.clone();
    jobs.spawn(every(LISTS_EVERY, shutdown.clone(), move || {
        let h = h.clone();
        async move {
            for_tenants(&h, "status lists", |ctx, name| {
                let (issuer, verifier) = (h.issuer.clone(), h.verifier.clone());
                async move {
                    issuer.publish_lists(&ctx, &name).await.map_err(|fault| fault.to_string())?;
                    verifier.refresh_lists(&ctx).await.map_err(|fault| fault.to_string())
                }
            })
            .await;
        }
    }));
    let h = house.clone();
    jobs.spawn(every(SIGNINS_EVERY, shutdown.clone(), move || {
        let h = h.clone();
        async move {
            for_tenants(&h, "sign-ins", |ctx, _| {
                let h = h.clone();
                async move { h.idp.sweep(&ctx, h.edge.flood()).await.map_err(|fault| fault.to_string()) }
            })
            .await;
        }
    }));
    let edge = house.edge.clone();
    jobs.spawn(rounds(house.relay.clone(), move || edge.tick(), shutdown.clone()));
    if let Some(over) = house.push.clone() {
        let (h, ended) = (house.clone(), shutdown.clone());
        jobs.spawn(async move { until(ended, push::carry(h, over)).await });
    }
    let edge = house.edge.clone();
    let ended = shutdown.clone();
    jobs.spawn(async move { until(ended, edge.listen()).await });
    jobs
}

/// Takes what waits into the trees: on its period, and at once when much waits. Only the waiting is cut short by the end: a step that
/// was committed and not noticed would leave its entries without a checkpoint until the next start.
fn sequencing(jobs: &mut JoinSet<()>, house: &House, shutdown: &watch::Receiver<bool>) {
    let (h, mut shutdown) = (house.clone(), shutdown.clone());
    jobs.spawn(async move {
        let period = Duration::from_millis(audit::config::SEQUENCE_MS);
        loop {
            tokio::select! {
                _ = tokio::time::timeout(period, h.store.filled()) => {}
                () = ended(&mut shutdown) => return,
            }
            audit::jobs::sequence(&h.audit, &h.edge.tick()).await;
        }
    });
}

async fn tidy(house: &House) {
    let ctx = house.edge.tick();
    if let Err(fault) = house.edge.sweep(&ctx).await {
        tracing::warn!(%fault, "the sweep failed");
    }
    if let Err(fault) = house.custody.tick(&ctx).await {
        tracing::warn!(%fault, "the tick of the keys failed");
    }
    if let Err(fault) = house.trust_lists().tick(&ctx).await {
        tracing::warn!(%fault, "the tick of the trust lists failed");
    }
    if let Err(fault) = house.store.expire_details(&ctx).await {
        tracing::warn!(%fault, "details could not be expired");
    }
    if let Err(fault) = house.relay.tidy(&ctx).await {
        tracing::warn!(%fault, "the relay could not be tidied");
    }
    for_tenants(house, "offers, requests and enrolments", |ctx, name| {
        let (issuer, verifier, idp) = (house.issuer.clone(), house.verifier.clone(), house.idp.clone());
        async move {
            issuer.tidy(&ctx).await.map_err(|fault| fault.to_string())?;
            verifier.tidy(&ctx).await.map_err(|fault| fault.to_string())?;
            idp.tidy(&ctx, &name).await.map_err(|fault| fault.to_string())
        }
    })
    .await;
}

/// Runs `act` for every tenant, with its name.
async fn for_tenants<F, A>(house: &House, what: &str, act: F)
where
    F: Fn(Ctx, String) -> A,
    A: Future<Output = Result<(), String>>,
{
    let mut after = After::start();
    loop {
        let page = match house.tenancy.tenants(&house.edge.tick(), &after, TENANTS_PAGE).await {
            Ok(page) => page,
            Err(fault) => return tracing::warn!(%fault, "the tenants could not be read"),
        };
        for tenant in &page {
            if let Err(fault) = act(house.inside(&tenant.id), tenant.name.clone()).await {
                tracing::warn!(%fault, tenant = %tenant.name, "a tick failed: {what}");
            }
        }
        match page.last() {
            Some(last) if page.len() == TENANTS_PAGE => {
                after = After { at_ms: last.created_at.as_millisecond(), id: last.id.to_string() };
            }
            _ => return,
        }
    }
}

/// Moves the rounds of a relay whenever one is due, until `shutdown` says true; of one without a network nothing is due.
pub async fn rounds(relay: Relay, ctx: impl Fn() -> Ctx, mut shutdown: watch::Receiver<bool>) {
    loop {
        let nap_ms = match relay.advance(&ctx()).await {
            Ok(next_ms) => {
                let now_ms = u64::try_from(ctx().now_ms()).unwrap_or(0);
                next_ms.saturating_sub(now_ms).clamp(1, ROUNDS_NAP_MS_MAX)
            }
            Err(fault) => {
                tracing::warn!(%fault, "the rounds could not be moved");
                ROUNDS_NAP_MS_MAX
            }
        };
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(nap_ms)) => {}
            () = ended(&mut shutdown) => return,
        }
    }
}

/// Does `tick` once a `period` until `shutdown` says true.
pub async fn every<F, A>(period: Duration, mut shutdown: watch::Receiver<bool>, tick: F)
where
    F: Fn() -> A,
    A: Future<Output = ()>,
{
    let mut interval = tokio::time::interval(period);
    interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = interval.tick() => {}
            () = ended(&mut shutdown) => return,
        }
        tick().await;
    }
}

async fn until(mut shutdown: watch::Receiver<bool>, work: impl Future<Output = ()>) {
    tokio::select! {
        () = work => {}
        () = ended(&mut shutdown) => {}
    }
}

/// Until the process is told to stop; also when whoever tells is gone.
async fn ended(shutdown: &mut watch::Receiver<bool>) {
    while !*shutdown.borrow_and_update() {
        if shutdown.changed().await.is_err() {
            return;
        }
    }
}
