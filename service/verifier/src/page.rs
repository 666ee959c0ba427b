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
    /// Who forbids it is HAIP.
    HAIP_FORBIDS = 422 "verifier/haip-forbids": "HAIP is on and forbids that",
        meaning "The High Assurance Interoperability Profile allows encrypted answers to a verifier that is named by its certificate.",
        cause "client_id_prefix or response_mode was set to another value",
        fix "leave the members at the pointers out",
        command "";
    /// There is no such stored query.
    UNKNOWN_QUERY = 422 "verifier/unknown-query": "there is no stored query of that name",
        meaning "The request names a stored query. Nothing was asked.",
        cause "a misspelt name, or a query that was retired",
        fix "list the stored queries, or store one of that name",
        command "";
    /// Nobody registered that type of transaction.
    UNKNOWN_TRANSACTION_TYPE = 422 "verifier/unknown-transaction-type": "there is no such type of transaction",
        meaning "Transaction data is sent only of types that the tenant registered with their members. Nothing was asked.",
        cause "a misspelt type, or one that was retired",
        fix "register the type first",
        command "";
    /// The browser could not come back there.
    RETURN_URI_INVALID = 422 "verifier/return-uri-invalid": "the browser cannot come back to that address",
        meaning "On one device the wallet sends the browser back to the relying party with a code. Nothing was asked.",
        cause "return_uri is missing, no absolute https address, has a fragment or a response_code of its own",
        fix "give the https address of the page that takes the code",
        command "";
    /// Not the browser that began.
    RETURN_REFUSED = 403 "verifier/return-refused": "the browser that began did not come back",
        meaning "What was shown is released only to the browser that began. Three wrong codes, another browser or 300 seconds end it.",
        cause "a code of another verification, one that was used before, or one that came too late",
        fix "ask the wallet again, in the session of the same user",
        command "";
    /// A tenant keeps so many names.
    TOO_MANY_NAMES = 409 "verifier/too-many-names": "no more names can be used",
        meaning "A tenant keeps at most 1,000 names of each kind, the retired among them.",
        cause "each request stored a definition under a new name",
        fix "store the next version of a name that is there",
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
