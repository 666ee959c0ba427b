//! Problems of this room, each with its page.

edge::problem_pages! {
    pub pages;
    /// The session is over, or never was.
    UNKNOWN_SESSION = 404 "seal/unknown-session": "there is no such sign-in",
        meaning "The sign-in was answered, ran out of time, or never was. Which of them is not told.",
        cause "an answer came before, the page stood open too long, or the link is another one's",
        fix "begin again at the service",
        command "";
    /// Another wallet was first.
    ALREADY_CLAIMED = 409 "seal/already-claimed": "another device has claimed this sign-in",
        meaning "The first device that opens a sign-in has it. The page names that device.",
        cause "the code was scanned twice, or a stranger scanned it",
        fix "if the page names a device that is not yours, cancel there and begin again",
        command "";
    /// The browser has to do its part first.
    ASSERTION_PENDING = 409 "seal/assertion-pending": "the browser has not shown its passkey yet",
        meaning "The answer holds, but this service asks for a passkey in the browser too. Nothing was spent.",
        cause "the passkey on the page was not used yet",
        fix "use the passkey on the page, then send the same answer again",
        command "";
    /// The sign-in or enrolment is not where this can happen.
    OUT_OF_TURN = 409 "seal/out-of-turn": "this cannot happen now",
        meaning "The sign-in or enrolment is in a state in which this is not done. Nothing changed.",
        cause "it was done before, or something else has to come first",
        fix "look at its state and go on from there",
        command "";
    /// The key is enrolled.
    ALREADY_ENROLLED = 409 "seal/already-enrolled": "this device key is enrolled already",
        meaning "A device key belongs to one enrolment, also after that was revoked.",
        cause "the same key was sent a second time",
        fix "make new keys in the wallet and enrol again",
        command "tessera wallet enrol URI";
    /// The proof of a request does not hold.
    PROOF_INVALID = 401 "seal/proof-invalid": "the proof of this request does not hold",
        meaning "A wallet signs each request: method, address, body, time and an id that counts once. Nothing changed.",
        cause "another key, another address or body, a clock that is wrong, or a request sent twice",
        fix "set the clock of the device, then try again",
        command "";
    /// The device may sign in no more.
    ENROLMENT_REVOKED = 403 "seal/enrolment-revoked": "this device is enrolled no more",
        meaning "The enrolment was revoked or its time is over. That is final.",
        cause "its person or an operator revoked it, or its document ended",
        fix "enrol again",
        command "tessera wallet enrol URI";
    /// The device is locked.
    ENROLMENT_LOCKED = 403 "seal/enrolment-locked": "this device is locked",
        meaning "Its person locked the device. An operator unlocks it.",
        cause "somebody pressed lock",
        fix "ask an operator to approve the enrolment again",
        command "tessera enrolment approve ENROLMENT";
    /// The device has to wait.
    ENROLMENT_WAITING = 403 "seal/enrolment-waiting": "this device has to wait",
        meaning "A second device of a person waits, so that whoever copied a document gains nothing before its owner is told.",
        cause "another device is enrolled with the same document",
        fix "approve it with the other device, or wait",
        command "tessera enrolment approve ENROLMENT";
    /// An operator has to decide.
    NEEDS_OPERATOR = 403 "seal/needs-operator": "an operator has to approve this device",
        meaning "The new device would be weaker than the ones before, or reach a level that waiting alone does not give.",
        cause "the document or the device is of another class than before",
        fix "ask an operator",
        command "tessera enrolment approve ENROLMENT";
    /// No invite.
    INVITE_INVALID = 403 "seal/invite-invalid": "an invite is needed to enrol here",
        meaning "This tenant enrols whom it invited. An invite counts once, for a while, and may ask for a level.",
        cause "no invite was sent, or it was used, is over, or asks for a stronger document",
        fix "ask for a new invite",
        command "tessera enrolment invite";
    /// Nobody vouches for the anchor.
    ANCHOR_UNTRUSTED = 422 "seal/anchor-untrusted": "the document cannot be relied upon here",
        meaning "The document does not verify, or its signer leads to no anchor of this tenant.",
        cause "the document was changed, or its authority is not among the trust anchors",
        fix "show another document, or add the authority's certificate",
        command "tessera trust-anchor add FILE --for vds";
    /// The anchor counts no more.
    ANCHOR_REVOKED = 422 "seal/anchor-revoked": "the document counts no more",
        meaning "The document was revoked or has ended.",
        cause "its issuer revoked it, or its last day is past",
        fix "show a document that is valid",
        command "";
    /// The document is another one's.
    DOCUMENT_MISMATCH = 422 "seal/document-mismatch": "the document belongs to another device",
        meaning "The document names the device key that it was made for, and this is another one.",
        cause "the document was copied from another device",
        fix "show a document of this device",
        command "";
    /// The device key is not attested.
    KEY_UNATTESTED = 422 "seal/key-unattested": "this attestation is not verified here",
        meaning "Only devices without attestation are enrolled in this version; their keys count as software keys.",
        cause "the wallet sent an attestation of a format that is not verified",
        fix "send the format none",
        command "";
    /// Too often.
    RATE_LIMITED = 429 "seal/rate-limited": "this device claimed too many sign-ins",
        meaning "A device may claim sixty sign-ins an hour.",
        cause "too many claims within an hour",
        fix "wait and try again",
        command "";
    /// A proof of a relying party does not hold.
    SERVICE_PROOF = 422 "seal/service-proof": "the relying party did not prove itself",
        meaning "Each key signs the challenge once, and each origin shows it under /.well-known/tessera-service.",
        cause "a signature, the file at an origin, or one of its members is not what it must be",
        fix "mend the place that is named and prove again before the challenge ends",
        command "tessera relying-party prove ID";
    /// There is nothing to prove.
    NO_CHALLENGE = 409 "seal/no-challenge": "there is no challenge to prove",
        meaning "A challenge lives for ten minutes and is spent by a proof that holds.",
        cause "it ran out, or the relying party proved itself before",
        fix "change the relying party to get a new one",
        command "tessera relying-party update ID";
    /// The relying party is another one by now.
    CHANGED_SINCE = 412 "seal/changed-since": "the relying party was changed since you read it",
        meaning "If-Match names a revision that the relying party no longer has, so somebody else changed it meanwhile.",
        cause "two people changed it at once",
        fix "read it again, then send the change with its new ETag",
        command "tessera relying-party show ID";
    /// Revocation is final.
    REVOKED_IS_FINAL = 409 "seal/revoked-is-final": "a revoked document seal stays revoked",
        meaning "Revocation cannot be taken back.",
        cause "the seal was revoked before",
        fix "issue a new seal",
        command "tessera document-seal issue --type organisation --claims FILE";
    /// The signer ends soon.
    SIGNER_EXPIRING = 503 "seal/signer-expiring": "the signer of document seals ends within a day",
        meaning "Nothing is signed when a certificate of the signing path is about to end. Nothing was stored.",
        cause "the signing key was not renewed in time",
        fix "rotate the signing key; the tenant's root certifies the new version at once",
        command "tessera key rotate KEY";
    /// Another browser began the sign-in.
    OTHER_BROWSER = 401 "seal/other-browser": "this browser did not begin this sign-in",
        meaning "A sign-in belongs to the browser that opened it, by its cookie. No other one reads or ends it.",
        cause "the link came from another browser, or the cookie is gone",
        fix "begin again at the service",
        command "";
    /// The form is not the page's own.
    FORM_TOKEN = 403 "seal/form-token": "this was not sent by the page of this sign-in",
        meaning "Each POST of a sign-in carries the token of its page, which no other site knows. Nothing changed.",
        cause "another site sent it, or the page stood open past a renewal",
        fix "load the page again",
        command "";
    /// The ticket counts no more.
    PASSKEY_TICKET = 403 "seal/passkey-ticket": "this link for a passkey counts no more",
        meaning "A link of a wallet adds one passkey, once, within five minutes.",
        cause "it was used, or its time is over",
        fix "ask the wallet for a new link",
        command "tessera wallet";
    /// The passkey does not hold.
    PASSKEY_REFUSED = 422 "seal/passkey-refused": "this passkey was not added",
        meaning "What the browser made does not hold, or is known already. The link is spent.",
        cause "another origin, no check of the person, an algorithm that is not offered, or a passkey that is added already",
        fix "ask the wallet for a new link, then use another passkey",
        command "tessera wallet";
}
