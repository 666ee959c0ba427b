//! `tessera doctor`: a line a check, each with what mends it; exit 1 if one is red.

use crate::client::Client;
use crate::config::Config;
use crate::failure::{Exit, Failure};
use crate::output::{Format, printable};
use crate::root;
use crypto::x509::{Certificate, pem};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

/// Days before the end of a certificate at which a warning begins.
const EXPIRY_WARN_DAYS: i64 = 30;
/// Bytes that should be free where the database lies: a day of a busy log.
const SPACE_MIN_BYTES: u64 = 1 << 30;

/// Flags of `doctor`.
#[derive(clap::Args)]
pub struct Args {
    /// Check this configuration and what it names
    #[arg(long, value_name = "FILE", required_unless_present = "url")]
    config: Option<PathBuf>,
    /// Ask a running server
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// A CA or self-signed certificate (PEM) to trust for --url
    #[arg(long, value_name = "FILE", requires = "url")]
    ca: Option<PathBuf>,
}

/// How a check ended.
#[derive(Serialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Ok,
    Warn,
    Red,
}

/// One line.
#[derive(Serialize)]
struct Line {
    id: String,
    verdict: Verdict,
    value: String,
    fix: String,
}

/// Runs every check that the flags allow.
pub fn run(args: &Args, format: Format) -> Result<ExitCode, Failure> {
    let mut lines = Vec::new();
    if let Some(path) = &args.config {
        of_config(path, crate::now(), &mut lines);
    }
    if let Some(url) = &args.url {
        of_server(url, args.ca.as_deref(), &mut lines)?;
    }
    match format {
        Format::Json => println!("{:#}", json!({ "checks": lines })),
        Format::Table => lines.iter().for_each(print),
    }
    let red = lines.iter().any(|line| line.verdict == Verdict::Red);
    Ok(if red { ExitCode::from(Exit::CheckFailed as u8) } else { ExitCode::SUCCESS })
}

fn print(line: &Line) {
    let mark = match line.verdict {
        Verdict::Ok => "ok  ",
        Verdict::Warn => "warn",
        Verdict::Red => "RED ",
    };
    println!("{mark}  {:<24} {}", line.id, printable(&line.value));
    if line.verdict != Verdict::Ok && !line.fix.is_empty() {
        println!("      {:<24} fix: {}", "", printable(&line.fix));
    }
}

fn line(id: &str, verdict: Verdict, value: impl Into<String>, fix: &str) -> Line {
    Line { id: id.to_owned(), verdict, value: value.into(), fix: fix.to_owned() }
}

fn of_config(path: &Path, now: Timestamp, lines: &mut Vec<Line>) {
    let config = match Config::load(path) {
        Ok(config) => config,
        Err(failure) => {
            return lines.push(line(
                "config.parses",
                Verdict::Red,
                format!("{}: {}", failure.what, failure.cause),
                &failure.fix,
            ));
        }
    };
    lines.push(line("config.parses", Verdict::Ok, path.display().to_string(), ""));
    let beside = path.parent().unwrap_or(Path::new("."));
    lines.push(url_matches_bind(&config));
    lines.extend(certificate(&config, beside, now));
    lines.push(match root::read(&config.custody.root, beside) {
        Ok(_) => line("keys.root", Verdict::Ok, config.custody.root.clone(), ""),
        Err(failure) => line("keys.root", Verdict::Red, failure.what, &failure.fix),
    });
    lines.push(line(
        "keys.level",
        Verdict::Warn,
        "software keys",
        "whoever has the root and the database has the keys; see docs/threat-model.md",
    ));
    lines.extend(store(&beside.join(&config.store.dir)));
    lines.push(line(
        "api.dpop",
        Verdict::Warn,
        "API tokens are bearer tokens",
        "keep them short-lived and on TLS; DPoP follows in a later version",
    ));
    lines.push(line(
        "custody.step_up",
        Verdict::Warn,
        "off",
        "destroying keys is refused; step-up follows in a later version",
    ));
    lines.push(line(
        "custody.four_eyes",
        Verdict::Warn,
        "off",
        "destroying keys is refused; a second owner follows in a later version",
    ));
}

fn url_matches_bind(config: &Config) -> Line {
    let port_of = |text: &str| text.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok());
    let url = url::Url::parse(&config.server.public_url).ok();
    let (Some(url), Some(bound)) = (url, port_of(&config.server.bind)) else {
        return line(
            "url.matches-bind",
            Verdict::Red,
            "server.public_url or server.bind cannot be read",
            "give https://HOST and ADDRESS:PORT",
        );
    };
    let public = url.port_or_known_default().unwrap_or(443);
    let value = format!("{} is served on {}", config.server.public_url, config.server.bind);
    if url.scheme() != "https" {
        return line("url.matches-bind", Verdict::Red, value, "server.public_url must be https");
    }
    if public == bound {
        return line("url.matches-bind", Verdict::Ok, value, "");
    }
    line(
        "url.matches-bind",
        Verdict::Warn,
        value,
        "the ports differ: right only with a forwarder of yours between them",
    )
}

fn certificate(config: &Config, beside: &Path, now: Timestamp) -> Vec<Line> {
    let path = beside.join(&config.tls.cert_file);
    let parsed = fs::read_to_string(&path)
        .ok()
        .and_then(|text| pem::decode_certificates(&text).ok())
        .and_then(|chain| Certificate::parse(chain.first()?).ok());
    let Some(leaf) = parsed else {
        return vec![line(
            "tls.certificate",
            Verdict::Red,
            format!("{} cannot be read", path.display()),
            "give a PEM chain in tls.cert_file",
        )];
    };
    let days = leaf.not_after().duration_since(now).as_hours() / 24;
    let value = format!("ends {} ({days} days)", leaf.not_after());
    let mut lines = vec![if days < 0 {
        line("tls.certificate", Verdict::Red, value, "renew it")
    } else if days < EXPIRY_WARN_DAYS {
        line("tls.certificate", Verdict::Warn, value, "renew it")
    } else {
        line("tls.certificate", Verdict::Ok, value, "")
    }];
    if leaf.subject() == leaf.issuer() {
        lines.push(line(
            "tls.self-signed",
            Verdict::Warn,
            "the certificate is self-signed",
            "browsers and wallets refuse it: get one from a public authority",
        ));
    }
    lines
}

fn store(dir: &Path) -> Vec<Line> {
    let Ok(metadata) = fs::metadata(dir) else {
        return vec![line(
            "store.writable",
            Verdict::Warn,
            format!("{} is not there yet", dir.display()),
            "the first start makes it",
        )];
    };
    let mut lines = Vec::new();
    let private = metadata.mode() & 0o077 == 0;
    let mode = format!("{} (mode {:o})", dir.display(), metadata.mode() & 0o777);
    lines.push(if private {
        line("store.private", Verdict::Ok, mode, "")
    } else {
        line("store.private", Verdict::Red, mode, "chmod 700, owned by the server's user")
    });
    let probe = dir.join(".doctor");
    let written = fs::write(&probe, b"x").and_then(|()| fs::remove_file(&probe));
    lines.push(match written {
        Ok(()) => line("store.writable", Verdict::Ok, dir.display().to_string(), ""),
        Err(fault) => line(
            "store.writable",
            Verdict::Red,
            fault.to_string(),
            "run as the server's user; check owner and free space",
        ),
    });
    if let Ok(space) = rustix::fs::statvfs(dir) {
        let free = space.f_bavail.saturating_mul(space.f_frsize);
        let value = format!("{} MiB free", free >> 20);
        lines.push(if free < SPACE_MIN_BYTES {
            line("store.space", Verdict::Warn, value, "free at least 1 GiB")
        } else {
            line("store.space", Verdict::Ok, value, "")
        });
    }
    lines
}

/// What `/readyz` of a running server says.
fn of_server(url: &str, ca: Option<&Path>, lines: &mut Vec<Line>) -> Result<(), Failure> {
    let ca_pem = ca
        .map(fs::read)
        .transpose()
        .map_err(|fault| Failure::usage(format!("--ca: {fault}"), "name a PEM file"))?;
    let client = Client::anonymous(url, ca_pem.as_deref(), Duration::from_secs(10))?;
    let body = match client.get("/readyz") {
        Ok(body) => body,
        Err(failure) => *failure.problem.clone().ok_or(failure)?,
    };
    for check in body.get("checks").and_then(Value::as_array).into_iter().flatten() {
        let text = |name: &str| check.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let verdict = match text("status").as_str() {
            "ok" => Verdict::Ok,
            "degraded" => Verdict::Warn,
            _ => Verdict::Red,
        };
        lines.push(line(
            &format!("server.{}", text("name")),
            verdict,
            text("detail"),
            "see the server's log lines",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_configuration_from_init_is_warned_about_and_not_red_but_for_its_folder() {
        let folder = tempfile::tempdir().unwrap();
        let args = crate::init::Args {
            public_url: "https://trust.example.org".into(),
            dir: folder.path().into(),
            cert: None,
            key: None,
        };
        crate::init::run(&args, crate::now()).map_err(|f| f.what).unwrap();
        let mut lines = Vec::new();
        of_config(&folder.path().join("tessera.toml"), crate::now(), &mut lines);
        assert!(lines.iter().all(|line| line.verdict != Verdict::Red));
        assert!(lines.iter().any(|line| line.id == "tls.self-signed" && line.verdict == Verdict::Warn));
    }

    #[test]
    fn a_missing_certificate_is_red() {
        let folder = tempfile::tempdir().unwrap();
        let lines = certificate(&Config::default(), folder.path(), Timestamp::UNIX_EPOCH);
        assert!(lines[0].verdict == Verdict::Red);
    }
}
