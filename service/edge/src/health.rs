//! Health: `/healthz` says that the process lives, `/readyz` whether it can do its work.
//!
//! A check is a small question that a room registers at start; all are asked at once, each for at most two seconds.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

/// A check must answer within this time; an answer that comes later is none.
const CHECK_TIMEOUT_S: u64 = 2;

/// How a part stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// It works.
    Ok,
    /// It works, with a loss that somebody should look at.
    Degraded,
    /// It does not.
    Down,
}

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Found {
    /// `store`, `ledger`, `custody`, …
    pub name: String,
    /// How it stands.
    pub status: Status,
    /// One line; shown on loopback and to readers of the configuration only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
}

/// What `/readyz` answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Readiness {
    /// The worst of the checks.
    pub status: Status,
    /// Each of them.
    pub checks: Vec<Found>,
}

type Asked = Pin<Box<dyn Future<Output = (Status, String)> + Send>>;
type Check = Arc<dyn Fn(Timestamp) -> Asked + Send + Sync>;

/// The checks of a process.
#[derive(Clone, Default)]
pub struct Health(Arc<RwLock<Vec<(&'static str, Check)>>>);

impl Health {
    /// Adds a check; a later one of the same name takes its place. It gets the time and answers status and one line without
    /// secrets.
    pub fn register<F, A>(&self, name: &'static str, check: F)
    where
        F: Fn(Timestamp) -> A + Send + Sync + 'static,
        A: Future<Output = (Status, String)> + Send + 'static,
    {
        let check: Check = Arc::new(move |now| Box::pin(check(now)));
        let mut checks = self.0.write().unwrap_or_else(PoisonError::into_inner);
        checks.retain(|(known, _)| *known != name);
        checks.push((name, check));
    }

    /// Asks every check.
    pub async fn ask(&self, now: Timestamp) -> Readiness {
        let checks = self.0.read().unwrap_or_else(PoisonError::into_inner).clone();
        let mut asked = Vec::new();
        for (name, check) in checks {
            let answer = check(now);
            asked.push((
                name,
                tokio::spawn(tokio::time::timeout(Duration::from_secs(CHECK_TIMEOUT_S), answer)),
            ));
        }
        let mut found = Vec::new();
        for (name, task) in asked {
            let (status, detail) = match task.await {
                Ok(Ok(answer)) => answer,
                Ok(Err(_)) => (Status::Down, "no answer in time".to_owned()),
                Err(_) => (Status::Down, "the check failed".to_owned()),
            };
            metrics::gauge!(crate::metrics::READY, "check" => name).set(if status == Status::Down {
                0.0
            } else {
                1.0
            });
            found.push(Found { name: name.to_owned(), status, detail: Some(detail) });
        }
        let status = found.iter().map(|found| found.status).max().unwrap_or(Status::Ok);
        Readiness { status, checks: found }
    }
}

impl std::fmt::Debug for Health {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Health")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_worst_check_is_the_state_of_the_house() {
        let health = Health::default();
        assert_eq!(health.ask(Timestamp::UNIX_EPOCH).await.status, Status::Ok);
        health.register("store", |_| async { (Status::Ok, "writes".to_owned()) });
        health.register("ledger", |_| async { (Status::Degraded, "lag 12 s".to_owned()) });
        assert_eq!(health.ask(Timestamp::UNIX_EPOCH).await.status, Status::Degraded);
        health.register("store", |_| async { panic!("a check that fails") });
        let found = health.ask(Timestamp::UNIX_EPOCH).await;
        assert_eq!(found.status, Status::Down);
        assert_eq!(found.checks.len(), 2);
    }
}
