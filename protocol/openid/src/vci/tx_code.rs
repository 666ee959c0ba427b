//! Transaction codes: a second secret that reaches the holder by another way than the offer (OpenID4VCI 1.0, 3.5 and 4.1.1).
//!
//! Threat: whoever sees the offer's link or QR code has everything but this. So it is short enough to be typed, kept only as a MAC
//! bound to its offer, and dead after [`TX_CODE_TRIES_MAX`] wrong ones, for the right one too. Taking a try is the caller's
//! guarded write, made for every wrong code and never for a right one: whoever sends many at once has as many tries as whoever
//! sends one after the other, since a right one counts only while a try is left at the moment of its commit.

use super::offer::TxCode;
use crypto::secret::Secret;

/// Wrong codes that an offer stands: five of a million six-digit codes.
pub const TX_CODE_TRIES_MAX: u32 = 5;
/// Fewest characters: with five tries one guess in 200,000 succeeds.
pub const TX_CODE_CHARS_MIN: u32 = 6;
/// Most characters: more are not typed.
pub const TX_CODE_CHARS_MAX: u32 = 16;
/// Most characters of `description` (OpenID4VCI 1.0, 4.1.1).
pub const DESCRIPTION_CHARS_MAX: usize = 300;
/// Most bytes of a code that is compared; a longer one is wrong.
pub const TX_CODE_BYTES_MAX: usize = 64;
/// Label of [`TxCodeKey`]'s MAC key, for whoever derives it.
pub const TX_CODE_KEY_LABEL: &str = "tx_code";

const LABEL: &[u8] = b"tessera/tx_code/1";
/// Of `text`: thirty-two signs that nobody confuses (neither 0 nor O, neither 1 nor I).
const LETTERS: &[u8; 32] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZ";
/// Random bytes drawn at once.
const DRAW_BYTES: usize = 32;

/// What is stored of an offer's transaction code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TxCodeLock {
    /// [`TxCodeKey::mac`] of the right one.
    pub mac: [u8; 32],
    /// Wrong ones that it still stands.
    pub tries_left: u32,
}

/// What makes and compares the codes of one tenant.
#[derive(Debug)]
pub struct TxCodeKey {
    key: Secret<[u8; 32]>,
    tenant: String,
}

impl TxCodeKey {
    /// The MAC key is the tenant's own.
    #[must_use]
    pub fn new(key: Secret<[u8; 32]>, tenant: &str) -> TxCodeKey {
        TxCodeKey { key, tenant: tenant.to_owned() }
    }

    /// The MAC of a code for one offer: without the key nobody finds a million codes by trying.
    #[must_use]
    pub fn mac(&self, offer: &str, code: &str) -> [u8; 32] {
        // Each part behind its length, so no two triples read alike.
        let lengths = [self.tenant.len(), offer.len()].map(|length| (length as u64).to_be_bytes());
        let parts: [&[u8]; 6] =
            [LABEL, &lengths[0], self.tenant.as_bytes(), &lengths[1], offer.as_bytes(), code.as_bytes()];
        crypto::hash::hmac_sha256(self.key.expose(), &parts)
    }

    /// Whether `code` is the one behind `mac`, compared in constant time.
    #[must_use]
    pub fn is_right(&self, offer: &str, code: &str, mac: &[u8; 32]) -> bool {
        code.len() <= TX_CODE_BYTES_MAX && crypto::hash::equal(&self.mac(offer, code), mac)
    }
}

/// The form that nobody asked anything else of: six digits.
#[must_use]
pub fn six_digits() -> TxCode {
    TxCode { input_mode: Some("numeric".to_owned()), length: Some(TX_CODE_CHARS_MIN), description: None }
}

/// Whether a form can be made: `numeric` or `text`, a length within bounds, a short description. What is missing is filled in.
#[must_use]
pub fn completed(asked: TxCode) -> Option<TxCode> {
    let mode = asked.input_mode.unwrap_or_else(|| "numeric".to_owned());
    let length = asked.length.unwrap_or(TX_CODE_CHARS_MIN);
    let fits = ["numeric", "text"].contains(&mode.as_str())
        && (TX_CODE_CHARS_MIN..=TX_CODE_CHARS_MAX).contains(&length)
        && asked
            .description
            .as_ref()
            .is_none_or(|text| !text.is_empty() && text.chars().count() <= DESCRIPTION_CHARS_MAX);
    fits.then_some(TxCode { input_mode: Some(mode), length: Some(length), description: asked.description })
}

/// A fresh code of this form, each sign as likely as any other.
#[must_use]
pub fn make(form: &TxCode, random: &mut dyn FnMut() -> [u8; DRAW_BYTES]) -> Secret<String> {
    let is_text = form.input_mode.as_deref() == Some("text");
    let length =
        form.length.unwrap_or(TX_CODE_CHARS_MIN).clamp(TX_CODE_CHARS_MIN, TX_CODE_CHARS_MAX) as usize;
    let mut code = String::with_capacity(length);
    while code.len() < length {
        for byte in random() {
            // 250 is the largest multiple of ten in a byte: beyond it small digits would come more often.
            let sign = match byte {
                _ if is_text => LETTERS[usize::from(byte & 31)],
                0..250 => b'0' + byte % 10,
                _ => continue,
            };
            if code.len() < length {
                code.push(char::from(sign));
            }
        }
    }
    Secret::new(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(tenant: &str) -> TxCodeKey {
        TxCodeKey::new(Secret::new([7; 32]), tenant)
    }

    #[test]
    fn a_code_is_right_for_its_tenant_and_its_offer_alone() {
        let mac = key("a").mac("off_1", "493536");
        assert!(key("a").is_right("off_1", "493536", &mac));
        for (tenant, offer, code) in
            [("b", "off_1", "493536"), ("a", "off_2", "493536"), ("a", "off_1", "493537"), ("a", "off_1", "")]
        {
            assert!(!key(tenant).is_right(offer, code, &mac), "{tenant} {offer} {code}");
        }
        assert_ne!(key("a").mac("off_1", "1"), key("a").mac("off_", "11"), "parts do not flow together");
        let long = "1".repeat(TX_CODE_BYTES_MAX + 1);
        assert!(!key("a").is_right("off_1", &long, &key("a").mac("off_1", &long)));
    }

    #[test]
    fn a_form_is_completed_or_refused() {
        assert_eq!(
            completed(TxCode { input_mode: None, length: None, description: None }),
            Some(six_digits())
        );
        for (mode, length, description) in [
            (Some("binary"), None, None),
            (None, Some(5), None),
            (None, Some(17), None),
            (None, None, Some(String::new())),
            (None, None, Some("d".repeat(301))),
        ] {
            let asked = TxCode { input_mode: mode.map(str::to_owned), length, description };
            assert_eq!(completed(asked.clone()), None, "{asked:?}");
        }
    }

    #[test]
    fn made_codes_have_their_form_and_every_sign_comes_about_as_often() {
        for (mode, signs) in [("numeric", 10), ("text", 32)] {
            let form = TxCode { input_mode: Some(mode.to_owned()), length: Some(16), description: None };
            let mut seen = std::collections::BTreeMap::<char, u32>::new();
            for _ in 0..2_000 {
                let code = make(&form, &mut crypto::random::array);
                assert_eq!(code.expose().len(), 16);
                code.expose().chars().for_each(|sign| *seen.entry(sign).or_default() += 1);
            }
            let expected = 32_000 / signs;
            assert_eq!(seen.len(), signs as usize);
            assert!(seen.values().all(|count| count.abs_diff(expected) < expected / 4), "{mode} {seen:?}");
        }
    }
}
