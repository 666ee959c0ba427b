//! Refusals that a stranger can cause: written singly up to a rate, then counted (L&O §3, rule 6).
//!
//! So every refusal is known, and nobody can grow the log faster than 60 entries a minute, tenant and type.

use jiff::Timestamp;
use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use store::{Actor, Ctx, Store, StoreFault, TenantId};
use tlog::event::Event;

/// Refusals of one tenant and type that are written singly in a minute (L&O §3).
pub const REFUSALS_PER_MINUTE_MAX: u64 = 60;

/// Tenants times types that are counted apart: beyond it all count for the instance.
const COUNTED_MAX: usize = 10_000;

/// Counts of the running minute.
#[derive(Debug, Default)]
pub struct Flood(Mutex<HashMap<(TenantId, &'static str), Minute>>);

#[derive(Debug)]
struct Minute {
    number: i64,
    seen: u64,
}

impl Flood {
    /// Writes the refusal, or only counts it. A fault of the store is logged: the refusal itself stands.
    pub async fn note(&self, store: &Store, ctx: &Ctx, event: Event) {
        let over = self.count(&ctx.tenant, event.name(), minute(ctx.now));
        if let Some((tenant, name, count)) = over.before {
            write(store, &ctx.for_tenant(tenant), aggregated(name, count)).await;
        }
        if over.singly {
            write(store, ctx, event).await;
        }
    }

    /// Writes the counts of minutes that are over; runs on a tick.
    ///
    /// # Errors
    /// [`StoreFault`] of the first that could not be written; its count and the later ones are lost with it.
    pub async fn settle(&self, store: &Store, ctx: &Ctx) -> Result<(), StoreFault> {
        let now = minute(ctx.now);
        let over: Vec<(TenantId, &'static str, u64)> = {
            let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let keys: Vec<_> = counts
                .iter()
                .filter(|(_, minute)| minute.number != now)
                .map(|(key, _)| key.clone())
                .collect();
            keys.into_iter()
                .filter_map(|key| {
                    let minute = counts.remove(&key)?;
                    Some((key.0, key.1, minute.seen.saturating_sub(REFUSALS_PER_MINUTE_MAX)))
                })
                .filter(|(_, _, count)| *count > 0)
                .collect()
        };
        for (tenant, name, count) in over {
            let mut inside = ctx.for_tenant(tenant);
            inside.actor = Actor::system();
            store.record(&inside, aggregated(name, count)).await?;
        }
        Ok(())
    }

    fn count(&self, tenant: &TenantId, name: &'static str, now: i64) -> Counted {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = counts.contains_key(&(tenant.clone(), name));
        let tenant = if known || counts.len() < COUNTED_MAX { tenant.clone() } else { TenantId::SYSTEM };
        let minute = counts.entry((tenant.clone(), name)).or_insert(Minute { number: now, seen: 0 });
        let mut before = None;
        if minute.number != now {
            let count = minute.seen.saturating_sub(REFUSALS_PER_MINUTE_MAX);
            before = (count > 0).then_some((tenant, name, count));
            *minute = Minute { number: now, seen: 0 };
        }
        minute.seen += 1;
        Counted { singly: minute.seen <= REFUSALS_PER_MINUTE_MAX, before }
    }
}

struct Counted {
    singly: bool,
    before: Option<(TenantId, &'static str, u64)>,
}

fn minute(now: Timestamp) -> i64 {
    now.as_second().div_euclid(60)
}

fn aggregated(name: &'static str, count: u64) -> Event {
    Event::RefusalsAggregated { count, event: name.to_owned() }
}

async fn write(store: &Store, ctx: &Ctx, event: Event) {
    let name = event.name();
    if let Err(fault) = store.record(ctx, event).await {
        tracing::warn!(request_id = %ctx.request_id, event = name, %fault, "a refusal was not recorded");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_written_singly_sixty_times_and_then_counted() {
        let flood = Flood::default();
        let single =
            (0..1_000).filter(|_| flood.count(&TenantId::SYSTEM, "access-refused", 7).singly).count();
        assert_eq!(single, 60);
        let next = flood.count(&TenantId::SYSTEM, "access-refused", 8);
        assert!(next.singly);
        assert_eq!(next.before, Some((TenantId::SYSTEM, "access-refused", 940)));
    }

    #[test]
    fn one_type_does_not_use_up_another() {
        let flood = Flood::default();
        for _ in 0..100 {
            flood.count(&TenantId::SYSTEM, "access-refused", 7);
        }
        assert!(flood.count(&TenantId::SYSTEM, "request-refused", 7).singly);
    }
}
