//! Problems of this room, each with its page.

edge::problem_pages! {
    pub pages;
    /// The query breaks a rule.
    QUERY_INVALID = 422 "verifier/query-invalid": "the query does not hold to DCQL",
        meaning "Each pointer names a place of the query and the rule that it breaks. Nothing was stored.",
        cause "a member is missing, unknown, of another type or out of its bound",
        fix "mend the query at the pointers",
        command "tessera verification create --query FILE";
    /// A member that this version lacks.
    NOT_OFFERED = 422 "verifier/not-offered": "this version does not offer that",
        meaning "The request asks for something that is defined but not part of this version. It is refused rather than ignored.",
        cause "a member of a later version was sent",
        fix "leave the members at the pointers out",
        command "";
    /// The result was deleted.
    RESULT_ERASED = 410 "verifier/result-erased": "the result of this verification was erased",
        meaning "Somebody deleted the verification. Its claims and its report are gone.",
        cause "the verification was deleted before",
        fix "ask the wallet again",
        command "tessera verification create --query FILE";
    /// The signer's certificates end soon.
    SIGNER_EXPIRING = 503 "verifier/signer-expiring": "the request signer's certificate ends within a day",
        meaning "Requests are not signed when a certificate of the signing path is about to end. Nothing was stored.",
        cause "the signing key was not renewed in time",
        fix "rotate the signing key; the tenant's root certifies the new version at once",
        command "tessera key rotate KEY";
}
