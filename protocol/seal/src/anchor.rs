//! What an enrolment remembers of the document it was made with: a commitment, nothing else.

use crypto::hash;
use crypto::secret::Secret;

use crate::code::document::DocumentKind;
use crate::code::frame;

/// What a document says of whom it was made for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Identity<'a> {
    /// A seal or a document with a machine readable zone.
    Document {
        /// `vds`, `vds_nc`, `2ddoc`, `idb`.
        kind: DocumentKind,
        /// Country that issued it, as the document writes it.
        country: &'a str,
        /// Type of the document, as the document writes it.
        document_type: &'a str,
        /// Its number.
        number: &'a str,
        /// `YYYY-MM-DD`.
        birth_date: &'a str,
    },
    /// A credential, by the claim that the configuration names as unique for its issuer.
    Credential {
        /// `sd_jwt_vc` or `mdoc`.
        kind: DocumentKind,
        /// The issuer.
        issuer: &'a str,
        /// The value of that claim.
        unique: &'a str,
    },
}

/// `HMAC(k_anchor, frame("seal/1 anchor", …))`: every document shown later must have the same.
pub fn commitment(k_anchor: &Secret<[u8; 32]>, identity: &Identity<'_>) -> [u8; 32] {
    let framed = match *identity {
        Identity::Document { kind, country, document_type, number, birth_date } => frame(
            "seal/1 anchor",
            &[
                kind.as_str().as_bytes(),
                country.as_bytes(),
                document_type.as_bytes(),
                number.as_bytes(),
                birth_date.as_bytes(),
            ],
        ),
        Identity::Credential { kind, issuer, unique } => {
            frame("seal/1 anchor", &[kind.as_str().as_bytes(), issuer.as_bytes(), unique.as_bytes()])
        }
    };
    hash::hmac_sha256(k_anchor.expose(), &[&framed])
}

/// Names the kind alone: the rest is about a person.
impl std::fmt::Debug for Identity<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (Identity::Document { kind, .. } | Identity::Credential { kind, .. }) = self;
        write!(f, "Identity({})", kind.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document<'a>(number: &'a str, birth_date: &'a str) -> Identity<'a> {
        Identity::Document { kind: DocumentKind::Vds, country: "XTS", document_type: "2", number, birth_date }
    }

    #[test]
    fn the_same_document_has_the_same_commitment_and_no_other_has_it() {
        let key = Secret::new([9; 32]);
        let kept = commitment(&key, &document("A1", "1990-01-02"));
        assert_eq!(kept, commitment(&key, &document("A1", "1990-01-02")));
        let credential =
            Identity::Credential { kind: DocumentKind::SdJwtVc, issuer: "https://i.example", unique: "A1" };
        let others = [
            commitment(&key, &document("A2", "1990-01-02")),
            commitment(&key, &document("A1", "1990-01-03")),
            commitment(&key, &document("A11990", "-01-02")),
            commitment(&Secret::new([8; 32]), &document("A1", "1990-01-02")),
            commitment(&key, &credential),
        ];
        assert!(others.iter().all(|other| *other != kept));
    }
}
