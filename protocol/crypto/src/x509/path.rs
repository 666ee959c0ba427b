//! The path check: from a leaf to one of the anchors somebody trusts for this purpose.
//!
//! ```text
//!   leaf, intermediates… ── shape ── names and key ids ── anchor ── dates ── CA rules ── usage ── signatures ── leaf name
//! ```
//!
//! Cheap checks come first, signatures last; the first fault found is the answer, with the certificate it is about.
//! Revocation is not checked here: credentials have status lists of their own.
//!
//! Absent: path building (a chain comes in order or fails), policies, name constraints (such certificates are
//! not even read), and any idea of the present time but the caller's.

use jiff::Timestamp;

use super::certificate::Certificate;
use crate::hash;

/// Most certificates of a chain: leaf, three intermediates and one to spare.
pub const CHAIN_MAX: usize = 5;

const ANY_EXTENDED_KEY_USAGE: &str = "2.5.29.37.0";

/// What the caller demands.
#[derive(Debug, Clone, Copy)]
pub struct PathRules<'a> {
    /// The moment of the check.
    pub now: Timestamp,
    /// HAIP: an anchor inside the chain and a self-signed leaf always fail.
    pub haip: bool,
    /// Extended key usage the leaf must state, dotted; none: any.
    pub eku: Option<&'a str>,
    /// A name the leaf must carry.
    pub name: Option<LeafName<'a>>,
    /// Anchors trusted for *other* purposes. They never vouch here; they only turn `no-anchor` into `wrong-context`.
    pub other_contexts: &'a [Certificate],
}

impl PathRules<'_> {
    /// The plain rules at a moment: HAIP on, no usage and no name demanded.
    pub const fn at(now: Timestamp) -> Self {
        Self { now, haip: true, eku: None, name: None, other_contexts: &[] }
    }
}

/// A name in the subject alternative name of the leaf.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeafName<'a> {
    /// A URI, compared byte by byte.
    Uri(&'a str),
    /// A host, compared without regard to ASCII case; no wildcards.
    Dns(&'a str),
}

/// A chain that leads to an anchor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    /// SHA-256 over the SHA-256 of each certificate as given: with the context, the key under which a result may be
    /// kept until [`Path::ends_at`].
    pub chain_sha256: [u8; 32],
    /// Which anchor, by its place in the list given.
    pub anchor: usize,
    /// The earliest end of any certificate of the path, the anchor's included.
    pub ends_at: Timestamp,
    /// The anchor stood in the chain (HAIP off): a warning, since a chain proves nothing by bringing its own root.
    pub anchor_in_chain: bool,
}

/// Why a chain does not lead to an anchor. Each has its name in reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum PathReason {
    /// No trusted anchor issued the last certificate.
    #[error("no-anchor")]
    NoAnchor,
    /// An anchor stands in the chain.
    #[error("anchor-in-chain")]
    AnchorInChain,
    /// The leaf vouches for itself.
    #[error("self-signed-leaf")]
    SelfSignedLeaf,
    /// The certificates belong together but stand in another order.
    #[error("wrong-order")]
    WrongOrder,
    /// A certificate that issued another is no authority.
    #[error("not-a-ca")]
    NotACa,
    /// More intermediates than an authority allows, or than the house reads.
    #[error("path-too-long")]
    PathTooLong,
    /// Its life is over.
    #[error("expired")]
    Expired,
    /// Its life has not begun.
    #[error("not-yet-valid")]
    NotYetValid,
    /// The signature on it is not its issuer's.
    #[error("bad-signature")]
    BadSignature,
    /// The anchor is trusted, but not for this purpose.
    #[error("wrong-context")]
    WrongContext,
    /// Key usage or extended key usage do not allow this purpose.
    #[error("eku")]
    Eku,
    /// Issuer and subject, or key identifiers, do not match; or the leaf does not carry the name it must.
    #[error("name-mismatch")]
    NameMismatch,
}

/// The first fault of a chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("certificate {certificate} of the path: {reason}")]
pub struct PathFault {
    /// What is wrong.
    pub reason: PathReason,
    /// With which certificate, by its place in the chain; the chain's length means the anchor.
    pub certificate: usize,
    /// For `no-anchor` and `wrong-context`: the anchor that is nearest by name or key identifier, by its place in
    /// the list of anchors (of the other contexts, for `wrong-context`).
    pub nearest: Option<usize>,
}

/// Checks a chain, leaf first, against the anchors trusted for this purpose.
///
/// # Errors
/// [`PathFault`].
pub fn verify(
    chain: &[Certificate],
    anchors: &[Certificate],
    rules: &PathRules<'_>,
) -> Result<Path, PathFault> {
    let leaf = chain.first().ok_or(fault(PathReason::NoAnchor, 0))?;
    if chain.len() > CHAIN_MAX {
        return Err(fault(PathReason::PathTooLong, CHAIN_MAX));
    }
    let path = if leaf.is_self_issued() && leaf.is_signed_by(leaf.public_key()) {
        pinned_leaf(chain, anchors, rules)?
    } else {
        issued_leaf(chain, anchors, rules)?
    };
    leaf_name(leaf, rules)?;
    let hashes: Vec<_> = chain.iter().flat_map(Certificate::sha256).collect();
    Ok(Path { chain_sha256: hash::sha256(&hashes), ..path })
}

type Checked<T = ()> = Result<T, PathFault>;

/// A self-signed leaf: only outside HAIP, alone, and only if that very certificate is an anchor.
fn pinned_leaf(chain: &[Certificate], anchors: &[Certificate], rules: &PathRules<'_>) -> Checked<Path> {
    let leaf = &chain[0];
    let anchor = anchors.iter().position(|anchor| anchor == leaf);
    let (Some(anchor), false, [_]) = (anchor, rules.haip, chain) else {
        return Err(fault(PathReason::SelfSignedLeaf, 0));
    };
    dates(&[leaf], rules.now)?;
    leaf_usage(leaf, rules)?;
    Ok(Path { chain_sha256: [0; 32], anchor, ends_at: leaf.not_after(), anchor_in_chain: false })
}

fn issued_leaf(chain: &[Certificate], anchors: &[Certificate], rules: &PathRules<'_>) -> Checked<Path> {
    let inside = chain.iter().position(|certificate| anchors.contains(certificate));
    let chain = match inside {
        Some(place) if rules.haip || place == 0 => return Err(fault(PathReason::AnchorInChain, place)),
        Some(place) => &chain[..place],
        None => chain,
    };
    links(chain)?;
    let anchor = find_anchor(chain, anchors, rules)?;
    let path: Vec<_> = chain.iter().chain([&anchors[anchor]]).collect();
    dates(&path, rules.now)?;
    authorities(&path)?;
    leaf_usage(path[0], rules)?;
    authority_usage(&path, rules)?;
    // The last signature was checked when its anchor was found.
    let forged = chain.windows(2).position(|pair| !pair[0].is_signed_by(pair[1].public_key()));
    if let Some(place) = forged {
        return Err(fault(PathReason::BadSignature, place));
    }
    let ends_at = path.iter().map(|certificate| certificate.not_after()).min().unwrap_or(rules.now);
    Ok(Path { chain_sha256: [0; 32], anchor, ends_at, anchor_in_chain: inside.is_some() })
}

/// Each certificate is issued, by name and key identifier, by the one after it.
fn links(chain: &[Certificate]) -> Checked {
    for (place, pair) in chain.windows(2).enumerate() {
        if !issued_by(&pair[0], &pair[1]) {
            let reason =
                if in_another_order(chain) { PathReason::WrongOrder } else { PathReason::NameMismatch };
            return Err(fault(reason, place + 1));
        }
    }
    Ok(())
}

/// Whether all certificates but one have their issuer among the others: only their order is wrong then.
fn in_another_order(chain: &[Certificate]) -> bool {
    let has_issuer =
        |child: &&Certificate| chain.iter().any(|parent| parent != *child && issued_by(child, parent));
    chain.iter().filter(has_issuer).count() + 1 >= chain.len()
}

/// The anchor that issued the last certificate of the chain.
fn find_anchor(chain: &[Certificate], anchors: &[Certificate], rules: &PathRules<'_>) -> Checked<usize> {
    let place = chain.len() - 1;
    let last = &chain[place];
    let signed = |anchor: &Certificate| issued_by(last, anchor) && last.is_signed_by(anchor.public_key());
    // A root may have been renewed under the same name and key: then the one that is in date counts.
    let in_date = |anchor: &&Certificate| (anchor.not_before()..=anchor.not_after()).contains(&rules.now);
    let fits = |(_, anchor): &(usize, &Certificate)| signed(anchor);
    let mut candidates = anchors.iter().enumerate().filter(fits).peekable();
    if let Some((first, _)) = candidates.peek().copied() {
        return Ok(candidates.find(|(_, anchor)| in_date(anchor)).map_or(first, |(place, _)| place));
    }
    if anchors.iter().any(|anchor| issued_by(last, anchor)) {
        return Err(fault(PathReason::BadSignature, place));
    }
    if let Some(nearest) = rules.other_contexts.iter().position(signed) {
        return Err(PathFault { nearest: Some(nearest), ..fault(PathReason::WrongContext, place) });
    }
    let near = |anchor: &Certificate| {
        names_match(last, anchor) || (last.aki().is_some() && last.aki() == anchor.ski())
    };
    Err(PathFault { nearest: anchors.iter().position(near), ..fault(PathReason::NoAnchor, place) })
}

fn dates(path: &[&Certificate], now: Timestamp) -> Checked {
    for (place, certificate) in path.iter().enumerate() {
        if now < certificate.not_before() {
            return Err(fault(PathReason::NotYetValid, place));
        }
        if now > certificate.not_after() {
            return Err(fault(PathReason::Expired, place));
        }
    }
    Ok(())
}

/// Every certificate above the leaf may issue, and not too far up (RFC 5280, 6.1.4 k to n).
fn authorities(path: &[&Certificate]) -> Checked {
    let mut below = 0;
    for (place, certificate) in path.iter().enumerate().skip(1) {
        if !certificate.is_ca() || certificate.key_usage().is_some_and(|usage| !usage.cert_sign) {
            return Err(fault(PathReason::NotACa, place));
        }
        if certificate.path_len().is_some_and(|limit| below > usize::from(limit)) {
            return Err(fault(PathReason::PathTooLong, place));
        }
        below += usize::from(!certificate.is_self_issued());
    }
    Ok(())
}

fn leaf_usage(leaf: &Certificate, rules: &PathRules<'_>) -> Checked {
    let signs = leaf.key_usage().is_none_or(|usage| usage.digital_signature);
    let purpose =
        rules.eku.is_none_or(|wanted| leaf.ekus().is_some_and(|usages| usages.iter().any(|u| u == wanted)));
    if signs && purpose { Ok(()) } else { Err(fault(PathReason::Eku, 0)) }
}

/// An authority that states extended key usages limits what may be issued below it.
fn authority_usage(path: &[&Certificate], rules: &PathRules<'_>) -> Checked {
    let Some(wanted) = rules.eku else { return Ok(()) };
    let limits = |certificate: &&Certificate| {
        certificate
            .ekus()
            .is_some_and(|usages| !usages.iter().any(|u| u == wanted || u == ANY_EXTENDED_KEY_USAGE))
    };
    match path.iter().skip(1).position(limits) {
        Some(place) => Err(fault(PathReason::Eku, place + 1)),
        None => Ok(()),
    }
}

fn leaf_name(leaf: &Certificate, rules: &PathRules<'_>) -> Checked {
    let carried = match rules.name {
        None => true,
        Some(LeafName::Uri(uri)) => leaf.san_uris().iter().any(|name| name == uri),
        Some(LeafName::Dns(host)) => leaf.san_dns().iter().any(|name| name.eq_ignore_ascii_case(host)),
    };
    if carried { Ok(()) } else { Err(fault(PathReason::NameMismatch, 0)) }
}

fn names_match(child: &Certificate, parent: &Certificate) -> bool {
    child.issuer().der() == parent.subject().der()
}

/// Names match, and key identifiers that are both there are equal.
fn issued_by(child: &Certificate, parent: &Certificate) -> bool {
    names_match(child, parent)
        && child.aki().zip(parent.ski()).is_none_or(|(authority, subject)| authority == subject)
}

fn fault(reason: PathReason, certificate: usize) -> PathFault {
    PathFault { reason, certificate, nearest: None }
}

#[cfg(test)]
mod tests;
