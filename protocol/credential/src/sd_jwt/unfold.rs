//! Putting disclosures back where their digests stand (RFC 9901, 7.1 step 3), and refusing every way it can be wrong.

use serde_json::{Map, Value};

use super::disclosure::{self, Content};
use super::{DEPTH_MAX, DisclosureFault, NEVER_DISCLOSABLE, SD_ALG, is_reserved_name};
use crate::claims_path::Step;

/// Where one disclosure belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Placed {
    /// The claim it reveals, in the unfolded claims.
    pub(crate) place: Vec<Step>,
}

/// A payload with its disclosures put back.
#[derive(Clone, Debug)]
pub(crate) struct Unfolded {
    /// The claims, without `_sd`, `...` and `_sd_alg`.
    pub(crate) claims: Map<String, Value>,
    /// One for each disclosure, in the order sent.
    pub(crate) placed: Vec<Placed>,
}

/// Unfolds `payload` with the encoded `disclosures`.
pub(crate) fn unfold(payload: Map<String, Value>, disclosures: &[&str]) -> Result<Unfolded, DisclosureFault> {
    let mut payload = payload;
    match payload.shift_remove("_sd_alg") {
        None => {}
        Some(Value::String(alg)) if alg == SD_ALG => {}
        Some(_) => return Err(DisclosureFault::SdAlg),
    }
    let mut by_digest = Vec::with_capacity(disclosures.len());
    let mut contents = Vec::with_capacity(disclosures.len());
    for (nth, encoded) in disclosures.iter().enumerate() {
        contents.push(Some(disclosure::decode(encoded)?));
        by_digest.push((disclosure::digest(encoded), nth));
    }
    by_digest.sort_unstable();
    if by_digest.windows(2).any(|pair| pair[0].0 == pair[1].0) {
        return Err(DisclosureFault::Twice);
    }
    let placed = vec![None; disclosures.len()];
    let mut unfolding = Unfolding { by_digest, contents, placed, seen: Vec::new(), place: Vec::new() };
    let claims = unfolding.object(payload)?;
    unfolding.seen.sort_unstable();
    if unfolding.seen.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(DisclosureFault::DigestTwice);
    }
    let placed: Option<Vec<Placed>> = unfolding.placed.into_iter().collect();
    Ok(Unfolded { claims, placed: placed.ok_or(DisclosureFault::Unreferenced)? })
}

struct Unfolding {
    /// Digest and place of each disclosure, sorted.
    by_digest: Vec<(String, usize)>,
    contents: Vec<Option<Content>>,
    placed: Vec<Option<Placed>>,
    /// Every digest met, decoys too; compared at the end.
    seen: Vec<String>,
    place: Vec<Step>,
}

impl Unfolding {
    fn object(&mut self, mut members: Map<String, Value>) -> Result<Map<String, Value>, DisclosureFault> {
        let digests = match members.shift_remove("_sd") {
            None => Vec::new(),
            Some(Value::Array(digests)) => digests,
            Some(_) => return Err(DisclosureFault::BadDigests),
        };
        if members.contains_key("...") {
            return Err(DisclosureFault::BadDigests);
        }
        for (name, value) in &mut members {
            if self.place.is_empty() && NEVER_DISCLOSABLE.contains(&name.as_str()) {
                refuse_digests(value)?;
            } else if value.is_object() || value.is_array() {
                let hidden = value.take();
                *value = self.below(Step::Name(name.clone()), |it| it.value(hidden))?;
            }
        }
        for digest in digests {
            let Value::String(digest) = digest else { return Err(DisclosureFault::BadDigests) };
            let Some((nth, content)) = self.meet(digest)? else { continue };
            let Content::Member { name, value } = content else { return Err(DisclosureFault::WrongPlace) };
            if self.place.is_empty() && (NEVER_DISCLOSABLE.contains(&name.as_str()) || name == "_sd_alg") {
                return Err(DisclosureFault::NeverDisclosable);
            }
            if members.contains_key(&name) {
                return Err(DisclosureFault::AlreadyThere);
            }
            let value = self.below(Step::Name(name.clone()), |it| it.put(nth, value))?;
            members.insert(name, value);
        }
        Ok(members)
    }

    fn value(&mut self, value: Value) -> Result<Value, DisclosureFault> {
        match value {
            Value::Object(members) => self.object(members).map(Value::Object),
            Value::Array(elements) => self.array(elements).map(Value::Array),
            plain => Ok(plain),
        }
    }

    fn array(&mut self, elements: Vec<Value>) -> Result<Vec<Value>, DisclosureFault> {
        let mut unfolded = Vec::with_capacity(elements.len());
        for element in elements {
            let at = Step::Index(unfolded.len() as u64);
            match element {
                Value::Object(members) if members.contains_key("...") => {
                    let digest = lone_digest(members)?;
                    let Some((nth, content)) = self.meet(digest)? else { continue };
                    let Content::Element { value } = content else { return Err(DisclosureFault::WrongPlace) };
                    unfolded.push(self.below(at, |it| it.put(nth, value))?);
                }
                element => unfolded.push(self.below(at, |it| it.value(element))?),
            }
        }
        Ok(unfolded)
    }

    /// A digest of the credential: the disclosure it stands for, or none when it was kept back or is a decoy.
    fn meet(&mut self, digest: String) -> Result<Option<(usize, Content)>, DisclosureFault> {
        let found = self.by_digest.binary_search_by(|(known, _)| known.as_str().cmp(&digest));
        self.seen.push(digest);
        let Ok(found) = found else { return Ok(None) };
        let nth = self.by_digest[found].1;
        // Taken at the first meeting: a second one would put one disclosure in two places.
        self.contents[nth].take().map(|content| Some((nth, content))).ok_or(DisclosureFault::DigestTwice)
    }

    /// The value of disclosure `nth` takes its place; what it holds may be hidden again.
    fn put(&mut self, nth: usize, value: Value) -> Result<Value, DisclosureFault> {
        self.placed[nth] = Some(Placed { place: self.place.clone() });
        self.value(value)
    }

    fn below<T>(
        &mut self,
        step: Step,
        act: impl FnOnce(&mut Self) -> Result<T, DisclosureFault>,
    ) -> Result<T, DisclosureFault> {
        if self.place.len() >= DEPTH_MAX {
            return Err(DisclosureFault::TooDeep);
        }
        self.place.push(step);
        let done = act(self);
        self.place.pop();
        done
    }
}

/// `{"...":"digest"}` and nothing beside it.
fn lone_digest(members: Map<String, Value>) -> Result<String, DisclosureFault> {
    let mut members = members.into_iter();
    match (members.next(), members.next()) {
        (Some((_, Value::String(digest))), None) => Ok(digest),
        _ => Err(DisclosureFault::BadDigests),
    }
}

/// A claim that stands in plain sight does so with all its members (SD-JWT VC, 2.2.2.3).
fn refuse_digests(value: &Value) -> Result<(), DisclosureFault> {
    match value {
        Value::Object(members) => members.iter().try_for_each(|(name, value)| {
            if is_reserved_name(name) {
                Err(DisclosureFault::NeverDisclosable)
            } else {
                refuse_digests(value)
            }
        }),
        Value::Array(elements) => elements.iter().try_for_each(refuse_digests),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A disclosure by its JSON, with its digest.
    fn of(json: &Value) -> (String, String) {
        let encoded = crypto::base64::url_encode(json.to_string().as_bytes());
        let digest = disclosure::digest(&encoded);
        (encoded, digest)
    }

    fn unfolded(payload: &Value, disclosures: &[&str]) -> Result<Value, DisclosureFault> {
        unfold(payload.as_object().unwrap().clone(), disclosures).map(|done| Value::Object(done.claims))
    }

    #[test]
    fn kept_back_claims_and_decoys_leave_no_trace() {
        let payload = json!({"a": 1, "_sd": ["x", "y"], "_sd_alg": "sha-256", "l": [{"...": "z"}, 2]});
        assert_eq!(unfolded(&payload, &[]), Ok(json!({"a": 1, "l": [2]})));
    }

    #[test]
    fn disclosures_inside_disclosures_are_put_back_and_know_their_place() {
        let (de, de_digest) = of(&json!(["s1", "DE"]));
        let (list, list_digest) = of(&json!(["s2", "nationalities", [{"...": de_digest}, "FR"]]));
        let payload = json!({"_sd": [list_digest]});
        let done = unfold(payload.as_object().unwrap().clone(), &[&de, &list]).unwrap();
        assert_eq!(Value::Object(done.claims), json!({"nationalities": ["DE", "FR"]}));
        assert_eq!(done.placed[0].place, [Step::Name("nationalities".into()), Step::Index(0)]);
        assert_eq!(done.placed[1].place, [Step::Name("nationalities".into())]);
    }

    #[test]
    fn a_disclosure_without_its_parent_is_unreferenced() {
        let (de, de_digest) = of(&json!(["s1", "DE"]));
        let (_, list_digest) = of(&json!(["s2", "nationalities", [{"...": de_digest}]]));
        assert_eq!(unfolded(&json!({"_sd": [list_digest]}), &[&de]), Err(DisclosureFault::Unreferenced));
    }

    #[test]
    fn a_digest_that_stands_twice_is_refused_even_a_decoy() {
        assert_eq!(unfolded(&json!({"_sd": ["x", "x"]}), &[]), Err(DisclosureFault::DigestTwice));
        assert_eq!(
            unfolded(&json!({"_sd": ["x"], "a": {"_sd": ["x"]}}), &[]),
            Err(DisclosureFault::DigestTwice)
        );
        assert_eq!(
            unfolded(&json!({"_sd": ["x"], "a": [{"...": "x"}]}), &[]),
            Err(DisclosureFault::DigestTwice)
        );
    }

    #[test]
    fn a_disclosure_sent_twice_is_refused() {
        let (a, digest) = of(&json!(["s", "a", 1]));
        assert_eq!(unfolded(&json!({"_sd": [digest]}), &[&a, &a]), Err(DisclosureFault::Twice));
    }

    #[test]
    fn a_claim_already_there_is_not_replaced() {
        let (a, digest) = of(&json!(["s", "a", 1]));
        assert_eq!(unfolded(&json!({"a": 2, "_sd": [digest]}), &[&a]), Err(DisclosureFault::AlreadyThere));
        let (b, other) = of(&json!(["t", "a", 2]));
        assert_eq!(unfolded(&json!({"_sd": [digest, other]}), &[&a, &b]), Err(DisclosureFault::AlreadyThere));
    }

    #[test]
    fn claims_that_must_stand_in_plain_sight_are_no_disclosures_and_hold_none() {
        for name in NEVER_DISCLOSABLE.into_iter().chain(["_sd_alg"]) {
            let (hidden, digest) = of(&json!(["s", name, 1]));
            let fault = unfolded(&json!({"_sd": [digest]}), &[&hidden]).unwrap_err();
            assert_eq!(fault, DisclosureFault::NeverDisclosable, "{name}");
        }
        for payload in [json!({"cnf": {"jwk": {"_sd": []}}}), json!({"status": {"l": [{"...": "x"}]}})] {
            assert_eq!(unfolded(&payload, &[]), Err(DisclosureFault::NeverDisclosable), "{payload}");
        }
        // Inside another claim the same names are ordinary.
        let (inner, digest) = of(&json!(["s", "status", "single"]));
        assert_eq!(
            unfolded(&json!({"a": {"_sd": [digest]}}), &[&inner]),
            Ok(json!({"a": {"status": "single"}}))
        );
    }

    #[test]
    fn elements_and_members_do_not_change_places() {
        let (element, element_digest) = of(&json!(["s", 1]));
        assert_eq!(
            unfolded(&json!({"_sd": [element_digest]}), &[&element]),
            Err(DisclosureFault::WrongPlace)
        );
        let (member, member_digest) = of(&json!(["s", "a", 1]));
        assert_eq!(
            unfolded(&json!({"l": [{"...": member_digest}]}), &[&member]),
            Err(DisclosureFault::WrongPlace)
        );
    }

    #[test]
    fn malformed_digests_are_refused() {
        for payload in [
            json!({"_sd": "x"}),
            json!({"_sd": [1]}),
            json!({"...": "x"}),
            json!({"l": [{"...": "x", "a": 1}]}),
            json!({"l": [{"...": 1}]}),
        ] {
            assert_eq!(unfolded(&payload, &[]), Err(DisclosureFault::BadDigests), "{payload}");
        }
        for alg in [json!("sha-512"), json!("SHA-256"), json!(7), json!(null)] {
            assert_eq!(unfolded(&json!({"_sd_alg": alg}), &[]), Err(DisclosureFault::SdAlg));
        }
    }

    #[test]
    fn disclosures_nested_without_end_are_refused() {
        let (mut encoded, mut digest) = of(&json!(["s", "a", 1]));
        let mut all = vec![encoded];
        for nth in 0..=DEPTH_MAX {
            (encoded, digest) = of(&json!([format!("s{nth}"), "a", {"_sd": [digest]}]));
            all.push(encoded);
        }
        let all: Vec<&str> = all.iter().map(String::as_str).collect();
        assert_eq!(unfolded(&json!({"_sd": [digest]}), &all), Err(DisclosureFault::TooDeep));
    }
}
