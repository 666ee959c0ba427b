//! Problems of this room, each with its page.

edge::problem_pages! {
    pub pages;
    /// The tenant has no such credential type.
    UNKNOWN_CONFIGURATION = 422 "issuer/unknown-configuration": "this tenant issues no such credential",
        meaning "The request names a credential configuration that this tenant does not have.",
        cause "the name is misspelt, or the type belongs to another tenant",
        fix "name one of the tenant's credential types",
        command "tessera credential-type list";
    /// The claims do not fit.
    CLAIMS_INVALID = 422 "issuer/claims-invalid": "the claims do not fit the credential type",
        meaning "Each pointer names a claim that the type does not have, wants of another kind, or makes mandatory. Nothing was stored.",
        cause "the dataset and the credential type disagree",
        fix "mend the claims at the pointers",
        command "tessera credential-type show NAME";
    /// The format is another.
    FORMAT_MISMATCH = 422 "issuer/format-mismatch": "the credential type has another format",
        meaning "The request names both a format and a credential configuration, and they disagree.",
        cause "a format of another type was given",
        fix "leave the format out, or name the type's own",
        command "tessera credential-type show NAME";
    /// A member that this version lacks.
    NOT_OFFERED = 422 "issuer/not-offered": "this version does not offer that",
        meaning "The request asks for something that is defined but not part of this version. It is refused rather than ignored.",
        cause "a member of a later version was sent",
        fix "leave the members at the pointers out",
        command "";
    /// The offer is over.
    OFFER_GONE = 410 "issuer/offer-gone": "this offer is over",
        meaning "The offer was redeemed, cancelled, or its time is over. An offer is spent once.",
        cause "a wallet collected it, somebody cancelled it, or nobody came in time",
        fix "make a new offer",
        command "tessera offer create --type TYPE --claims FILE";
    /// Revocation is final.
    REVOKED_IS_FINAL = 409 "issuer/revoked-is-final": "a revoked credential stays revoked",
        meaning "Revocation cannot be taken back.",
        cause "the credential was revoked before",
        fix "issue a new credential",
        command "tessera offer create --type TYPE --claims FILE";
    /// The keeper of the signer is away.
    SIGNER_UNAVAILABLE = 503 "issuer/signer-unavailable": "the signing key cannot be used now",
        meaning "The keeper of the issuer's signing key did not answer. Nothing was spent.",
        cause "the keeper is shut or failed",
        fix "look at the health of the keeper, then try again",
        command "tessera doctor";
    /// A status list of another time.
    TIME_NOT_SERVED = 501 "issuer/time-not-served": "status lists of another time are not served",
        meaning "The query asks for the status list as it was at another time. Only the list of now is served.",
        cause "the parameter time was given, which is optional for issuers (Token Status List, 8.4)",
        fix "leave the parameter out",
        command "";
    /// The signer's certificates end soon.
    SIGNER_EXPIRING = 503 "issuer/signer-expiring": "the signer's certificate ends within a day",
        meaning "Issuing and list signing stop before a certificate of the signing path ends. Nothing was spent.",
        cause "the signing key was not renewed in time",
        fix "rotate the signing key; the tenant's root certifies the new version at once",
        command "tessera key rotate KEY";
}
