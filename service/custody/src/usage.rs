//! What a key is for: its uses, which share one container.
//!
//! ```text
//! texts of a request ── Uses::parse ──▶ Uses { one container } ── fits(alg) ──▶ stands in the key's row and in its envelope
//! a thing to sign ──── Uses::covers ──▶ yes, or the door answers `keys/use-refused`
//! ```
//!
//! Invariant: no signature of a key passes for another kind of thing, because a key signs one container only.

use std::fmt;

use crypto::cbor;
use crypto::hash;
use crypto::key::{KeyAlg, SignAlg};
use thiserror::Error;

/// Uses of one key: a key that serves more kinds of one container than this is a key that should be several.
pub const USES_MAX: usize = 16;

/// Characters of one use: a media type has at most 127 (RFC 6838, 4.2), an origin of a log 255.
pub const USE_CHARS_MAX: usize = 300;

/// JWS types that a room signs, after checks of its own. No key of the API signs them, also not one with `jws:*`: its public part
/// stands in the tenant's JWKS beside theirs, so whoever reads that would believe it.
pub const ROOM_TYPS: [&str; 19] = [
    "dc+sd-jwt",
    "vc+sd-jwt",
    "vc+jwt",
    "vp+jwt",
    "kb+jwt",
    "statuslist+jwt",
    "at+jwt",
    "oauth-authz-req+jwt",
    "openidvci-issuer-metadata+jwt",
    "openid4vci-proof+jwt",
    "key-attestation+jwt",
    "oauth-client-attestation+jwt",
    "oauth-client-attestation-pop+jwt",
    "dpop+jwt",
    "logout+jwt",
    "entity-statement+jwt",
    "seal-reply+jwt",
    "seal-consent+jwt",
    "seal-keys+jwt",
];

/// The same for COSE: profiles and content types that rooms sign.
pub const ROOM_CONTENTS: [&str; 2] = ["mso_mdoc", "application/statuslist+cwt"];

/// The envelope that a signature stands in, or agreement instead of signing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Container {
    /// A JWS, by any algorithm of the key but RS256.
    Jws,
    /// A JWS by RS256 alone, for peers that know nothing newer.
    JwsRs256,
    /// A COSE_Sign1.
    Cose,
    /// A certificate, or the request for one.
    X509,
    /// A signed note of a log.
    Note,
    /// Key agreement.
    Ecdh,
    /// A document seal.
    Vds,
    /// A statement of a relay: manifest, epoch, round.
    Relay,
}

/// One use, `container:profile`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Use(String);

/// The uses of a key: at least one, sorted, no two equal, of one container (`x509:csr` joins any).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Uses(Vec<Use>);

/// Why texts are not the uses of a key. `index` is the place in the list.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum UsesError {
    /// None at all.
    #[error("a key needs at least one use")]
    Empty,
    /// More than [`USES_MAX`].
    #[error("a key has at most {USES_MAX} uses")]
    TooMany,
    /// Not of the form `container:profile`, or of a container that is not served.
    #[error("not a use; uses are jws:TYP, jws:*, jws-rs256:TYP, cose:CONTENT-TYPE, x509:ca, x509:csr")]
    Unknown {
        /// Place in the list.
        index: usize,
    },
    /// The same twice.
    #[error("this use stands in the list twice")]
    Twice {
        /// Place in the list.
        index: usize,
    },
    /// A second container.
    #[error("all uses of a key share one container; x509:csr may join any")]
    SecondContainer {
        /// Place in the list.
        index: usize,
    },
    /// A use that rooms keep for themselves.
    #[error("this use belongs to a part of Tessera, which makes its keys itself")]
    ForRooms {
        /// Place in the list.
        index: usize,
    },
    /// The algorithm cannot serve the use.
    #[error("a {alg} key cannot serve this use")]
    Alg {
        /// Place in the list.
        index: usize,
        /// The algorithm.
        alg: KeyAlg,
    },
}

impl UsesError {
    /// The place in the list that is at fault, if it is one.
    pub const fn index(&self) -> Option<usize> {
        match self {
            Self::Empty | Self::TooMany => None,
            Self::Unknown { index }
            | Self::Twice { index }
            | Self::SecondContainer { index }
            | Self::ForRooms { index }
            | Self::Alg { index, .. } => Some(*index),
        }
    }
}

impl Container {
    /// The word before the colon.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Jws => "jws",
            Self::JwsRs256 => "jws-rs256",
            Self::Cose => "cose",
            Self::X509 => "x509",
            Self::Note => "note",
            Self::Ecdh => "ecdh",
            Self::Vds => "vds",
            Self::Relay => "relay",
        }
    }

    /// The number in public events: it never changes its meaning.
    pub const fn number(self) -> u64 {
        match self {
            Self::Jws => 1,
            Self::JwsRs256 => 2,
            Self::Cose => 3,
            Self::X509 => 4,
            Self::Note => 5,
            Self::Ecdh => 6,
            Self::Vds => 7,
            Self::Relay => 8,
        }
    }

    /// Whether a key of `alg` may sign so in this container.
    pub const fn allows(self, alg: SignAlg) -> bool {
        match self {
            Self::Jws | Self::Cose => !matches!(alg, SignAlg::Rs256 | SignAlg::MlDsa44),
            Self::JwsRs256 => matches!(alg, SignAlg::Rs256),
            Self::X509 => matches!(alg, SignAlg::Es256 | SignAlg::Es384 | SignAlg::Rs256 | SignAlg::Ps256),
            Self::Note => matches!(alg, SignAlg::EdDsa | SignAlg::MlDsa44),
            Self::Ecdh => false,
            Self::Vds => matches!(alg, SignAlg::Es256),
            Self::Relay => matches!(alg, SignAlg::EdDsa),
        }
    }

    /// The algorithm a key signs with in this container unless another one is asked for; `None` where it signs nothing.
    pub fn default_alg(self, key: KeyAlg) -> Option<SignAlg> {
        let alg = if self == Self::JwsRs256 { SignAlg::Rs256 } else { key.default_sign_alg() };
        (self.allows(alg) && alg.fits(key)).then_some(alg)
    }
}

impl Use {
    /// Reads one use, whoever may have it.
    pub fn parse(text: &str) -> Option<Use> {
        if text.len() > USE_CHARS_MAX {
            return None;
        }
        let (container, profile) = text.split_once(':')?;
        let known = match container {
            "jws" | "jws-rs256" | "cose" => profile == "*" || is_media_type(profile),
            "x509" => matches!(profile, "ca" | "csr"),
            "note" => is_origin(profile),
            "relay" => profile == "statement",
            "ecdh" => matches!(profile, "jwe" | "seal"),
            "vds" => profile == "seal",
            _ => false,
        };
        known.then(|| Use(text.to_owned()))
    }

    /// The use of a log key, `note:<origin>`; `None` if `origin` cannot name a log.
    pub fn note(origin: &str) -> Option<Use> {
        Use::parse(&format!("note:{origin}"))
    }

    /// What it is a use of.
    pub fn container(&self) -> Container {
        match self.split().0 {
            "jws" => Container::Jws,
            "jws-rs256" => Container::JwsRs256,
            "cose" => Container::Cose,
            "x509" => Container::X509,
            "note" => Container::Note,
            "vds" => Container::Vds,
            "relay" => Container::Relay,
            _ => Container::Ecdh,
        }
    }

    /// What stands behind the colon.
    pub fn profile(&self) -> &str {
        self.split().1
    }

    /// The whole text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn split(&self) -> (&str, &str) {
        self.0.split_once(':').unwrap_or((&self.0, ""))
    }

    /// Whether a key of `alg` can serve it.
    fn fits(&self, alg: KeyAlg) -> bool {
        let is_nist_or_rsa = matches!(alg, KeyAlg::P256 | KeyAlg::P384) || alg.is_rsa();
        match (self.container(), self.profile()) {
            (Container::Jws, "dc+sd-jwt" | "statuslist+jwt") | (Container::X509, _) => is_nist_or_rsa,
            (Container::Jws, "at+jwt") => alg == KeyAlg::P256,
            (Container::Cose, "mso_mdoc") => matches!(alg, KeyAlg::P256 | KeyAlg::P384),
            (Container::Jws | Container::Cose, _) => alg != KeyAlg::MlDsa44,
            (Container::JwsRs256, _) => alg.is_rsa(),
            (Container::Note, _) => matches!(alg, KeyAlg::Ed25519 | KeyAlg::MlDsa44),
            (Container::Ecdh | Container::Vds, _) => alg == KeyAlg::P256,
            (Container::Relay, _) => alg == KeyAlg::Ed25519,
        }
    }

    /// Whether a key with this use may be made over HTTP.
    fn is_for_api(&self) -> bool {
        match self.container() {
            Container::Jws | Container::JwsRs256 => !is_room_typ(self.profile()),
            Container::Cose => !is_room_content(self.profile()),
            Container::X509 => true,
            Container::Note | Container::Ecdh | Container::Vds | Container::Relay => false,
        }
    }
}

impl fmt::Display for Use {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Uses {
    /// The uses of a key that a room makes.
    ///
    /// # Errors
    /// [`UsesError`], with the place in the list.
    pub fn parse<T: AsRef<str>>(texts: &[T], alg: KeyAlg) -> Result<Uses, UsesError> {
        if texts.is_empty() {
            return Err(UsesError::Empty);
        }
        if texts.len() > USES_MAX {
            return Err(UsesError::TooMany);
        }
        let mut uses: Vec<Use> = Vec::with_capacity(texts.len());
        let mut container = None;
        for (index, text) in texts.iter().enumerate() {
            let one = Use::parse(text.as_ref()).ok_or(UsesError::Unknown { index })?;
            if uses.contains(&one) {
                return Err(UsesError::Twice { index });
            }
            if !one.fits(alg) {
                return Err(UsesError::Alg { index, alg });
            }
            if one.as_str() != CSR && *container.get_or_insert(one.container()) != one.container() {
                return Err(UsesError::SecondContainer { index });
            }
            uses.push(one);
        }
        uses.sort();
        Ok(Uses(uses))
    }

    /// The uses of a key that the API makes.
    ///
    /// # Errors
    /// [`UsesError`], with the place in the list.
    pub fn parse_for_api<T: AsRef<str>>(texts: &[T], alg: KeyAlg) -> Result<Uses, UsesError> {
        let foreign = |text: &T| Use::parse(text.as_ref()).is_some_and(|one| !one.is_for_api());
        match texts.iter().take(USES_MAX).position(foreign) {
            Some(index) => Err(UsesError::ForRooms { index }),
            None => Uses::parse(texts, alg),
        }
    }

    /// Reads [`Uses::to_text`]: the column of a row.
    pub fn from_text(text: &str) -> Option<Uses> {
        let uses: Option<Vec<Use>> = text.split(' ').map(Use::parse).collect();
        uses.map(Uses)
    }

    /// The uses separated by spaces, which no use has.
    pub fn to_text(&self) -> String {
        self.0.iter().map(Use::as_str).collect::<Vec<_>>().join(" ")
    }

    /// SHA-256 of the uses as dCBOR: it stands in the envelope, so that nobody widens a key by editing its row.
    pub fn hash(&self) -> [u8; 32] {
        let list = self.0.iter().map(|one| cbor::Value::text(one.as_str())).collect();
        hash::sha256(&cbor::encode(&cbor::Value::Array(list)))
    }

    /// The one container of all uses.
    pub fn container(&self) -> Container {
        self.0.iter().find(|one| one.as_str() != CSR).map_or(Container::X509, Use::container)
    }

    /// Whether the key may sign a `profile` of `container`. JWS types are compared without case and without `application/`
    /// (RFC 7515, 4.1.9).
    pub fn covers(&self, container: Container, profile: &str) -> bool {
        self.container() == container
            && self
                .0
                .iter()
                .any(|one| one.profile() == "*" || same_profile(container, one.profile(), profile))
    }

    /// Whether the key may ask for a certificate.
    pub fn asks_for_certificates(&self) -> bool {
        self.0.iter().any(|one| one.as_str() == CSR)
    }

    /// The uses, sorted.
    pub fn iter(&self) -> impl Iterator<Item = &Use> {
        self.0.iter()
    }
}

/// The use that joins any container.
const CSR: &str = "x509:csr";

/// Whether a JWS of this type is signed by a room alone.
pub fn is_room_typ(typ: &str) -> bool {
    ROOM_TYPS.iter().any(|known| same_typ(known, typ))
}

/// Whether a COSE_Sign1 of this content type is signed by a room alone.
pub fn is_room_content(content_type: &str) -> bool {
    ROOM_CONTENTS.contains(&content_type)
}

fn same_profile(container: Container, one: &str, other: &str) -> bool {
    match container {
        Container::Jws | Container::JwsRs256 => same_typ(one, other),
        Container::Cose
        | Container::X509
        | Container::Note
        | Container::Ecdh
        | Container::Vds
        | Container::Relay => one == other,
    }
}

fn same_typ(one: &str, other: &str) -> bool {
    short_typ(one).eq_ignore_ascii_case(short_typ(other))
}

/// `typ` without a leading `application/`, which RFC 7515 recommends to leave out, in whatever case.
fn short_typ(typ: &str) -> &str {
    const PREFIX: &str = "application/";
    let has_prefix = typ.get(..PREFIX.len()).is_some_and(|head| head.eq_ignore_ascii_case(PREFIX));
    if has_prefix { &typ[PREFIX.len()..] } else { typ }
}

/// Characters of a media type (RFC 6838, 4.2), with or without its first half.
pub fn is_media_type(text: &str) -> bool {
    let part = |text: &str| {
        let mark = |byte: u8| b"!#$&-^_.+".contains(&byte);
        !text.is_empty()
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || mark(byte))
            && text.as_bytes()[0].is_ascii_alphanumeric()
    };
    text.len() <= 127
        && match text.split_once('/') {
            Some((kind, rest)) => part(kind) && part(rest),
            None => part(text),
        }
}

/// An origin is a host and a path without scheme; it goes into note lines, so no space and no `+`.
fn is_origin(text: &str) -> bool {
    !text.is_empty() && text.len() <= 255 && text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'+')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn api(texts: &[&str], alg: KeyAlg) -> Result<Uses, UsesError> {
        Uses::parse_for_api(texts, alg)
    }

    #[test]
    fn all_uses_of_a_key_share_one_container() {
        assert!(api(&["jws:*"], KeyAlg::P256).is_ok());
        assert!(api(&["jws:a+jwt", "jws:b+jwt", "x509:csr"], KeyAlg::P256).is_ok());
        assert!(api(&["x509:csr", "cose:application/cbor"], KeyAlg::P384).is_ok());
        for second in ["cose:application/cbor", "x509:ca"] {
            assert_eq!(
                api(&["jws:*", second], KeyAlg::P256),
                Err(UsesError::SecondContainer { index: 1 }),
                "{second}"
            );
        }
        let mixed = api(&["jws:a+jwt", "jws-rs256:b+jwt"], KeyAlg::Rsa2048);
        assert_eq!(mixed, Err(UsesError::SecondContainer { index: 1 }));
    }

    #[test]
    fn a_list_that_names_nothing_or_too_much_is_refused() {
        assert_eq!(api(&[], KeyAlg::P256), Err(UsesError::Empty));
        assert_eq!(api(&["jws:*"; 17], KeyAlg::P256), Err(UsesError::TooMany));
        assert_eq!(api(&["jws:a", "jws:a"], KeyAlg::P256), Err(UsesError::Twice { index: 1 }));
        for text in [
            "",
            "jws",
            "jws:",
            ":",
            "jws:a b",
            "jws:a/b/c",
            "jws:/a",
            "jws:a/",
            "JWS:*",
            "raw:*",
            "x509:",
            "x509:leaf",
            "http-sig:rfc9421",
            "jws:*x",
            "jws:é",
            "cose:a;b",
            "jws:\u{0}",
            "digest:sha256",
        ] {
            assert_eq!(api(&[text], KeyAlg::P256), Err(UsesError::Unknown { index: 0 }), "{text}");
        }
        let long = format!("jws:{}", "a".repeat(300));
        assert_eq!(api(&[&long], KeyAlg::P256), Err(UsesError::Unknown { index: 0 }));
    }

    #[test]
    fn what_a_room_signs_the_api_cannot_have() {
        for text in [
            "jws:dc+sd-jwt",
            "jws:application/dc+sd-jwt",
            "jws:DC+SD-JWT",
            "jws:Application/At+Jwt",
            "jws:oauth-authz-req+jwt",
            "jws:statuslist+jwt",
            "cose:mso_mdoc",
            "note:example.com/log/house",
            "ecdh:jwe",
            "ecdh:seal",
            "vds:seal",
            "relay:statement",
            "jws:seal-reply+jwt",
        ] {
            assert_eq!(api(&[text], KeyAlg::P256), Err(UsesError::ForRooms { index: 0 }), "{text}");
        }
        assert!(Uses::parse(&["jws:dc+sd-jwt"], KeyAlg::P256).is_ok());
    }

    #[test]
    fn an_algorithm_serves_only_what_it_fits() {
        let no = |text: &str, alg| {
            assert!(matches!(Uses::parse(&[text], alg), Err(UsesError::Alg { .. })), "{text} {alg}")
        };
        for alg in [KeyAlg::P256, KeyAlg::P384, KeyAlg::Ed25519, KeyAlg::Secp256k1] {
            no("jws-rs256:a+jwt", alg);
        }
        for text in ["jws:*", "cose:application/cbor", "x509:ca"] {
            no(text, KeyAlg::MlDsa44);
        }
        no("cose:mso_mdoc", KeyAlg::Rsa2048);
        no("x509:csr", KeyAlg::Ed25519);
        no("ecdh:jwe", KeyAlg::Secp256k1);
        no("vds:seal", KeyAlg::P384);
        no("note:example.com/log/house", KeyAlg::P256);
        no("jws:at+jwt", KeyAlg::Rsa3072);
    }

    #[test]
    fn a_key_covers_its_own_profiles_of_its_own_container_only() {
        let one = api(&["jws:example+jwt", "x509:csr"], KeyAlg::P256).unwrap();
        assert!(one.covers(Container::Jws, "example+jwt"));
        assert!(one.covers(Container::Jws, "application/EXAMPLE+jwt"));
        assert!(!one.covers(Container::Jws, "other+jwt"));
        assert!(!one.covers(Container::Cose, "example+jwt"));
        assert!(!one.covers(Container::X509, "csr"), "a CSR is asked for by name");
        assert!(one.asks_for_certificates());
        let all = api(&["jws:*"], KeyAlg::P256).unwrap();
        assert!(all.covers(Container::Jws, "anything"));
        assert!(!all.covers(Container::JwsRs256, "anything"));
        let cose = api(&["cose:application/cbor"], KeyAlg::P256).unwrap();
        assert!(cose.covers(Container::Cose, "application/cbor"));
        assert!(!cose.covers(Container::Cose, "application/CBOR"));
    }

    #[test]
    fn rs256_signs_only_where_it_alone_may() {
        assert_eq!(Container::Jws.default_alg(KeyAlg::Rsa2048), Some(SignAlg::Ps256));
        assert_eq!(Container::JwsRs256.default_alg(KeyAlg::Rsa2048), Some(SignAlg::Rs256));
        assert_eq!(Container::JwsRs256.default_alg(KeyAlg::P256), None);
        assert_eq!(Container::Ecdh.default_alg(KeyAlg::P256), None);
        assert!(!Container::Jws.allows(SignAlg::Rs256));
        assert!(!Container::Cose.allows(SignAlg::Rs256));
    }

    #[test]
    fn uses_read_back_from_their_row_and_their_hash_knows_each() {
        let uses = api(&["jws:b", "jws:a", "x509:csr"], KeyAlg::P256).unwrap();
        assert_eq!(uses.to_text(), "jws:a jws:b x509:csr");
        assert_eq!(Uses::from_text(&uses.to_text()), Some(uses.clone()));
        assert_eq!(api(&["x509:csr", "jws:a", "jws:b"], KeyAlg::P256).unwrap().hash(), uses.hash());
        assert_ne!(api(&["jws:a", "x509:csr"], KeyAlg::P256).unwrap().hash(), uses.hash());
    }
}
