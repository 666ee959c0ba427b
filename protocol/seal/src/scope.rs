//! What a Relying Party may ask for: atomic scopes, composites, and the claims each stands for.
//!
//! ```text
//!   scope text ── Scopes::expand ──▶ atomic, sorted Scopes ── registered_in ──▶ granted Scopes ── claims ──▶ names
//! ```
//!
//! Start at [`Scopes::expand`].

use std::collections::BTreeSet;
use std::fmt;

/// Most bytes of a `scope` parameter: all names together have under 500.
pub const SCOPE_BYTES_MAX: usize = 2048;

macro_rules! scopes {
    ($($name:ident = $text:literal, $bit:expr, [$($claim:literal),*];)+) => {
        /// One thing that a person agrees to, or not. Ordered by name, as signed lists are.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Scope {
            $(#[doc = concat!("`", $text, "`")] $name,)+
        }

        impl Scope {
            /// Every atomic scope.
            pub const ALL: &[Scope] = &[$(Scope::$name,)+];

            /// The name in requests, tokens and signed lists.
            pub const fn as_str(self) -> &'static str {
                match self { $(Scope::$name => $text,)+ }
            }

            /// Its bit in a ServiceSeal; none for `openid`, which every Relying Party may ask for.
            pub const fn bit(self) -> Option<u32> {
                match self { $(Scope::$name => $bit,)+ }
            }

            /// The claims that it releases.
            pub const fn claims(self) -> &'static [&'static str] {
                match self { $(Scope::$name => &[$($claim),*],)+ }
            }
        }
    };
}

scopes! {
    Name = "identity:name", Some(0), ["name"];
    GivenName = "identity:given_name", Some(1), ["given_name"];
    FamilyName = "identity:family_name", Some(2), ["family_name"];
    DateOfBirth = "identity:date_of_birth", Some(3), ["birthdate"];
    Nationality = "identity:nationality", Some(4), ["nationalities"];
    Document = "identity:document", Some(5), ["document"];
    Photo = "identity:photo", Some(6), ["portrait"];
    AgeOver18 = "identity:age_over_18", Some(7), ["age_over_18"];
    AgeOver21 = "identity:age_over_21", Some(8), ["age_over_21"];
    AgeOver25 = "identity:age_over_25", Some(9), ["age_over_25"];
    IsEuCitizen = "identity:is_eu_citizen", Some(10), ["is_eu_citizen"];
    AgeRange = "identity:age_range", Some(11), ["age_range"];
    NameInitial = "identity:name_initial", Some(12), ["name_initial"];
    TrustLevel = "identity:trust_level", Some(13), ["assurance"];
    OfflineAccess = "offline_access", Some(14), [];
    Email = "email", Some(15), ["email", "email_verified"];
    Phone = "phone", Some(16), ["phone_number", "phone_number_verified"];
    Openid = "openid", None, [];
}

impl Scope {
    /// The atomic scope of that name.
    pub fn parse(name: &str) -> Option<Scope> {
        Scope::ALL.iter().copied().find(|scope| scope.as_str() == name)
    }

    /// The scope that releases a claim; none for names that nobody here knows, which are ignored (OpenID Connect Core, 5.5).
    pub fn of_claim(claim: &str) -> Option<Scope> {
        Scope::ALL.iter().copied().find(|scope| scope.claims().contains(&claim))
    }

    /// Whether only a presented document can answer it.
    pub fn needs_document(self) -> bool {
        !matches!(self, Scope::Openid | Scope::OfflineAccess | Scope::TrustLevel)
    }
}

impl PartialOrd for Scope {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Scope {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A scope that is no scope: answered `invalid_scope` before anything is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ScopeFault {
    /// Longer than [`SCOPE_BYTES_MAX`], or with other separators than single spaces.
    #[error("not a list of scopes")]
    Form,
    /// A name that is neither an atomic scope nor a composite.
    #[error("an unknown scope")]
    Unknown,
    /// Not among those registered for this Relying Party.
    #[error("{0} is not registered for this Relying Party")]
    Unregistered(Scope),
}

/// A set of atomic scopes, sorted by name.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Scopes(BTreeSet<Scope>);

impl Scopes {
    /// Reads a `scope` parameter (RFC 6749, 3.3) and expands composites.
    ///
    /// # Errors
    /// [`ScopeFault::Form`] and [`ScopeFault::Unknown`].
    pub fn expand(text: &str) -> Result<Scopes, ScopeFault> {
        if text.len() > SCOPE_BYTES_MAX {
            return Err(ScopeFault::Form);
        }
        if text.is_empty() {
            return Ok(Scopes::default());
        }
        let mut all = BTreeSet::new();
        for name in text.split(' ') {
            if name.is_empty() {
                return Err(ScopeFault::Form);
            }
            all.extend(expanded(name).ok_or(ScopeFault::Unknown)?);
        }
        Ok(Scopes(all))
    }

    /// The scopes that release the claims of a `claims` request; unknown names are ignored.
    pub fn of_claims<'a>(names: impl IntoIterator<Item = &'a str>) -> Scopes {
        Scopes(names.into_iter().filter_map(Scope::of_claim).collect())
    }

    /// A signed list: atomic names, sorted, none twice.
    pub(crate) fn from_sorted(list: &serde_json::Value) -> Option<Scopes> {
        let items = list.as_array()?;
        let scopes: Vec<Scope> =
            items.iter().map(|item| item.as_str().and_then(Scope::parse)).collect::<Option<_>>()?;
        scopes.is_sorted_by(|a, b| a < b).then(|| Scopes(scopes.into_iter().collect()))
    }

    /// As it stands in a signed object.
    pub fn to_value(&self) -> serde_json::Value {
        self.0.iter().map(|scope| scope.as_str()).collect()
    }

    /// The scopes of the bits of a ServiceSeal, with `openid`; `None` for a bit that means nothing.
    pub fn from_bits(bits: u32) -> Option<Scopes> {
        let scopes: BTreeSet<Scope> = Scope::ALL
            .iter()
            .copied()
            .filter(|scope| scope.bit().is_none_or(|bit| bits >> bit & 1 == 1))
            .collect();
        let scopes = Scopes(scopes);
        (scopes.bits() == bits).then_some(scopes)
    }

    /// The bits of a ServiceSeal.
    pub fn bits(&self) -> u32 {
        self.0.iter().filter_map(|scope| scope.bit()).fold(0, |bits, bit| bits | 1 << bit)
    }

    /// Whether every one of these may be asked for by someone registered for `ceiling`.
    ///
    /// # Errors
    /// [`ScopeFault::Unregistered`] with the first that may not.
    pub fn within(&self, ceiling: &Scopes) -> Result<(), ScopeFault> {
        match self.0.difference(&ceiling.0).next() {
            None => Ok(()),
            Some(scope) => Err(ScopeFault::Unregistered(*scope)),
        }
    }

    /// Whether all of these are in `other`.
    pub fn is_subset(&self, other: &Scopes) -> bool {
        self.0.is_subset(&other.0)
    }

    /// Whether none of these is in `other`.
    pub fn is_disjoint(&self, other: &Scopes) -> bool {
        self.0.is_disjoint(&other.0)
    }

    /// Whether it is there.
    pub fn contains(&self, scope: Scope) -> bool {
        self.0.contains(&scope)
    }

    /// These and those.
    #[must_use]
    pub fn union(&self, other: &Scopes) -> Scopes {
        Scopes(&self.0 | &other.0)
    }

    /// These without those.
    #[must_use]
    pub fn without(&self, other: &Scopes) -> Scopes {
        Scopes(&self.0 - &other.0)
    }

    /// By name.
    pub fn iter(&self) -> impl Iterator<Item = Scope> + '_ {
        self.0.iter().copied()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().collect())
    }
}

/// A `scope` value: names with single spaces between them.
impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<_> = self.0.iter().map(|scope| scope.as_str()).collect();
        f.write_str(&names.join(" "))
    }
}

/// The atomic scopes of a name.
fn expanded(name: &str) -> Option<Vec<Scope>> {
    const FULL: [Scope; 6] = [
        Scope::Name,
        Scope::GivenName,
        Scope::FamilyName,
        Scope::DateOfBirth,
        Scope::Nationality,
        Scope::Document,
    ];
    Some(match name {
        "profile" => vec![Scope::Name, Scope::GivenName, Scope::FamilyName],
        "identity:basic" => vec![Scope::GivenName, Scope::FamilyName],
        "identity:age_verification" => vec![Scope::AgeOver18],
        "identity:full" => FULL.to_vec(),
        "identity:full_with_photo" => [&FULL[..], &[Scope::Photo]].concat(),
        _ => vec![Scope::parse(name)?],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn composites_become_their_atoms_and_the_list_is_sorted() {
        let scopes = Scopes::expand("openid identity:full_with_photo identity:age_verification").unwrap();
        assert_eq!(
            scopes.to_string(),
            "identity:age_over_18 identity:date_of_birth identity:document identity:family_name identity:given_name \
             identity:name identity:nationality identity:photo openid"
        );
        assert_eq!(Scopes::expand("profile identity:basic").unwrap().len(), 3);
    }

    #[test]
    fn a_scope_that_nobody_knows_or_that_is_not_registered_is_refused() {
        assert_eq!(Scopes::expand("openid identity:shoe_size"), Err(ScopeFault::Unknown));
        assert_eq!(Scopes::expand("openid  email"), Err(ScopeFault::Form));
        assert_eq!(Scopes::expand(&"a".repeat(SCOPE_BYTES_MAX + 1)), Err(ScopeFault::Form));
        let registered = Scopes::expand("openid identity:age_over_18").unwrap();
        assert_eq!(registered.within(&registered), Ok(()));
        let asked = Scopes::expand("openid identity:basic").unwrap();
        assert_eq!(asked.within(&registered), Err(ScopeFault::Unregistered(Scope::FamilyName)));
    }

    #[test]
    fn a_claim_asks_for_its_scope_and_unknown_claims_ask_for_nothing() {
        let scopes =
            Scopes::of_claims(["birthdate", "nationalities", "portrait", "assurance", "shoe_size", "sub"]);
        assert_eq!(
            scopes.to_string(),
            "identity:date_of_birth identity:nationality identity:photo identity:trust_level"
        );
    }

    #[test]
    fn bits_of_a_seal_come_back_and_a_bit_that_means_nothing_is_refused() {
        for scope in Scope::ALL {
            let bits = Scopes::from_iter([*scope]).bits();
            let back = Scopes::from_bits(bits).unwrap();
            assert!(back.contains(*scope) && back.contains(Scope::Openid));
        }
        assert_eq!(Scopes::from_bits(1 << 17), None);
    }

    #[test]
    fn a_signed_list_is_sorted_atomic_and_has_nothing_twice() {
        let list = |names: &[&str]| Scopes::from_sorted(&serde_json::json!(names));
        assert!(list(&[]).is_some());
        assert!(list(&["identity:age_over_18", "openid"]).is_some());
        assert!(list(&["openid", "identity:age_over_18"]).is_none());
        assert!(list(&["openid", "openid"]).is_none());
        assert!(list(&["identity:full"]).is_none());
    }
}
