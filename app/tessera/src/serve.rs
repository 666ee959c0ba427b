//! `tessera serve`: `--dev` for one computer, `--config FILE` in production.

use crate::certificate::Files;
use crate::config::Config;
use crate::context::{self, Context, Login};
use crate::failure::Failure;
use crate::house::{House, Plan, fault_of};
use crate::root;
use crate::running::{Listeners, Running, told_to_stop};
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use store::TenantId;
use tenancy::service_account::NewAccount;
use tenancy::{Role, Roles};
use tokio::net::TcpListener;
use url::Url;

/// The first port that development tries.
pub const DEV_PORT: u16 = 8400;
/// The last one.
const DEV_PORT_LAST: u16 = 8420;
/// Marks a folder that production has used, where development must not run.
const PRODUCTION_MARK: &str = "production";
/// Rounds of the development relay: short enough to wait for, and an entry of its log each.
const DEV_ROUND_MS: u64 = 1_000;
/// How long a development client lives: as long as anybody tries.
const DEV_CLIENT_TTL_S: u64 = 365 * 86_400;

/// Flags of `serve`.
#[derive(clap::Args)]
pub struct Args {
    /// Serve this computer alone: plain http on loopback, a tenant `default`, a context for the CLI
    #[arg(long, conflicts_with = "config", required_unless_present = "config")]
    dev: bool,
    /// Serve by this configuration (`tessera init` writes one)
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The data folder of `--dev`
    #[arg(long, default_value = "./tessera-dev", conflicts_with = "config")]
    data: PathBuf,
    /// The port of `--dev`; 0 takes any free one
    #[arg(long, default_value_t = DEV_PORT, conflicts_with = "config")]
    port: u16,
}

/// Serves until told to stop.
pub async fn run(args: &Args) -> Result<(), Failure> {
    match &args.config {
        Some(path) => production(path).await,
        None => development(args).await,
    }
}

async fn development(args: &Args) -> Result<(), Failure> {
    let told_to_stop = told_to_stop();
    let listener = listen_on_loopback(args.port, false).await?;
    let house = open_development(&listener, &args.data, DEV_ROUND_MS).await?;
    // Before the doors open: whoever is told that the house is ready finds the tenant.
    let tenant = house.tenant("default", "Development").await?;
    let has_relay = house.open_relay().await?;
    let running = start_development(house, listener, args.port == 0).await?;
    let client = dev_client(&running.house, &tenant.id, &args.data).await?;
    let url = running.house.edge.config().base().to_owned();
    let login = Login::ServiceAccount { client_id: client.0, client_secret: client.1 };
    context::save("dev", &Context { url: url.clone(), login, ca_file: None })?;
    eprintln!(
        "tessera {} · DEV mode · plain http on {} · data in {}",
        env!("CARGO_PKG_VERSION"),
        running.address,
        args.data.display()
    );
    eprintln!(" API        {url}/api/v1");
    eprintln!(" Console    {}{}", running.house.edge.config().console_base(), edge::browser::CONSOLE);
    eprintln!(" Ready      {url}/readyz");
    eprintln!(" CLI        tessera key list     (context dev)");
    if has_relay {
        tell_relay(&running.house).await?;
    }
    first_link(&running.house, &args.data).await?;
    told_to_stop.await;
    running.stop().await;
    context::remove("dev");
    Ok(())
}

/// What the relay of a development house says of itself, with a link for a first member.
async fn tell_relay(house: &House) -> Result<(), Failure> {
    let made = house.relay.member_link(&house.edge.tick()).await;
    let (link, _) = made.map_err(|fault| fault_of("the member link cannot be made", &fault))?;
    eprintln!(
        " Relay      DEV network · trust domains: 1 · rounds {} ms · tokens off: anybody who reaches this port may send",
        house.relay.config().round_ms
    );
    eprintln!(" Member     {}", link.encode().unwrap_or_default());
    eprintln!("            works once, 7 days: tessera wallet join LINK");
    eprintln!(
        " Push       sign-ins are pushed over this relay · operator can correlate by time: one operator runs both"
    );
    Ok(())
}

/// Opens a development house for the port of `listener`; data in `data`. Its relay opens with [`House::open_relay`].
pub async fn open_development(
    listener: &TcpListener,
    data: &Path,
    relay_round_ms: u64,
) -> Result<House, Failure> {
    if data.join(PRODUCTION_MARK).exists() {
        return Err(Failure::usage(
            format!("{} was used by production", data.display()),
            "development makes keys and clients of its own: name another folder with --data",
        ));
    }
    let port = listener
        .local_addr()
        .map_err(|fault| Failure::start("the listener has no address", fault, "choose another port"))?
        .port();
    let public_url = Url::parse(&format!("http://localhost:{port}"))
        .map_err(|fault| fault_of("the public URL cannot be formed", &fault))?;
    fs::DirBuilder::new().recursive(true).mode(0o700).create(data).map_err(|fault| {
        Failure::start(
            format!("{} cannot be made", data.display()),
            fault,
            "name a folder of yours with --data",
        )
    })?;
    let root = root::of_development(data)?;
    let plan = Plan {
        public_url,
        data: data.to_owned(),
        root,
        dev: true,
        config: Config::default(),
        relay_round_ms: Some(relay_round_ms),
        outbound_roots: vec![],
    };
    House::open(plan).await
}

/// Opens its doors on `listener`.
pub async fn start_development(
    house: House,
    listener: TcpListener,
    any_port: bool,
) -> Result<Running, Failure> {
    // The metrics listener takes any free port where the doors do, so that two never meet.
    let metrics_port = if any_port { 0 } else { 9464 };
    let metrics = TcpListener::bind((Ipv4Addr::LOCALHOST, metrics_port)).await.ok();
    Running::start(house, Listeners { doors: listener, metrics, tls: None })
}

/// Listens on 127.0.0.1: the port itself, or (`search`) the next free one.
pub async fn listen_on_loopback(port: u16, search: bool) -> Result<TcpListener, Failure> {
    let last = if search && port == DEV_PORT { DEV_PORT_LAST } else { port };
    let mut fault = None;
    for port in port..=last {
        match TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await {
            Ok(listener) => return Ok(listener),
            Err(error) => fault = Some(error),
        }
    }
    let mut free = None;
    for port in last.saturating_add(1)..=last.saturating_add(20) {
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await.is_ok() {
            free = Some(port);
            break;
        }
    }
    let cause = fault.map_or_else(String::new, |fault| fault.to_string());
    let fix = free.map_or_else(|| "use --port 0".to_owned(), |port| format!("--port {port} is free"));
    Err(Failure::start(format!("port {port} of 127.0.0.1 is taken"), cause, fix))
}

async fn production(path: &Path) -> Result<(), Failure> {
    let told_to_stop = told_to_stop();
    let config = Config::load(path)?;
    let beside = path.parent().unwrap_or(Path::new("."));
    let public_url = Url::parse(&config.server.public_url)
        .ok()
        .filter(|url| url.scheme() == "https")
        .ok_or_else(|| {
            Failure::usage(
                "server.public_url is not an https origin",
                "give https://HOST or https://HOST:PORT",
            )
        })?;
    let files = Files::open(beside.join(&config.tls.cert_file), beside.join(&config.tls.key_file))?;
    let tls = files.certificate().acceptor().map_err(|fault| {
        Failure::start("TLS cannot be served", fault, "check tls.cert_file and tls.key_file")
    })?;
    let data = beside.join(&config.store.dir);
    let doors = listen(&config.server.bind, "server.bind").await?;
    let metrics = match config.metrics.bind.as_str() {
        "" => None,
        bind => Some(listen_metrics(bind).await?),
    };
    let root = root::read(&config.custody.root, beside)?;
    let outbound_roots = files.certificate().chain();
    let plan = Plan {
        public_url,
        data: data.clone(),
        root,
        dev: false,
        config,
        relay_round_ms: None,
        outbound_roots,
    };
    let house = House::open(plan).await?;
    let _ = fs::write(data.join(PRODUCTION_MARK), b"");
    house.tenant("default", "Default").await?;
    let mut running = Running::start(house, Listeners { doors, metrics, tls: Some(tls) })?;
    running.watch(files);
    tracing::info!(address = %running.address, url = running.house.edge.config().base(), "serving");
    first_link(&running.house, &data).await?;
    told_to_stop.await;
    running.stop().await;
    Ok(())
}

async fn listen(bind: &str, key: &str) -> Result<TcpListener, Failure> {
    TcpListener::bind(bind).await.map_err(|fault| {
        Failure::start(
            format!("{bind} ({key}) cannot be listened on"),
            fault,
            "choose a free port, or stop what uses it",
        )
    })
}

async fn listen_metrics(bind: &str) -> Result<TcpListener, Failure> {
    let address: SocketAddr = bind
        .parse()
        .map_err(|_| Failure::usage(format!("metrics.bind = {bind} is no address"), "use 127.0.0.1:9464"))?;
    if !address.ip().is_loopback() {
        return Err(Failure::usage(
            "metrics.bind is not on loopback",
            "metrics name tenants: use 127.0.0.1 and a proxy of yours",
        ));
    }
    listen(bind, "metrics.bind").await
}

/// While no owner of the instance can get in: writes a one-time link to stderr and `<data>/first-link`.
async fn first_link(house: &House, data: &Path) -> Result<(), Failure> {
    let link = match house.tenancy.first_link(&house.edge.tick()).await {
        Ok(Some(link)) => link,
        Ok(None) => return Ok(()),
        // A quarantined log or a full disk stops changes; reads, health and the doors of the logs go on, so the process does too.
        Err(fault) => {
            tracing::warn!(%fault, "the first link cannot be made; see /readyz");
            return Ok(());
        }
    };
    let text = format!("{}/once/{}", house.edge.config().console_base(), link.token.expose());
    context::write_private(&data.join("first-link"), text.as_bytes())?;
    eprintln!(" First link {text}");
    eprintln!("            works once, 15 minutes: open it in a browser, or tessera login --link URL");
    Ok(())
}

/// The service account that the CLI's context `dev` uses: made once, kept in the data folder.
async fn dev_client(house: &House, tenant: &TenantId, data: &Path) -> Result<(String, String), Failure> {
    let path = data.join("dev-client");
    if let Ok(text) = fs::read_to_string(&path)
        && let Some((id, secret)) = text.trim().split_once(' ')
    {
        return Ok((id.to_owned(), secret.to_owned()));
    }
    let (id, secret) = owner_account(house, tenant, "development").await?;
    context::write_private(&path, format!("{id} {secret}").as_bytes())?;
    Ok((id, secret))
}

/// A service account with role owner in `tenant`; id and secret.
pub async fn owner_account(
    house: &House,
    tenant: &TenantId,
    name: &str,
) -> Result<(String, String), Failure> {
    let ctx = house.inside(tenant);
    let new = NewAccount {
        name: name.to_owned(),
        roles: Roles::of(&[Role::Owner]),
        ttl_s: Some(DEV_CLIENT_TTL_S),
        jwk: None,
    };
    let made = house
        .tenancy
        .create_account(&ctx, Roles::of(&[Role::Owner]), new, None)
        .await
        .map_err(|fault| fault_of("the service account cannot be made", &fault))?;
    let secret = made.secret.map(|secret| secret.expose().clone()).unwrap_or_default();
    Ok((made.account.id, secret))
}
