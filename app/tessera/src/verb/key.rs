//! `tessera key …`

use super::{Page, Session, Write, encoded, read_input};
use crate::failure::Failure;
use crate::output::Format;
use clap::{Args, Subcommand, ValueEnum};
use serde_json::{Value, json};

/// Verbs of keys.
#[derive(Subcommand)]
pub enum Verb {
    /// Make a signing key; nobody can read its private part
    Create {
        /// p256, p384, rsa2048, rsa3072, rsa4096, ed25519 or secp256k1
        #[arg(long)]
        alg: String,
        /// What it is for
        #[arg(long)]
        label: String,
        /// What it may sign, as `jws:*` or `cose:application/cbor`; may be repeated
        #[arg(long = "use", required = true)]
        uses: Vec<String>,
        #[command(flatten)]
        write: Write,
    },
    /// All keys
    List {
        /// Only keys in this state
        #[arg(long)]
        state: Option<String>,
        #[command(flatten)]
        page: Page,
    },
    /// One key and its versions
    Show {
        /// Its id
        key: String,
    },
    /// The public part
    Public {
        /// Its id
        key: String,
        /// jwk, jwks, pem, cose or raw
        #[arg(long, default_value = "jwk")]
        format: String,
        /// A version; the active one if absent
        #[arg(long)]
        version: Option<u32>,
    },
    /// Sign a file as JWS or COSE_Sign1
    Sign(SignArgs),
    /// Make a fresh version and use it
    Rotate {
        /// Its id
        key: String,
        /// The old version may have leaked: it leaves the JWKS at once
        #[arg(long)]
        compromised: bool,
        /// Publish the new version now, use it later
        #[arg(long)]
        ahead: bool,
    },
    /// Stop using a version; its public part stays
    Retire(VersionArgs),
    /// Stop using a version for now
    Freeze(VersionArgs),
    /// Use a frozen version again
    Unfreeze(VersionArgs),
    /// Declare a version leaked: it leaves the JWKS at once
    Compromise(VersionArgs),
    /// Who used a key, when, for what
    Accesses {
        /// Its id
        key: String,
        #[command(flatten)]
        page: Page,
    },
}

/// One version of one key.
#[derive(Args)]
pub struct VersionArgs {
    /// The key's id
    key: String,
    /// The version
    #[arg(long)]
    version: u32,
}

/// Flags of `key sign`.
#[derive(Args)]
pub struct SignArgs {
    /// The key's id
    key: String,
    /// The container
    #[arg(long, value_enum, default_value = "jws")]
    format: Container,
    /// The JWS type, as `example+jwt`
    #[arg(long, required_if_eq("format", "jws"))]
    typ: Option<String>,
    /// The COSE content type, as `application/cbor`
    #[arg(long, required_if_eq("format", "cose_sign1"))]
    content_type: Option<String>,
    /// The file to sign, byte for byte; - for standard input
    #[arg(long)]
    payload: String,
    /// Another algorithm that fits the key, as PS384
    #[arg(long)]
    alg: Option<String>,
    /// Leave the payload out of the signed object
    #[arg(long)]
    detached: bool,
}

/// The two containers of the API.
#[derive(Clone, Copy, ValueEnum, PartialEq, Eq)]
pub enum Container {
    /// JSON Web Signature, compact
    Jws,
    /// COSE_Sign1
    #[value(name = "cose_sign1")]
    CoseSign1,
}

/// Runs the verb.
pub fn run(verb: &Verb, session: &Session) -> Result<(), Failure> {
    let one = |key: &str, verb: &str| format!("/keys/{}{verb}", encoded(key));
    match verb {
        Verb::Create { alg, label, uses, write } => {
            session.post("/keys", &json!({ "alg": alg, "label": label, "uses": uses }), write)
        }
        Verb::List { state, page } => {
            let path = state
                .as_ref()
                .map_or_else(|| "/keys".to_owned(), |state| format!("/keys?state={}", encoded(state)));
            session.list(&path, page)
        }
        Verb::Show { key } => session.show(&session.client.get(&one(key, ""))?),
        Verb::Public { key, format, version } => {
            let version = version.map_or_else(String::new, |n| format!("&version={n}"));
            print!(
                "{}",
                session
                    .client
                    .get_text(&format!("{}?format={}{version}", one(key, "/public"), encoded(format)))?
                    .1
            );
            Ok(())
        }
        Verb::Sign(args) => sign(args, session),
        Verb::Rotate { key, compromised, ahead } => {
            let reason = if *compromised { "compromised" } else { "scheduled" };
            let activate = if *ahead { "ahead" } else { "now" };
            session.show(&session.client.post(
                &one(key, "/rotate"),
                &json!({ "reason": reason, "activate": activate }),
                Default::default(),
            )?)
        }
        Verb::Retire(args) => version(args, "retire", session),
        Verb::Freeze(args) => version(args, "freeze", session),
        Verb::Unfreeze(args) => version(args, "unfreeze", session),
        Verb::Compromise(args) => {
            session.confirm("The version leaves the JWKS at once; what it signed stops verifying. Go on?")?;
            version(args, "compromise", session)
        }
        Verb::Accesses { key, page } => session.list(&one(key, "/accesses"), page),
    }
}

fn version(args: &VersionArgs, verb: &str, session: &Session) -> Result<(), Failure> {
    let path = format!("/keys/{}/versions/{}/{verb}", encoded(&args.key), args.version);
    session.show(&session.client.post(&path, &json!({}), Default::default())?)
}

fn sign(args: &SignArgs, session: &Session) -> Result<(), Failure> {
    let payload = crypto::base64::url_encode(&read_input(&args.payload)?);
    let mut body = match args.format {
        Container::Jws => {
            json!({ "format": "jws", "typ": args.typ, "payload_b64": payload, "detached": args.detached })
        }
        Container::CoseSign1 => {
            json!({ "format": "cose_sign1", "content_type": args.content_type, "payload_b64": payload, "detached": args.detached })
        }
    };
    if let Some(alg) = &args.alg {
        body["alg"] = json!(alg);
    }
    let answer =
        session.client.post(&format!("/keys/{}/sign", encoded(&args.key)), &body, Default::default())?;
    let object = answer.get("jws").or_else(|| answer.get("cose_b64")).and_then(Value::as_str);
    match (session.format, object) {
        (Format::Table, Some(object)) => println!("{object}"),
        _ => session.show(&answer)?,
    }
    Ok(())
}
