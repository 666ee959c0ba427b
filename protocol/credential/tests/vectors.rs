//! The public vectors: SD-JWT and SD-JWT VC examples, status list encodings, DCQL queries.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod world;

use std::path::PathBuf;

use crypto::{base64, hex};
use serde_json::{Map, Value, json};
use serde_yaml_ng::Value as Yaml;
use tessera_credential::claims_path::ClaimsPath;
use tessera_credential::credential_type::CredentialType;
use tessera_credential::dcql::{Query, Reader};
use tessera_credential::sd_jwt::{NEVER_DISCLOSABLE, SdJwt};
use tessera_credential::status::{Bits, ListToken, StatusList};
use tessera_credential::trust::{Anchors, Context};
use world::{VCT, World, now, query};

fn text(name: &str) -> String {
    let root =
        std::env::var_os("TESSERA_TEST_DATA").expect("set TESSERA_TEST_DATA to the folder of public vectors");
    let path = PathBuf::from(root).join("vectors").join(name);
    std::fs::read_to_string(&path).unwrap_or_else(|fault| panic!("{}: {fault}", path.display()))
}

/// One example: its claims, which of them are marked `!sd`, and what the holder discloses.
struct Example {
    claims: Yaml,
    disclosed: Yaml,
}

const EXAMPLES: [&str; 10] = [
    "sd-jwt/address_only_flat.yml",
    "sd-jwt/address_only_recursive.yml",
    "sd-jwt/address_only_structured.yml",
    "sd-jwt/arf-pid.yml",
    "sd-jwt/complex_eidas.yml",
    "sd-jwt/simple.yml",
    "sd-jwt/simple_structured.yml",
    "sd-jwt-vc/01.yml",
    "sd-jwt-vc/02.yml",
    "sd-jwt-vc/03-pid.yml",
];

impl Example {
    fn read(name: &str) -> Self {
        let file: Yaml = serde_yaml_ng::from_str(&text(name)).unwrap();
        Self { claims: file["user_claims"].clone(), disclosed: file["holder_disclosed_claims"].clone() }
    }

    fn vct(&self) -> String {
        self.claims.get("vct").map_or(VCT, |vct| vct.as_str().unwrap()).to_owned()
    }

    /// The claims that an issuer is given; those it sets itself are left out.
    fn dataset(&self, shown: Shown<'_>) -> Map<String, Value> {
        let Value::Object(members) = json_of(&self.claims, shown) else { panic!("claims are an object") };
        members.into_iter().filter(|(name, _)| !NEVER_DISCLOSABLE.contains(&name.as_str())).collect()
    }
}

/// Which marked parts of an example stay.
#[derive(Clone, Copy)]
enum Shown<'a> {
    All,
    /// Those that a selection of the example names; none of it: no marked part.
    Selected(Option<&'a Yaml>),
}

/// A key or element and whether `!sd` marks it.
fn unmarked(yaml: &Yaml) -> (&Yaml, bool) {
    match yaml {
        Yaml::Tagged(tagged) => (&tagged.value, tagged.tag == "!sd"),
        plain => (plain, false),
    }
}

fn json_of(yaml: &Yaml, shown: Shown<'_>) -> Value {
    // A selection goes down with the value; what is not selected keeps its unmarked parts only.
    let below = |child: &Yaml, part: &dyn Fn(&Yaml) -> Option<&Yaml>, marked: bool| -> Option<Value> {
        let shown = match shown {
            Shown::All => Shown::All,
            Shown::Selected(selection) => Shown::Selected(selection.and_then(part)),
        };
        match shown {
            Shown::Selected(selection) if marked && !is_selected(selection) => None,
            shown => Some(json_of(child, shown)),
        }
    };
    match yaml {
        Yaml::Mapping(members) => {
            let mut object = Map::new();
            for (key, value) in members {
                let (key, marked) = unmarked(key);
                if let Some(value) = below(value, &|selection| selection.get(key), marked) {
                    object.insert(key.as_str().unwrap().to_owned(), value);
                }
            }
            object.into()
        }
        Yaml::Sequence(elements) => {
            let mut array = Vec::new();
            for (nth, element) in elements.iter().enumerate() {
                let (value, marked) = unmarked(element);
                array.extend(below(value, &|selection| selection.get(nth), marked));
            }
            array.into()
        }
        plain => serde_json::to_value(plain).unwrap(),
    }
}

/// `true`, or a selection of parts that selects something.
fn is_selected(selection: Option<&Yaml>) -> bool {
    match selection {
        Some(Yaml::Bool(selected)) => *selected,
        Some(Yaml::Mapping(parts)) => parts.iter().any(|(_, part)| is_selected(Some(part))),
        Some(Yaml::Sequence(parts)) => parts.iter().any(|part| is_selected(Some(part))),
        _ => false,
    }
}

/// The rules of a type that marks what the example marks.
fn rules(yaml: &Yaml, marked: bool, path: &mut Vec<Value>, found: &mut Vec<Value>) {
    if !path.is_empty() && (marked || !has_marks(yaml)) {
        let rule = json!({"path": path, "sd": if marked { "always" } else { "never" }});
        if !found.contains(&rule) {
            found.push(rule);
        }
    }
    if !has_marks(yaml) {
        return;
    }
    let mut go = |step: Value, child: &Yaml, marked: bool| {
        path.push(step);
        rules(child, marked, path, found);
        path.pop();
    };
    match yaml {
        Yaml::Mapping(members) => {
            for (key, value) in members {
                let (key, marked) = unmarked(key);
                if marked || !NEVER_DISCLOSABLE.contains(&key.as_str().unwrap()) {
                    go(key.as_str().unwrap().into(), value, marked);
                }
            }
        }
        Yaml::Sequence(elements) => {
            for element in elements {
                let (value, marked) = unmarked(element);
                go(Value::Null, value, marked);
            }
        }
        _ => {}
    }
}

fn has_marks(yaml: &Yaml) -> bool {
    marks(yaml) > 0
}

/// How many parts are marked.
fn marks(yaml: &Yaml) -> usize {
    let one = |part: &Yaml, value: &Yaml| usize::from(unmarked(part).1) + marks(value);
    match yaml {
        Yaml::Mapping(members) => members.iter().map(|(key, value)| one(key, value)).sum(),
        Yaml::Sequence(elements) => elements.iter().map(|element| one(element, unmarked(element).0)).sum(),
        _ => 0,
    }
}

/// The paths of a selection. In the examples `true` on a part means that part and not the marked ones inside it, so
/// its path goes on to an unmarked member where there are any.
fn paths(yaml: &Yaml, selection: &Yaml, path: &mut Vec<Value>, found: &mut Vec<ClaimsPath>) {
    let mut go = |step: Value, child: &Yaml, selection: &Yaml, found: &mut Vec<ClaimsPath>| {
        path.push(step);
        paths(child, selection, path, found);
        path.pop();
    };
    match (selection, yaml) {
        (Yaml::Bool(true), Yaml::Mapping(members)) if has_marks(yaml) => {
            let plain = members.iter().find(|(key, value)| !unmarked(key).1 && !has_marks(value)).unwrap();
            go(plain.0.as_str().unwrap().into(), plain.1, selection, found);
        }
        (Yaml::Bool(true), _) => found.push(ClaimsPath::parse(&json!(path)).unwrap()),
        (Yaml::Mapping(parts), Yaml::Mapping(members)) => {
            for (name, part) in parts {
                let (_, value) = members.iter().find(|(key, _)| unmarked(key).0 == name).unwrap();
                go(name.as_str().unwrap().into(), value, part, found);
            }
        }
        (Yaml::Sequence(parts), Yaml::Sequence(elements)) => {
            for (nth, (part, element)) in parts.iter().zip(elements).enumerate() {
                go(nth.into(), unmarked(element).0, part, found);
            }
        }
        _ => {}
    }
}

/// The claims of a credential less those that its issuer set.
fn dataset_of(credential: &SdJwt) -> Map<String, Value> {
    let set = |name: &str| NEVER_DISCLOSABLE.contains(&name) || name == "iat";
    let members = credential.claims().as_object().unwrap().clone();
    members.into_iter().filter(|(name, _)| !set(name)).collect()
}

#[test]
#[ignore = "needs the public vectors: set TESSERA_TEST_DATA"]
fn the_examples_of_sd_jwt_and_sd_jwt_vc_are_issued_disclosed_and_verified_as_specified() {
    for name in EXAMPLES {
        let example = Example::read(name);
        let mut world = World::new();
        let mut found = Vec::new();
        rules(&example.claims, false, &mut Vec::new(), &mut found);
        let vct = example.vct();
        world.kind = CredentialType::parse(&vct, &json!(found)).unwrap();
        let own = world.root.anchor("anc_own", &[Context::Issuer, Context::Status], &[&vct]);
        world.anchors = Anchors::new(vec![own]);
        world.query = query(&json!({"id": "d", "format": "dc+sd-jwt", "meta": {"vct_values": [vct]}}));

        // Structure: one disclosure for each mark, and in plain sight nothing that is marked.
        let dataset = example.dataset(Shown::All);
        let draft = world.draft(&dataset.clone().into(), 1);
        assert_eq!(draft.disclosures.count(), marks(&example.claims), "{name}");
        let signed = world.issuer.sign(draft.jws.clone());
        let whole = draft.disclosures.assemble(&signed);
        let key = world.issuer.key.public();
        let held = SdJwt::parse(&whole).unwrap().verify(&key, now()).unwrap();
        assert_eq!(dataset_of(&held), dataset, "{name}: all disclosed");
        let bare = SdJwt::parse(&format!("{signed}~")).unwrap().verify(&key, now()).unwrap();
        assert_eq!(dataset_of(&bare), example.dataset(Shown::Selected(None)), "{name}: nothing disclosed");

        // Disclosed parts: what the holder of the example shows, with and without a key binding.
        let mut chosen = Vec::new();
        paths(&example.claims, &example.disclosed, &mut Vec::new(), &mut chosen);
        let shown = held.present(&chosen).unwrap().without_key_binding();
        let seen = SdJwt::parse(&shown).unwrap().verify(&key, now()).unwrap();
        let expected = example.dataset(Shown::Selected(Some(&example.disclosed)));
        assert_eq!(dataset_of(&seen), expected, "{name}: disclosed as specified");
        assert_eq!(world.failures(&world.present_paths(&whole, &chosen)), [""; 0], "{name}: verifies");
    }
}

/// The JSON object of a vector file, which wraps long texts and may begin with a remark.
fn json_in(file: &str) -> Value {
    let object = &file[file.find('{').unwrap()..];
    let whole: String = object.chars().filter(|c| !c.is_whitespace()).collect();
    serde_json::from_str(&whole).unwrap()
}

/// `lst` of a CBOR vector: the byte string after the text `lst`.
fn cbor_lst(file: &str) -> Vec<u8> {
    let encoded = file.rsplit("encoded:").next().unwrap();
    let hex: String = encoded.chars().filter(char::is_ascii_hexdigit).collect();
    let bytes = hex::decode(&hex).unwrap();
    let at = bytes.windows(4).position(|window| window == b"\x63lst").unwrap() + 4;
    let (header, length) = match bytes[at] {
        0x59 => (3, usize::from(u16::from_be_bytes([bytes[at + 1], bytes[at + 2]]))),
        0x58 => (2, usize::from(bytes[at + 1])),
        short => (1, usize::from(short - 0x40)),
    };
    assert_eq!(bytes.len(), at + header + length, "lst ends the map");
    bytes[at + header..].to_vec()
}

fn inflated(list: &Value) -> StatusList {
    let bits = Bits::of(list["bits"].as_u64().unwrap()).unwrap();
    StatusList::inflated(bits, &base64::url_decode(list["lst"].as_str().unwrap()).unwrap()).unwrap()
}

/// Every entry that is not valid, with its value.
fn set_entries(list: &StatusList) -> Vec<(u64, u8)> {
    let entries = (0..list.entries()).map(|idx| (idx, list.value(idx).unwrap().number()));
    entries.filter(|(_, value)| *value != 0).collect()
}

#[test]
#[ignore = "needs the public vectors: set TESSERA_TEST_DATA"]
fn every_status_list_encoding_is_read_as_the_annex_says() {
    const ONE: [(u64, u8); 11] = [
        (0, 1),
        (1993, 1),
        (25460, 1),
        (159495, 1),
        (495669, 1),
        (554353, 1),
        (645645, 1),
        (723232, 1),
        (854545, 1),
        (934534, 1),
        (1000345, 1),
    ];
    const TWO: [(u64, u8); 11] = [
        (0, 1),
        (1993, 2),
        (25460, 1),
        (159495, 3),
        (495669, 1),
        (554353, 1),
        (645645, 2),
        (723232, 1),
        (854545, 1),
        (934534, 2),
        (1000345, 3),
    ];
    const FOUR: [(u64, u8); 15] = [
        (0, 1),
        (1993, 2),
        (35460, 3),
        (459495, 4),
        (595669, 5),
        (754353, 6),
        (845645, 7),
        (923232, 8),
        (924445, 9),
        (934534, 10),
        (1000345, 12),
        (1004534, 11),
        (1030203, 13),
        (1030204, 14),
        (1030205, 15),
    ];
    for (stem, expected) in [("1_long", &ONE[..]), ("2_long", &TWO), ("4", &FOUR)] {
        let list = json_in(&text(&format!("status-list/status_list_encoding{stem}_json.md")));
        let read = inflated(&list);
        assert_eq!(set_entries(&read), expected, "{stem}");
        assert_eq!(read.entries(), 1 << 20, "{stem}");
        let cbor = cbor_lst(&text(&format!("status-list/status_list_encoding{stem}_cbor.md")));
        assert_eq!(StatusList::inflated(read.bits(), &cbor).unwrap(), read, "{stem}");
        assert_eq!(StatusList::inflated(read.bits(), &read.compressed()).unwrap(), read, "{stem}");
    }
    // Eight bits: each value from 1 to 255 stands once; some typed from the annex.
    let list = inflated(&json_in(&text("status-list/status_list_encoding8_json.md")));
    let mut entries = set_entries(&list);
    for (idx, value) in [(52451, 1), (576778, 2), (513575, 3), (13628, 20), (202828, 31), (797182, 50)] {
        assert!(entries.contains(&(idx, value)));
    }
    entries.sort_by_key(|(_, value)| *value);
    assert!(entries.iter().map(|(_, value)| *value).eq(1..=255));
    assert_eq!(
        StatusList::inflated(Bits::Eight, &cbor_lst(&text("status-list/status_list_encoding8_cbor.md"))),
        Ok(list)
    );
}

#[test]
#[ignore = "needs the public vectors: set TESSERA_TEST_DATA"]
fn the_short_status_list_encodings_are_ours_byte_by_byte() {
    for (stem, bytes) in [("", &[0xb9, 0xa3][..]), ("2", &[0xc9, 0x44, 0xf9])] {
        let list = json_in(
            &text(&format!("status-list/status_list_encoding{stem}_json.md")).replace("byte_array", ""),
        );
        let read = inflated(&list);
        assert_eq!(read.bytes(), bytes);
        assert_eq!(base64::url_encode(&read.compressed()), list["lst"].as_str().unwrap());
        assert_eq!(
            cbor_lst(&text(&format!("status-list/status_list_encoding{stem}_cbor.md"))),
            read.compressed()
        );
    }
}

#[test]
#[ignore = "needs the public vectors: set TESSERA_TEST_DATA"]
fn the_status_list_token_of_the_draft_parses_and_ours_has_its_members() {
    let raw: String = text("status-list/status_list_jwt_raw.md").split_whitespace().collect();
    assert!(ListToken::parse(&raw).is_ok());
    let shown: String =
        text("status-list/status_list_jwt.md").chars().filter(|c| !c.is_whitespace()).collect();
    let (header, claims) = shown.split_once("}.{").unwrap();
    let header: Value = serde_json::from_str(&format!("{header}}}")).unwrap();
    let claims: Value = serde_json::from_str(&format!("{{{claims}")).unwrap();
    let ours = world::list_draft(&inflated(&claims["status_list"]), claims["sub"].as_str().unwrap());
    let ours_claims: Value = serde_json::from_slice(&ours.payload).unwrap();
    assert_eq!(ours.header["typ"], header["typ"]);
    assert_eq!(ours_claims["status_list"], claims["status_list"]);
    assert_eq!(ours_claims["sub"], claims["sub"]);
    let names =
        |value: &Value| value.as_object().unwrap().keys().cloned().collect::<std::collections::BTreeSet<_>>();
    assert_eq!(names(&ours_claims), names(&claims));
}

#[test]
#[ignore = "needs the public vectors: set TESSERA_TEST_DATA"]
fn every_dcql_example_is_a_query_of_ours_and_survives_its_types() {
    for name in [
        "claims_alternatives",
        "complex_mdoc",
        "credentials_alternatives",
        "multi_credentials",
        "simple",
        "simple_mdoc",
        "value_matching_simple",
    ] {
        let value: Value = serde_json::from_str(&text(&format!("openid4vp/query_lang/{name}.json"))).unwrap();
        let query = Query::parse(&value, Reader::Own).unwrap_or_else(|faults| panic!("{name}: {faults:?}"));
        assert_eq!(query.to_value(), value, "{name}");
        assert_eq!(Query::parse(&value, Reader::Wallet).unwrap(), query, "{name}");
    }
}
