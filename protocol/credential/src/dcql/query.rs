//! The query as types, and its strict reader.

use serde_json::{Map, Value};

use super::{AKI, CLAIMS_MAX, ITEMS_MAX};
use crate::claims_path::{ClaimsPath, Step};
use crate::pointer::{Pointer, PointerError};

/// Bytes of a query's JSON; bounded by whoever reads the JSON.
pub const QUERY_BYTES_MAX: usize = 32 * 1024;
/// Bytes of an id or of a name of a format; it stands in reports and answers.
const ID_BYTES_MAX: usize = 64;
/// Bytes of one text in `meta`, `values` and `trusted_authorities`.
const TEXT_BYTES_MAX: usize = 1024;

/// Whose query it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// We ask: unknown members are refused, `meta` must name the type.
    Own,
    /// We are asked: unknown members are ignored (section 6), an empty `meta` means any type.
    Wallet,
}

/// A query.
#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    /// What is asked for, at least one.
    pub credentials: Vec<CredentialQuery>,
    /// Which combinations will do; empty: all of them are wanted.
    pub credential_sets: Vec<CredentialSet>,
}

/// One credential that is asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct CredentialQuery {
    /// Its name in the answer and in the report.
    pub id: String,
    /// Its format.
    pub format: Format,
    /// Whether several presentations may answer it.
    pub multiple: bool,
    /// Its type.
    pub meta: Meta,
    /// Under whom its issuer must stand; empty: anyone we trust.
    pub trusted_authorities: Vec<TrustedAuthority>,
    /// Whether the holder must prove the key (default).
    pub require_holder_binding: bool,
    /// The claims; none: nothing that could be kept back.
    pub claims: Option<Vec<ClaimsQuery>>,
    /// Combinations of claim ids, best first; empty: all claims.
    pub claim_sets: Vec<Vec<String>>,
}

/// A credential format identifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Format {
    /// `dc+sd-jwt`.
    SdJwtVc,
    /// `mso_mdoc`.
    Mdoc,
    /// `vc+jwt`, this project's profile.
    VcJwt,
    /// One we do not know; only a wallet reads such a query.
    Other(String),
}

/// The type that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Meta {
    /// `vct_values`.
    Vct(Vec<String>),
    /// `doctype_value`.
    Doctype(String),
    /// `type_values`.
    Types(Vec<Vec<String>>),
    /// `{}`: any type.
    Any,
}

/// One way to name who must stand above the issuer (section 6.1.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedAuthority {
    /// `aki`, `etsi_tl`, `openid_federation` or one we do not know.
    pub kind: String,
    /// At least one value.
    pub values: Vec<String>,
}

/// One claim that is asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct ClaimsQuery {
    /// Its name in `claim_sets`.
    pub id: Option<String>,
    /// Where it stands.
    pub path: ClaimsPath,
    /// Texts, integers or booleans, one of which it must equal; empty: any value.
    pub values: Vec<Value>,
}

/// Combinations of credentials that serve one purpose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CredentialSet {
    /// Lists of credential query ids, at least one list.
    pub options: Vec<Vec<String>>,
    /// Whether one option must be met (default).
    pub required: bool,
}

impl Query {
    /// Reads a query that the caller has bounded to [`QUERY_BYTES_MAX`] and parsed strictly.
    ///
    /// # Errors
    /// Every fault with its place, from the query's root (`/credentials/0/claims/1/path`).
    pub fn parse(value: &Value, reader: Reader) -> Result<Self, Vec<PointerError>> {
        let mut parser = Parser { reader, faults: Vec::new() };
        let query = parser.query(value);
        match query {
            Some(query) if parser.faults.is_empty() => Ok(query),
            _ => Err(parser.faults),
        }
    }

    /// The credential query of that id.
    pub fn credential(&self, id: &str) -> Option<&CredentialQuery> {
        self.credentials.iter().find(|credential| credential.id == id)
    }

    /// The wire form; defaults are left out.
    pub fn to_value(&self) -> Value {
        let mut query = Map::new();
        query.insert("credentials".into(), self.credentials.iter().map(CredentialQuery::to_value).collect());
        if !self.credential_sets.is_empty() {
            query.insert(
                "credential_sets".into(),
                self.credential_sets.iter().map(CredentialSet::to_value).collect(),
            );
        }
        query.into()
    }
}

impl Format {
    /// The identifier on the wire.
    pub fn as_str(&self) -> &str {
        match self {
            Self::SdJwtVc => "dc+sd-jwt",
            Self::Mdoc => "mso_mdoc",
            Self::VcJwt => "vc+jwt",
            Self::Other(name) => name,
        }
    }

    fn of(name: &str) -> Self {
        match name {
            "dc+sd-jwt" => Self::SdJwtVc,
            "mso_mdoc" => Self::Mdoc,
            "vc+jwt" => Self::VcJwt,
            other => Self::Other(other.to_owned()),
        }
    }
}

impl CredentialQuery {
    fn to_value(&self) -> Value {
        let mut credential = Map::new();
        credential.insert("id".into(), self.id.as_str().into());
        credential.insert("format".into(), self.format.as_str().into());
        if self.multiple {
            credential.insert("multiple".into(), true.into());
        }
        credential.insert("meta".into(), self.meta.to_value());
        if !self.trusted_authorities.is_empty() {
            let authorities = self.trusted_authorities.iter();
            let authorities = authorities.map(|it| serde_json::json!({"type": it.kind, "values": it.values}));
            credential.insert("trusted_authorities".into(), authorities.collect());
        }
        if !self.require_holder_binding {
            credential.insert("require_cryptographic_holder_binding".into(), false.into());
        }
        if let Some(claims) = &self.claims {
            credential.insert("claims".into(), claims.iter().map(ClaimsQuery::to_value).collect());
        }
        if !self.claim_sets.is_empty() {
            credential.insert("claim_sets".into(), self.claim_sets.clone().into());
        }
        credential.into()
    }
}

impl Meta {
    fn to_value(&self) -> Value {
        match self {
            Self::Vct(values) => serde_json::json!({ "vct_values": values }),
            Self::Doctype(value) => serde_json::json!({ "doctype_value": value }),
            Self::Types(values) => serde_json::json!({ "type_values": values }),
            Self::Any => Value::Object(Map::new()),
        }
    }
}

impl ClaimsQuery {
    fn to_value(&self) -> Value {
        let mut claim = Map::new();
        if let Some(id) = &self.id {
            claim.insert("id".into(), id.as_str().into());
        }
        claim.insert("path".into(), self.path.to_value());
        if !self.values.is_empty() {
            claim.insert("values".into(), self.values.clone().into());
        }
        claim.into()
    }
}

impl CredentialSet {
    fn to_value(&self) -> Value {
        let mut set = Map::new();
        set.insert("options".into(), self.options.clone().into());
        if !self.required {
            set.insert("required".into(), false.into());
        }
        set.into()
    }
}

struct Parser {
    reader: Reader,
    faults: Vec<PointerError>,
}

impl Parser {
    fn query(&mut self, value: &Value) -> Option<Query> {
        let root = Pointer::Root;
        let members = self.object(value, &root, &["credentials", "credential_sets"])?;
        let at = root.member("credentials");
        let list = self.list(members.get("credentials"), &at, ITEMS_MAX)?;
        // From the raw list, so that a fault inside a credential query makes no second one in a set that names it.
        let known: Vec<&str> = list.iter().filter_map(|it| it.get("id").and_then(Value::as_str)).collect();
        let credentials: Vec<_> =
            list.iter().enumerate().filter_map(|(nth, it)| self.credential(it, &at.index(nth))).collect();
        for (nth, credential) in credentials.iter().enumerate() {
            if credentials[..nth].iter().any(|earlier| earlier.id == credential.id) {
                self.fault::<()>(&at.index(nth).member("id"), "this id stands twice");
            }
        }
        let at = root.member("credential_sets");
        let sets = match members.get("credential_sets") {
            None => Vec::new(),
            some => {
                let list = self.list(some, &at, ITEMS_MAX)?;
                let sets = list.iter().enumerate();
                sets.filter_map(|(nth, it)| self.credential_set(it, &at.index(nth), &known)).collect()
            }
        };
        Some(Query { credentials, credential_sets: sets })
    }

    fn credential(&mut self, value: &Value, at: &Pointer<'_>) -> Option<CredentialQuery> {
        const KNOWN: [&str; 8] = [
            "id",
            "format",
            "multiple",
            "meta",
            "trusted_authorities",
            "require_cryptographic_holder_binding",
            "claims",
            "claim_sets",
        ];
        let members = self.object(value, at, &KNOWN)?;
        let id = self.id(members.get("id"), &at.member("id"));
        let format = self.format(members.get("format"), &at.member("format"));
        let multiple = self.flag(members, "multiple", at, false);
        let require = self.flag(members, "require_cryptographic_holder_binding", at, true);
        let meta =
            format.as_ref().and_then(|format| self.meta(members.get("meta"), &at.member("meta"), format));
        let authorities =
            self.authorities(members.get("trusted_authorities"), &at.member("trusted_authorities"));
        let claims = match members.get("claims") {
            None => Some(None),
            some => self.claims(some, &at.member("claims"), format.as_ref()).map(Some),
        };
        let sets = members.get("claim_sets");
        let claims = claims?;
        let claim_sets = self.claim_sets(sets, &at.member("claim_sets"), claims.as_deref())?;
        Some(CredentialQuery {
            id: id?,
            format: format?,
            multiple,
            meta: meta?,
            trusted_authorities: authorities?,
            require_holder_binding: require,
            claims,
            claim_sets,
        })
    }

    fn format(&mut self, value: Option<&Value>, at: &Pointer<'_>) -> Option<Format> {
        let name = self.text(value, at, ID_BYTES_MAX)?;
        match Format::of(name) {
            Format::Other(_) if self.reader == Reader::Own => {
                self.fault(at, "known formats are dc+sd-jwt, mso_mdoc and vc+jwt")
            }
            format => Some(format),
        }
    }

    fn meta(&mut self, value: Option<&Value>, at: &Pointer<'_>, format: &Format) -> Option<Meta> {
        let (name, known): (&str, &[&str]) = match format {
            Format::SdJwtVc => ("vct_values", &["vct_values"]),
            Format::Mdoc => ("doctype_value", &["doctype_value"]),
            Format::VcJwt | Format::Other(_) => ("type_values", &["type_values"]),
        };
        let Some(value) = value else { return self.fault(at, "meta is required") };
        let members = self.object(value, at, known)?;
        let below = at.member(name);
        let Some(named) = members.get(name) else {
            return match (self.reader, format) {
                (Reader::Wallet, _) | (_, Format::Other(_)) => Some(Meta::Any),
                (Reader::Own, _) => self.fault(&below, "meta names the type that is asked for"),
            };
        };
        match format {
            Format::SdJwtVc => self.texts(Some(named), &below).map(Meta::Vct),
            Format::Mdoc => {
                self.text(Some(named), &below, TEXT_BYTES_MAX).map(|text| Meta::Doctype(text.to_owned()))
            }
            Format::VcJwt | Format::Other(_) => {
                let list = self.list(Some(named), &below, ITEMS_MAX)?;
                let types = list.iter().enumerate().map(|(nth, it)| self.texts(Some(it), &below.index(nth)));
                types.collect::<Option<_>>().map(Meta::Types)
            }
        }
    }

    fn authorities(&mut self, value: Option<&Value>, at: &Pointer<'_>) -> Option<Vec<TrustedAuthority>> {
        if value.is_none() {
            return Some(Vec::new());
        }
        let list = self.list(value, at, ITEMS_MAX)?;
        let authorities = list.iter().enumerate().map(|(nth, it)| {
            let at = at.index(nth);
            let members = self.object(it, &at, &["type", "values"])?;
            let kind = self.text(members.get("type"), &at.member("type"), ID_BYTES_MAX)?.to_owned();
            let below = at.member("values");
            let values = self.texts(members.get("values"), &below)?;
            // A value in another form than the chain's would never be met, and nobody would see why.
            let odd = values.iter().position(|value| kind == AKI && !is_key_identifier(value));
            if let (Reader::Own, Some(nth)) = (self.reader, odd) {
                return self.fault(&below.index(nth), "an aki value is a key identifier in base64url");
            }
            Some(TrustedAuthority { kind, values })
        });
        authorities.collect()
    }

    fn claims(
        &mut self,
        value: Option<&Value>,
        at: &Pointer<'_>,
        format: Option<&Format>,
    ) -> Option<Vec<ClaimsQuery>> {
        let list = self.list(value, at, CLAIMS_MAX)?;
        let mut claims: Vec<ClaimsQuery> = Vec::with_capacity(list.len());
        for (nth, it) in list.iter().enumerate() {
            let at = at.index(nth);
            let claim = self.claim(it, &at)?;
            if claim.id.is_some() && claims.iter().any(|known| known.id == claim.id) {
                self.fault::<()>(&at.member("id"), "this id stands twice");
            }
            let twice = claims.iter().any(|known| known.path == claim.path);
            match (self.reader, twice) {
                (Reader::Own, true) => drop(self.fault::<()>(&at.member("path"), "this path stands twice")),
                // Section 6.1: a wallet ignores duplicates, unless they constrain the claim further.
                (Reader::Wallet, true) if claim.values.is_empty() && claim.id.is_none() => continue,
                _ => {}
            }
            if format == Some(&Format::Mdoc) && !is_mdoc_path(&claim.path) {
                self.fault::<()>(&at.member("path"), "an mdoc path is a namespace and an element");
            }
            claims.push(claim);
        }
        Some(claims)
    }

    fn claim(&mut self, value: &Value, at: &Pointer<'_>) -> Option<ClaimsQuery> {
        let members = self.object(value, at, &["id", "path", "values", "intent_to_retain"])?;
        if self.reader == Reader::Own && members.contains_key("intent_to_retain") {
            return self.fault(&at.member("intent_to_retain"), "this member is not served");
        }
        let id = match members.get("id") {
            None => None,
            some => Some(self.id(some, &at.member("id"))?),
        };
        let below = at.member("path");
        let path = match ClaimsPath::parse(members.get("path").unwrap_or(&Value::Null)) {
            Ok(path) => path,
            Err(fault) => return self.fault(&below, &fault.to_string()),
        };
        let below = at.member("values");
        let values = match members.get("values") {
            None => Vec::new(),
            some => {
                let values = self.list(some, &below, CLAIMS_MAX)?;
                if let Some(nth) = values.iter().position(|value| !is_comparable(value)) {
                    return self.fault(&below.index(nth), "a value is text, an integer or a boolean");
                }
                values.clone()
            }
        };
        Some(ClaimsQuery { id, path, values })
    }

    fn claim_sets(
        &mut self,
        value: Option<&Value>,
        at: &Pointer<'_>,
        claims: Option<&[ClaimsQuery]>,
    ) -> Option<Vec<Vec<String>>> {
        if value.is_none() {
            return Some(Vec::new());
        }
        let Some(claims) = claims else { return self.fault(at, "claim_sets needs claims") };
        if let Some(nth) = claims.iter().position(|claim| claim.id.is_none()) {
            return self.fault(at, &format!("claim_sets needs an id on every claim; claim {nth} has none"));
        }
        let known: Vec<&str> = claims.iter().filter_map(|claim| claim.id.as_deref()).collect();
        let list = self.list(value, at, ITEMS_MAX)?;
        list.iter()
            .enumerate()
            .map(|(nth, it)| self.known_ids(it, &at.index(nth), &known, CLAIMS_MAX))
            .collect()
    }

    fn credential_set(&mut self, value: &Value, at: &Pointer<'_>, known: &[&str]) -> Option<CredentialSet> {
        let members = self.object(value, at, &["options", "required"])?;
        let below = at.member("options");
        let list = self.list(members.get("options"), &below, ITEMS_MAX)?;
        let options = list.iter().enumerate();
        let options = options.map(|(nth, it)| self.known_ids(it, &below.index(nth), known, ITEMS_MAX));
        Some(CredentialSet {
            options: options.collect::<Option<_>>()?,
            required: self.flag(members, "required", at, true),
        })
    }

    /// A non-empty list of ids, each one of `known`.
    fn known_ids(
        &mut self,
        value: &Value,
        at: &Pointer<'_>,
        known: &[&str],
        max: usize,
    ) -> Option<Vec<String>> {
        let list = self.list(Some(value), at, max)?;
        let mut ids = Vec::with_capacity(list.len());
        for (nth, id) in list.iter().enumerate() {
            match id.as_str().filter(|id| known.contains(id)) {
                Some(id) => ids.push(id.to_owned()),
                None => return self.fault(&at.index(nth), "no such id"),
            }
        }
        Some(ids)
    }

    fn object<'v>(
        &mut self,
        value: &'v Value,
        at: &Pointer<'_>,
        known: &[&str],
    ) -> Option<&'v Map<String, Value>> {
        let Some(members) = value.as_object() else { return self.fault(at, "an object belongs here") };
        if self.reader == Reader::Own {
            for name in members.keys().filter(|name| !known.contains(&name.as_str())) {
                self.fault::<()>(&at.member(name), "no such member");
            }
        }
        Some(members)
    }

    fn list<'v>(&mut self, value: Option<&'v Value>, at: &Pointer<'_>, max: usize) -> Option<&'v Vec<Value>> {
        match value.and_then(Value::as_array) {
            Some(list) if (1..=max).contains(&list.len()) => Some(list),
            _ => self.fault(at, &format!("a list of 1 to {max} belongs here")),
        }
    }

    fn texts(&mut self, value: Option<&Value>, at: &Pointer<'_>) -> Option<Vec<String>> {
        let list = self.list(value, at, CLAIMS_MAX)?;
        let texts =
            list.iter().enumerate().map(|(nth, it)| self.text(Some(it), &at.index(nth), TEXT_BYTES_MAX));
        texts.map(|text| text.map(str::to_owned)).collect()
    }

    fn text<'v>(&mut self, value: Option<&'v Value>, at: &Pointer<'_>, bytes_max: usize) -> Option<&'v str> {
        match value.and_then(Value::as_str) {
            Some(text) if (1..=bytes_max).contains(&text.len()) => Some(text),
            _ => self.fault(at, &format!("text of 1 to {bytes_max} bytes belongs here")),
        }
    }

    fn id(&mut self, value: Option<&Value>, at: &Pointer<'_>) -> Option<String> {
        let id = self.text(value, at, ID_BYTES_MAX)?;
        if id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-')) {
            Some(id.to_owned())
        } else {
            self.fault(at, "an id has letters, digits, _ and - only")
        }
    }

    fn flag(&mut self, members: &Map<String, Value>, name: &str, at: &Pointer<'_>, default: bool) -> bool {
        match members.get(name) {
            None => default,
            Some(Value::Bool(flag)) => *flag,
            Some(_) => {
                self.fault::<()>(&at.member(name), "true or false");
                default
            }
        }
    }

    /// Notes a fault; `None` so that a caller can end with it.
    fn fault<T>(&mut self, at: &Pointer<'_>, detail: &str) -> Option<T> {
        self.faults.push(at.error(detail));
        None
    }
}

/// What `values` may hold (section 6.3); a fraction is neither.
fn is_comparable(value: &Value) -> bool {
    value.is_string() || value.is_boolean() || value.is_i64() || value.is_u64()
}

/// Section 6.1.1.1: the KeyIdentifier of an AuthorityKeyIdentifier, base64url without padding.
fn is_key_identifier(value: &str) -> bool {
    crypto::base64::url_decode(value).is_ok_and(|id| !id.is_empty())
}

fn is_mdoc_path(path: &ClaimsPath) -> bool {
    matches!(path.steps(), [Step::Name(_), Step::Name(_)])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn whole() -> Value {
        json!({
            "credentials": [
                {"id": "pid", "format": "dc+sd-jwt", "multiple": true, "meta": {"vct_values": ["https://a.example/pid"]},
                 "trusted_authorities": [{"type": "aki", "values": ["s9tIpPmhxdiuNkHMEWNpYim8S8Y"]}],
                 "claims": [{"id": "a", "path": ["name"]}, {"id": "b", "path": ["age"], "values": [18, "18", true]}],
                 "claim_sets": [["a", "b"], ["a"]]},
                {"id": "mdl", "format": "mso_mdoc", "meta": {"doctype_value": "org.iso.18013.5.1.mDL"},
                 "require_cryptographic_holder_binding": false,
                 "claims": [{"path": ["org.iso.18013.5.1", "given_name"]}]},
            ],
            "credential_sets": [{"options": [["pid"], ["mdl"]]}, {"options": [["mdl"]], "required": false}],
        })
    }

    fn pointers(query: &Value) -> Vec<String> {
        let faults = Query::parse(query, Reader::Own).unwrap_err();
        faults.into_iter().map(|fault| fault.pointer).collect()
    }

    /// The query above with one place changed.
    fn with(pointer: &str, value: Value) -> Value {
        let mut query = whole();
        *query.pointer_mut(pointer).unwrap() = value;
        query
    }

    #[test]
    fn a_whole_query_survives_its_types() {
        let query = Query::parse(&whole(), Reader::Own).unwrap();
        assert_eq!(query.to_value(), whole());
        assert_eq!(query.credential("mdl").unwrap().format, Format::Mdoc);
    }

    #[test]
    fn every_rule_of_our_own_query_names_its_place() {
        for (place, value, expected) in [
            ("/credentials", json!([]), "/credentials"),
            ("/credentials/1/id", json!("pid"), "/credentials/1/id"),
            ("/credentials/0/id", json!("p d"), "/credentials/0/id"),
            ("/credentials/0/format", json!("ldp_vc"), "/credentials/0/format"),
            ("/credentials/0/meta", json!({}), "/credentials/0/meta/vct_values"),
            ("/credentials/0/meta", json!({"doctype_value": "x"}), "/credentials/0/meta/doctype_value"),
            ("/credentials/0/multiple", json!(1), "/credentials/0/multiple"),
            ("/credentials/0/claims", json!([]), "/credentials/0/claims"),
            ("/credentials/0/claims/1/path", json!(["name"]), "/credentials/0/claims/1/path"),
            ("/credentials/0/claims/1/path", json!([1.5]), "/credentials/0/claims/1/path"),
            ("/credentials/0/claims/1/id", json!("a"), "/credentials/0/claims/1/id"),
            ("/credentials/0/claims/1/values", json!([1.5]), "/credentials/0/claims/1/values/0"),
            ("/credentials/0/claims/1/values", json!([]), "/credentials/0/claims/1/values"),
            ("/credentials/0/claim_sets", json!([["z"]]), "/credentials/0/claim_sets/0/0"),
            (
                "/credentials/0/trusted_authorities/0",
                json!({"type": "aki"}),
                "/credentials/0/trusted_authorities/0/values",
            ),
            (
                "/credentials/0/trusted_authorities/0/values",
                json!(["AAAA", "s9tIpPmhxdiuNkHMEWNpYim8S8Y="]),
                "/credentials/0/trusted_authorities/0/values/1",
            ),
            ("/credentials/1/claims/0/path", json!(["given_name"]), "/credentials/1/claims/0/path"),
            ("/credential_sets/0/options", json!([["nobody"]]), "/credential_sets/0/options/0/0"),
            ("/credential_sets/0/options", json!([[]]), "/credential_sets/0/options/0"),
            ("/credential_sets", json!([]), "/credential_sets"),
        ] {
            assert!(pointers(&with(place, value)).contains(&expected.to_owned()), "{place} → {expected}");
        }
        assert_eq!(pointers(&json!([])), [""]);
        assert_eq!(
            pointers(&with("/credentials/0/claims/0", json!({"path": ["x"]}))),
            ["/credentials/0/claim_sets"]
        );
    }

    #[test]
    fn an_unknown_member_is_refused_in_ours_and_ignored_by_the_wallet() {
        let mut query = whole();
        query["credentials"][0]["colour"] = json!("red");
        assert_eq!(pointers(&query), ["/credentials/0/colour"]);
        assert!(Query::parse(&query, Reader::Wallet).is_ok());
    }

    #[test]
    fn the_wallet_takes_an_empty_meta_and_a_format_it_does_not_know() {
        let query = json!({"credentials": [{"id": "x", "format": "ldp_vc", "meta": {}}, {"id": "y", "format": "dc+sd-jwt", "meta": {}}]});
        let query = Query::parse(&query, Reader::Wallet).unwrap();
        assert_eq!(query.credentials[0].format, Format::Other("ldp_vc".into()));
        assert_eq!(query.credentials[1].meta, Meta::Any);
    }

    #[test]
    fn lists_past_their_bounds_are_refused() {
        let credential = whole()["credentials"][1].clone();
        assert_eq!(pointers(&json!({"credentials": vec![credential; ITEMS_MAX + 1]})), ["/credentials"]);
        let claims: Vec<Value> = (0..=CLAIMS_MAX).map(|nth| json!({"path": [nth.to_string()]})).collect();
        let query = json!({"credentials": [{"id": "a", "format": "dc+sd-jwt", "meta": {"vct_values": ["v"]}, "claims": claims}]});
        assert_eq!(pointers(&query), ["/credentials/0/claims"]);
    }
}
