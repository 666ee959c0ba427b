//! `tessera relay serve` (also `run`): one relay of a development network, in the words of its manual.

use super::house::{Plan, RelayHouse};
use super::privacy::{Privacy, Stated, usage};
use crate::failure::Failure;
use crate::house::fault_of;
use crate::running::told_to_stop;
use crate::serve::listen_on_loopback;
use mailbox::budget::Adjacency;
use mailbox::budget::plan::{Cascade, Topology};
use mailbox::cover::Mechanism;
use mailbox::network;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use tokio::net::TcpListener;

/// Where a relay listens unless told otherwise.
pub const LISTEN: &str = "127.0.0.1:8100";
/// The store of a relay unless told otherwise.
const STORAGE: &str = "sqlite:tessera-relay/relay.db";
/// T of the privacy flags where none is given.
const EVENTS: u64 = 1_000;

/// Flags of the verb: those that run.
#[derive(clap::Args, Clone)]
pub struct Args {
    /// Where to listen; loopback only, until tokens and TLS run
    #[arg(long, default_value = LISTEN)]
    listen: SocketAddr,
    /// The port, with the host of --listen; 0 takes any free one
    #[arg(long)]
    port: Option<u16>,
    /// sqlite:PATH, or sqlite:///ABSOLUTE
    #[arg(long, default_value = STORAGE)]
    storage: String,
    /// With one relay both are one hop
    #[arg(long, value_enum, default_value_t = super::privacy::Shape::Ring)]
    topology: super::privacy::Shape,
    /// Hops of a cascade: 1, with one relay
    #[arg(long, default_value_t = 1)]
    hops: u8,
    /// Buckets: one, with one relay
    #[arg(long, default_value = "auto")]
    buckets: String,
    /// Length of a round: 10s to 300s, from 250ms with --dev
    #[arg(long, default_value = "60s")]
    round: String,
    /// Length of a fast round; 0 for none
    #[arg(long, default_value = "1s")]
    fast_round: String,
    /// Clients that sizes are made for: auto, or a number
    #[arg(long, default_value = "auto")]
    clients_max: String,
    #[command(flatten)]
    privacy: Privacy,
    /// Rounds from 250ms
    #[arg(long)]
    dev: bool,
}

/// Serves until told to stop.
pub async fn run(args: &Args) -> Result<(), Failure> {
    let told_to_stop = told_to_stop();
    let stated = args.privacy.stated(EVENTS)?;
    one_hop(args)?;
    let listener = listen(args).await?;
    let address = listener
        .local_addr()
        .map_err(|fault| Failure::start("the listener has no address", fault, "choose another port"))?;
    let public_url = public_url(&address);
    let database = database(&args.storage)?;
    let config = config(args, &stated, &public_url)?;
    let house = RelayHouse::open(Plan { public_url, database, config }).await?;
    let (link, _) = house
        .relay
        .member_link(&house.ctx())
        .await
        .map_err(|fault| fault_of("the member link cannot be made", &fault))?;
    let running = house.start(listener);
    if let Some(warning) = stated.warning(&alone()?) {
        eprint!("{warning}");
    }
    tell(&running.house, &address, &link.encode().unwrap_or_default());
    told_to_stop.await;
    running.stop().await;
    Ok(())
}

/// What a relay says of itself at start.
fn tell(house: &RelayHouse, address: &SocketAddr, link: &str) {
    let relay = &house.relay;
    let Some(known) = relay.network() else { return };
    let config = relay.config();
    let clients = u64::from(config.clients_max.unwrap_or(64));
    eprintln!(
        "tessera relay {} · DEV network · tokens off · plain http on {address}",
        env!("CARGO_PKG_VERSION")
    );
    eprintln!(" Network    {}", known.network());
    eprintln!(" Guarantee  {}", known.manifest().guarantee);
    eprintln!(" Domains    trust domains: {}", known.manifest().trust_domains());
    eprintln!(" Rounds     {} ms{}", config.round_ms, fast(config.fast_round_ms));
    if let Some(cover) = &config.cover {
        eprintln!(
            " Cover      {} cells a round on average, drawn afresh ({})",
            cover.shift(),
            law(cover.mechanism())
        );
    }
    eprintln!(
        " Bytes      {} a client and day, with {clients} online all day",
        megabytes(config.bytes_a_day(clients))
    );
    eprintln!(" Member     {link}");
    eprintln!("            works once, 7 days: tessera wallet join LINK");
    eprintln!(
        " Warning    without tokens anybody who reaches this port may send; it listens on loopback alone"
    );
}

fn law(mechanism: Mechanism) -> String {
    match mechanism {
        Mechanism::Gaussian { sigma2 } => format!("discrete Gaussian, variance {sigma2}"),
        Mechanism::Laplace { epsilon_b } => {
            format!("discrete Laplace, epsilon {}/{}", epsilon_b.num, epsilon_b.den)
        }
    }
}

fn fast(round_ms: u64) -> String {
    if round_ms == 0 { String::new() } else { format!(", fast {round_ms} ms") }
}

fn megabytes(bytes: u64) -> String {
    format!("{}.{} MB", bytes / 1_000_000, bytes / 100_000 % 10)
}

fn alone() -> Result<Cascade, Failure> {
    Cascade::new(1, Topology::Ring, None).map_err(|error| super::privacy::plan_refused(&error))
}

fn one_hop(args: &Args) -> Result<(), Failure> {
    if args.hops != 1 {
        return Err(usage(
            "--hops does not fit one relay",
            "a cascade of one has one hop",
            "leave --hops out",
        ));
    }
    if !matches!(args.buckets.as_str(), "auto" | "1") {
        return Err(usage(
            "--buckets does not fit one relay",
            "a live relay would see which sender writes to which bucket",
            "leave --buckets out, or give more relays",
        ));
    }
    Ok(())
}

async fn listen(args: &Args) -> Result<TcpListener, Failure> {
    let port = args.port.unwrap_or(args.listen.port());
    if !args.listen.ip().is_loopback() {
        return Err(usage(
            "--listen is not on loopback",
            "tokens do not run yet: a relay that others reach would take cells from anybody",
            "listen on 127.0.0.1",
        ));
    }
    let ip = args.listen.ip();
    if ip == Ipv4Addr::LOCALHOST {
        return listen_on_loopback(port, false).await;
    }
    TcpListener::bind((ip, port)).await.map_err(|fault| {
        Failure::start(
            format!("{ip} port {port} cannot be listened on"),
            fault,
            "use --listen 127.0.0.1:8100",
        )
    })
}

/// `localhost` is both of its usual addresses; any other one goes by its number.
fn public_url(address: &SocketAddr) -> String {
    let ip = address.ip();
    if ip == Ipv4Addr::LOCALHOST || ip == Ipv6Addr::LOCALHOST {
        return format!("http://localhost:{}", address.port());
    }
    format!("http://{address}")
}

/// The file of `sqlite:PATH` or `sqlite:///ABSOLUTE`.
pub(super) fn database(storage: &str) -> Result<PathBuf, Failure> {
    let path = storage.strip_prefix("sqlite:").map(|rest| match rest.strip_prefix("//") {
        Some(absolute) if absolute.starts_with('/') => absolute,
        _ => rest,
    });
    match path {
        Some(path) if !path.is_empty() && !path.starts_with("//") && !path.ends_with('/') => {
            let path = Path::new(path);
            let bare = path.parent().is_none_or(|folder| folder.as_os_str().is_empty());
            Ok(if bare { Path::new(".").join(path) } else { path.to_owned() })
        }
        _ => Err(usage(
            "--storage is not served",
            format!("“{storage}” is not sqlite:PATH or sqlite:///ABSOLUTE"),
            "give sqlite:tessera-relay/relay.db",
        )),
    }
}

fn config(args: &Args, stated: &Stated, public_url: &str) -> Result<relay::Config, Failure> {
    let round_ms = duration_ms("--round", &args.round)?;
    let shortest = if args.dev { network::ROUND_MS_DEV_MIN } else { network::ROUND_MS_MIN };
    if !(shortest..=network::ROUND_MS_MAX).contains(&round_ms) {
        let cause = format!("{round_ms} ms is not within {shortest} and {} ms", network::ROUND_MS_MAX);
        return Err(usage("--round is out of bounds", cause, "give 60s, or --dev for rounds from 250ms"));
    }
    let clients_max = match args.clients_max.as_str() {
        "auto" => None,
        text => Some(text.parse().map_err(|_| {
            usage("--clients-max is no number", format!("“{text}” is neither auto nor a number"), "give auto")
        })?),
    };
    let topology = match args.topology {
        super::privacy::Shape::Ring => network::Topology::Ring,
        super::privacy::Shape::Mesh => network::Topology::Mesh,
    };
    // One relay adds one count: whether one client was online in a round.
    let cover = stated.budget.cover(stated.spending, Adjacency::OneCount);
    let cover = cover
        .map_err(|error| usage("the covers cannot be drawn", error.to_string(), "give a larger epsilon"))?;
    let config = relay::Config {
        topology,
        round_ms,
        fast_round_ms: duration_ms("--fast-round", &args.fast_round)?,
        clients_max,
        cover: stated.given.then_some(cover),
        ..relay::Config::new(public_url)
    };
    config
        .check()
        .map_err(|fault| usage("a setting is out of its bound", fault.to_string(), "mend the flag"))?;
    Ok(config)
}

/// `250ms`, `60s`, `60`.
fn duration_ms(flag: &str, text: &str) -> Result<u64, Failure> {
    let (number, unit) = match text.strip_suffix("ms") {
        Some(number) => (number, 1),
        None => (text.strip_suffix('s').unwrap_or(text), 1_000),
    };
    let parsed = number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
    parsed.ok_or_else(|| {
        usage(format!("{flag} is no length of time"), format!("“{text}”"), "give 60s or 250ms")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relay_is_known_by_the_address_that_it_listens_on() {
        let url = |address: &str| public_url(&address.parse().unwrap());
        assert_eq!([url("127.0.0.1:8100"), url("[::1]:8100")], ["http://localhost:8100"; 2]);
        assert_eq!(url("127.0.0.2:8100"), "http://127.0.0.2:8100");
    }

    #[test]
    fn storage_is_read_as_the_manual_writes_it() {
        let path = |text| database(text).ok().map(|path| path.display().to_string());
        assert_eq!(path("sqlite:///var/lib/tessera/relay.db").as_deref(), Some("/var/lib/tessera/relay.db"));
        assert_eq!(path("sqlite:data/relay.db").as_deref(), Some("data/relay.db"));
        assert_eq!(path("sqlite:relay.db").as_deref(), Some("./relay.db"));
        for bad in ["postgres://host/db", "sqlite:", "relay.db", "sqlite://host/relay.db", "sqlite:data/"] {
            assert_eq!(path(bad), None, "{bad}");
        }
    }
}
