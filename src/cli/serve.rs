//! `priorauth serve`: start, serve, and stop without losing what was accepted.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::auth::Clients;
use crate::config::Config;
use crate::http::{App, Limits, router};
use crate::notify::{EndpointRules, HttpCourier};
use crate::policy::Rulebook;
use crate::profiles;
use crate::service::notify::Notifier;
use crate::service::{RealWorld, Service, Terms};
use crate::store::SqliteStore;

/// How often it is looked whether a scripted case is due.
const SCENARIO_ROUND: Duration = Duration::from_secs(1);

/// What a server runs with.
pub struct Settings {
    rules: Rulebook,
    clients: Clients,
    limits: Limits,
    terms: Terms,
    config: Config,
}

impl Settings {
    /// What a configuration says.
    ///
    /// # Errors
    /// Profiles or key sets that cannot be used.
    pub fn of(config: &Config) -> anyhow::Result<Settings> {
        let (rules, terms) = plan_of(config)?;
        Ok(Settings {
            rules,
            clients: config.register_clients().context("registering the clients")?,
            limits: Limits {
                body_bytes: config.max_body_bytes,
                request_time: config.request_timeout,
                concurrent_requests: config.max_concurrent_requests,
            },
            terms,
            config: config.clone(),
        })
    }

    /// The defaults, with cards that tell what each system action says.
    ///
    /// # Errors
    /// Never for the embedded profiles, which the tests read.
    pub fn demo() -> anyhow::Result<Settings> {
        let mut settings = Settings::of(&Config::default())?;
        settings.terms.tells_actions = true;
        Ok(settings)
    }
}

/// The plan with its policies and what the operator set, as a configuration says.
///
/// # Errors
/// Profiles that cannot be used.
pub(super) fn plan_of(config: &Config) -> anyhow::Result<(Rulebook, Terms)> {
    let rules = match &config.profiles {
        Some(folder) => profiles::from_folder(folder),
        None => profiles::embedded(),
    };
    let terms = Terms {
        public_base: config.created_base().to_owned(),
        tells_actions: config.sandbox,
        repeat_window: config.repeat_window,
        inquiry_retention: config.inquiry_retention,
        scenarios: config.read_scenarios().context("reading the scenarios")?,
    };
    Ok((rules.context("reading the profiles")?, terms))
}

/// A server that runs.
pub struct Running {
    /// Where it listens.
    pub address: SocketAddr,
    stop: watch::Sender<bool>,
    served: JoinHandle<std::io::Result<()>>,
    scenarios: Option<JoinHandle<()>>,
    dispatching: JoinHandle<()>,
    service: Arc<Service>,
    grace: Duration,
}

/// Opens the store, listens, and serves until it is stopped.
///
/// # Errors
/// The store cannot be opened, the address cannot be listened on, or it may be reached from
/// outside and nobody is registered who may call.
pub async fn start(listen: SocketAddr, data: &Path, settings: Settings) -> anyhow::Result<Running> {
    // rulings 1: only on loopback may everybody call.
    anyhow::ensure!(
        listen.ip().is_loopback() || !settings.clients.is_empty(),
        "{listen} can be reached from other machines and no client is registered: \
         register clients in the configuration, or listen on 127.0.0.1"
    );
    let store = Arc::new(SqliteStore::open(data).await.context("opening the store")?);
    let service = Arc::new(Service::new(
        settings.rules,
        Arc::<SqliteStore>::clone(&store),
        Arc::new(RealWorld),
        settings.terms,
    ));
    let endpoints = EndpointRules {
        allowed: settings.config.notify_allow.clone(),
        // rulings 1: on loopback with nobody registered this is development.
        loopback: listen.ip().is_loopback() && settings.clients.is_empty(),
    };
    let courier = HttpCourier::new(endpoints, settings.config.notify_timeout)?;
    let notifier = Arc::new(Notifier::new(
        Arc::clone(&service),
        store,
        Arc::new(courier),
        settings.config.notify,
    ));
    let listener =
        TcpListener::bind(listen).await.with_context(|| format!("listening on {listen}"))?;
    let address = listener.local_addr().context("reading the listening address")?;
    let (stop, mut stopped) = watch::channel(false);
    let scenarios = play_scenarios(&service, stopped.clone());
    let app = App {
        service: Arc::clone(&service),
        notifier: Arc::clone(&notifier),
        clients: Arc::new(settings.clients),
        limits: settings.limits,
        called_base: settings.config.called_base(address).into(),
    };
    let dispatching = tokio::spawn(notifier.run(stop.subscribe()));
    let until_stopped = async move {
        // An error means that the sender is gone, which stops the server as well.
        drop(stopped.wait_for(|stop| *stop).await);
    };
    let serving = axum::serve(listener, router(app)).with_graceful_shutdown(until_stopped);
    let served = tokio::spawn(async move { serving.await });
    tracing::info!(%address, "serving");
    let grace = settings.config.shutdown_grace;
    Ok(Running { address, stop, served, scenarios, dispatching, service, grace })
}

/// Says that a sandbox answers by script, and ends its cases when they are due.
fn play_scenarios(
    service: &Arc<Service>,
    mut stopped: watch::Receiver<bool>,
) -> Option<JoinHandle<()>> {
    let scenarios = &service.terms().scenarios;
    let members = scenarios.count();
    if members > 0 {
        tracing::warn!(members, "sandbox scenarios are on: their members get no real decision");
    }
    let service = scenarios.decide_later().then(|| Arc::clone(service))?;
    Some(tokio::spawn(async move {
        while tokio::time::timeout(SCENARIO_ROUND, stopped.wait_for(|stop| *stop)).await.is_err() {
            if let Err(error) = service.decide_due_scenarios().await {
                tracing::warn!(%error, "scripted cases could not be decided; tried again");
            }
        }
    }))
}

impl Running {
    /// Takes no more requests, finishes those that were accepted and the notifications that are on
    /// their way, and closes the store.
    ///
    /// # Errors
    /// The store could not be closed.
    pub async fn stop(mut self) -> anyhow::Result<()> {
        // Nobody listens any more if the server has stopped by itself.
        let _ = self.stop.send(true);
        if let Ok(served) = tokio::time::timeout(self.grace, self.served).await {
            served.context("waiting for the server")?.context("serving")?;
        } else {
            tracing::warn!("requests were still open when the time to stop was over");
        }
        if let Some(scenarios) = self.scenarios {
            // A review that has begun is finished before the store is closed.
            drop(scenarios.await);
        }
        if tokio::time::timeout(self.grace, &mut self.dispatching).await.is_err() {
            // What was on its way stays in the outbox.
            self.dispatching.abort();
            tracing::warn!("a notification was still on its way when the time to stop was over");
        }
        self.service.close().await.context("closing the store")?;
        tracing::info!("stopped");
        Ok(())
    }
}

/// Serves until the process is told to stop (SIGTERM, SIGINT).
///
/// # Errors
/// As [`start`] and [`Running::stop`].
pub async fn run(listen: SocketAddr, data: &Path, settings: Settings) -> anyhow::Result<()> {
    // Before anybody can see that it serves, so that no signal ends it halfway.
    let told = told_to_stop().context("waiting for signals")?;
    let running = start(listen, data, settings).await?;
    told.await;
    tracing::info!("told to stop");
    running.stop().await
}

fn told_to_stop() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
