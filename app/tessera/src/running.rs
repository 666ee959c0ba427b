//! A running server: listeners, jobs, and an orderly end.

use crate::certificate::{self, Files};
use crate::failure::Failure;
use crate::house::House;
use crate::jobs;
use edge::server::{self, Bounds};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use tlog::event::Event;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

/// A house with its doors open.
pub struct Running {
    /// The rooms.
    pub house: House,
    /// Where the doors listen.
    pub address: SocketAddr,
    /// Where metrics are read, if anywhere.
    pub metrics: Option<SocketAddr>,
    started: std::time::Duration,
    shutdown: watch::Sender<bool>,
    server: tokio::task::JoinHandle<()>,
    jobs: JoinSet<()>,
}

/// What listens.
pub struct Listeners {
    /// The doors.
    pub doors: TcpListener,
    /// The metrics.
    pub metrics: Option<TcpListener>,
    /// TLS; plain http in development.
    pub tls: Option<TlsAcceptor>,
}

impl Running {
    /// Opens the doors and starts the jobs.
    ///
    /// # Errors
    /// A [`Failure`] when a listener has no address.
    pub fn start(house: House, listeners: Listeners) -> Result<Self, Failure> {
        edge::metrics::install();
        let no_address = |fault| Failure::start("the listener has no address", fault, "choose another port");
        let address = listeners.doors.local_addr().map_err(no_address)?;
        let metrics =
            listeners.metrics.as_ref().map(TcpListener::local_addr).transpose().map_err(no_address)?;
        let (shutdown, ended) = watch::channel(false);
        let router = house.edge.router(house.doors());
        let mut jobs = jobs::start(&house, &ended);
        if let Some(listener) = listeners.metrics {
            jobs.spawn(server::serve_metrics(listener, ended.clone()));
        }
        let server =
            tokio::spawn(server::serve(listeners.doors, router, listeners.tls, Bounds::default(), ended));
        let started = house.edge.clock().steady();
        Ok(Self { started, house, address, metrics, shutdown, server, jobs })
    }

    /// Looks at the files of the certificate from now on, and takes what is renewed.
    pub fn watch(&mut self, files: Files) {
        let client = self.house.edge.outbound().clone();
        let files = Arc::new(Mutex::new(files));
        self.jobs.spawn(jobs::every(certificate::LOOK_EVERY, self.shutdown.subscribe(), move || {
            let (files, client) = (files.clone(), client.clone());
            async move {
                let look = move || files.lock().unwrap_or_else(PoisonError::into_inner).look(&client);
                match tokio::task::spawn_blocking(look).await {
                    Ok(Ok(true)) => tracing::info!("the certificate was renewed"),
                    Ok(Err(fault)) => tracing::warn!(%fault, "the old certificate stays"),
                    Ok(Ok(false)) | Err(_) => {}
                }
            }
        }));
    }

    /// Stops accepting, lets what runs end, writes the last checkpoint.
    pub async fn stop(mut self) {
        let ctx = self.house.edge.tick();
        let uptime_s = self.house.edge.clock().steady().saturating_sub(self.started).as_secs();
        if let Err(fault) = self.house.store.record(&ctx, Event::ServerStopped { uptime_s }).await {
            tracing::warn!(%fault, "the stop could not be recorded");
        }
        let _ = self.shutdown.send(true);
        let _ = self.server.await;
        while self.jobs.join_next().await.is_some() {}
        if !self.house.audit.settle(&self.house.edge.tick()).await {
            tracing::warn!("the ledger has entries without a checkpoint; the next start signs them");
        }
    }
}

/// Ends with Ctrl-C or SIGTERM. It listens from the call on, not from the first wait: a process told to stop while it starts stops in
/// order once it stands.
pub fn told_to_stop() -> impl Future<Output = ()> {
    use tokio::signal::unix::{SignalKind, signal};
    let (terminate, interrupt) = (signal(SignalKind::terminate()), signal(SignalKind::interrupt()));
    async move {
        let (Ok(mut terminate), Ok(mut interrupt)) = (terminate, interrupt) else {
            return std::future::pending().await; // no handler: the signal itself ends the process
        };
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    }
}
