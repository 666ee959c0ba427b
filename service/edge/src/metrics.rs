//! Metrics: names from one table, served as Prometheus text on a listener of their own.

use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use std::sync::OnceLock;
use std::time::Duration;

/// A metric: its name and what it means. Boards and alert rules are made from this table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// The name, `tessera_<noun>_<unit>`.
    pub name: &'static str,
    /// Counter, gauge or histogram.
    pub kind: Kind,
    /// What it means.
    pub help: &'static str,
}

/// What sort of figure a metric is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Grows.
    Counter,
    /// Goes up and down.
    Gauge,
    /// A distribution.
    Histogram,
}

/// Requests by operation and status.
pub const REQUESTS: &str = "tessera_requests_total";
/// Seconds that requests took, by operation.
pub const REQUEST_SECONDS: &str = "tessera_request_seconds";
/// Open connections.
pub const CONNECTIONS: &str = "tessera_connections";
/// Refused connections, by reason.
pub const CONNECTIONS_REFUSED: &str = "tessera_connections_refused_total";
/// Entries that wait for the sequencer, by log.
pub const LEDGER_PENDING: &str = "tessera_ledger_pending";
/// Size of a log.
pub const LEDGER_SIZE: &str = "tessera_ledger_size";
/// Seconds since the last checkpoint of a log that grows.
pub const LEDGER_LAG_SECONDS: &str = "tessera_ledger_lag_seconds";
/// Readiness checks: 1 ok, 0 not.
pub const READY: &str = "tessera_ready";

/// Every metric. A label holds an operation, a status, a log id or a check's name: never a person or an address.
pub const TABLE: &[Metric] = &[
    Metric { name: REQUESTS, kind: Kind::Counter, help: "Requests by operation and status." },
    Metric {
        name: REQUEST_SECONDS,
        kind: Kind::Histogram,
        help: "Seconds that requests took, by operation.",
    },
    Metric { name: CONNECTIONS, kind: Kind::Gauge, help: "Open connections." },
    Metric { name: CONNECTIONS_REFUSED, kind: Kind::Counter, help: "Refused connections, by reason." },
    Metric { name: LEDGER_PENDING, kind: Kind::Gauge, help: "Entries that wait for the sequencer, by log." },
    Metric { name: LEDGER_SIZE, kind: Kind::Gauge, help: "Size of a log." },
    Metric {
        name: LEDGER_LAG_SECONDS,
        kind: Kind::Gauge,
        help: "Age of the oldest entry without checkpoint, by log.",
    },
    Metric { name: READY, kind: Kind::Gauge, help: "Readiness by check: 1 ok, 0 not." },
];

/// Upper bounds of the histogram's buckets, in seconds.
const BUCKETS: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0, 60.0];

static HANDLE: OnceLock<Option<PrometheusHandle>> = OnceLock::new();

/// Installs the recorder of this process, once; later calls find it.
pub fn install() -> Option<&'static PrometheusHandle> {
    HANDLE
        .get_or_init(|| {
            let handle = PrometheusBuilder::new().set_buckets(BUCKETS).ok()?.install_recorder().ok()?;
            for metric in TABLE {
                match metric.kind {
                    Kind::Counter => metrics::describe_counter!(metric.name, metric.help),
                    Kind::Gauge => metrics::describe_gauge!(metric.name, metric.help),
                    Kind::Histogram => metrics::describe_histogram!(metric.name, metric.help),
                }
            }
            Some(handle)
        })
        .as_ref()
}

/// The figures as Prometheus text; empty before [`install`].
#[must_use]
pub fn text() -> String {
    HANDLE.get().and_then(Option::as_ref).map(PrometheusHandle::render).unwrap_or_default()
}

pub(crate) fn request(operation: &'static str, status: u16, took: Duration) {
    metrics::counter!(REQUESTS, "operation" => operation, "status" => status.to_string()).increment(1);
    metrics::histogram!(REQUEST_SECONDS, "operation" => operation).record(took.as_secs_f64());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_metric_is_ours_and_stands_in_the_table_once() {
        let names: std::collections::BTreeSet<_> = TABLE.iter().map(|metric| metric.name).collect();
        assert_eq!(names.len(), TABLE.len());
        assert!(names.iter().all(|name| name.starts_with("tessera_")));
    }
}
