//! Events of issuer, verifier and trust anchors.

macro_rules! credentials_events {
    ([$next:ident $($rest:ident)*] $($so_far:tt)*) => { $next! { [$($rest)*] $($so_far)*
        room "credentials";

        /// A credential type was defined, or has a new definition.
        CredentialTypePut = "credential-type-put", Done, Own, None {
            leaf 10 sha256: [u8; 32], "SHA-256 of the definition";
            detail 1 name: String, "its name";
            detail 2 version: u32, "its version";
        }

        /// A credential type is issued no more.
        CredentialTypeRetired = "credential-type-retired", Done, Own, None {
            detail 1 name: String, "its name";
        }

        /// A stored query was defined, or has a new definition.
        QueryPut = "query-put", Done, Own, None {
            leaf 10 sha256: [u8; 32], "SHA-256 of the definition";
            detail 1 name: String, "its name";
            detail 2 version: u32, "its version";
        }

        /// A stored query is used no more.
        QueryRetired = "query-retired", Done, Own, None {
            detail 1 name: String, "its name";
        }

        /// A type of transaction data was defined, or has a new definition.
        TransactionTypePut = "transaction-type-put", Done, Own, None {
            leaf 10 sha256: [u8; 32], "SHA-256 of the definition";
            detail 1 name: String, "its name";
            detail 2 version: u32, "its version";
        }

        /// A type of transaction data is used no more.
        TransactionTypeRetired = "transaction-type-retired", Done, Own, None {
            detail 1 name: String, "its name";
        }

        /// A credential was offered.
        OfferCreated = "offer-created", Done, Own, Pseudonym {
            subject "holder" holder: Option<String>, "the person, if the issuer named one";
            leaf 10 ttl_s: u64, "life of the offer in seconds";
            detail 1 offer: String, "the offer";
            detail 2 credential: String, "the credential that it is for";
            detail 3 configurations: Vec<String>, "its forms";
        }

        /// An offer was withdrawn before it was taken.
        OfferCancelled = "offer-cancelled", Done, Own, Pseudonym {
            subject "holder" holder: Option<String>, "the person, if the issuer named one";
            detail 1 offer: String, "the offer";
            detail 2 credential: String, "the credential that it was for";
        }

        /// Nobody took an offer in time.
        OfferExpired = "offer-expired", TimedOut, Own, Pseudonym {
            subject "holder" holder: Option<String>, "the person, if the issuer named one";
            detail 1 offer: String, "the offer";
            detail 2 credential: String, "the credential that it was for";
        }

        /// The last wrong transaction code ended an offer, for the right one too.
        OfferLocked = "offer-locked", Refused, Own, Pseudonym {
            subject "holder" holder: Option<String>, "the person, if the issuer named one";
            detail 1 offer: String, "the offer";
            detail 2 credential: String, "the credential that it was for";
        }

        /// A wallet spent an offer's code and may fetch the credential.
        AccessGranted = "access-granted", Done, Own, Pseudonym {
            subject "holder" holder: Option<String>, "the person, if the issuer named one";
            leaf 10 ttl_s: u64, "life of the grant in seconds";
            detail 1 grant: String, "the grant";
            detail 2 offer: String, "the offer";
        }

        /// A wallet received a credential.
        CredentialIssued = "credential-issued", Done, Own, Pseudonym {
            subject "holder" holder: Option<String>, "the person, if the issuer named one";
            leaf 10 form: Form, "1 SD-JWT, 2 mdoc";
            leaf 11 copies: u64, "how many copies";
            detail 1 grant: String, "the grant";
            detail 2 credential: String, "the credential";
            detail 3 configuration: String, "its form";
            detail 4 key_use: KeyUse, "the key that signed it";
        }

        /// A wallet with a known offer or grant was refused.
        IssueRefused = "issue-refused", Refused, Own, Pseudonym {
            subject "holder" holder: Option<String>, "the person, if the issuer named one";
            detail 1 grant: Option<String>, "the grant, once there is one";
            detail 2 offer: Option<String>, "the offer";
            detail 3 code: String, "code of the refusal, as the wallet got it";
        }

        /// A wallet told what became of the copies of one answer.
        NotificationReceived = "notification-received", Done, Own, Pseudonym {
            subject "holder" holder: Option<String>, "the person, if the issuer named one";
            leaf 10 revoked: u64, "how many copies it took back";
            detail 1 grant: String, "the grant";
            detail 2 credential: String, "the credential";
            detail 3 told: String, "one of the three words of the standard";
        }

        /// Copies of a credential were revoked for ever.
        CredentialRevoked = "credential-revoked", Done, Own, Pseudonym {
            subject "holder" holder: Option<String>, "the person, if the issuer named one";
            leaf 10 copies: u64, "how many copies";
            detail 1 credential: String, "the credential";
            detail 2 reason: String, "one of the five codes";
        }

        /// A status list was opened.
        StatusListOpened = "status-list-opened", Done, Own, None {
            leaf 10 list: u64, "its number";
            leaf 11 entries: u64, "how many entries it has";
        }

        /// A status list was signed, because it changed or its hour came.
        StatusListSigned = "status-list-signed", Done, Own, None {
            leaf 10 list: u64, "its number";
            leaf 11 sha256: [u8; 32], "SHA-256 of the signed list";
            detail 1 key_use: KeyUse, "the key that signed it";
        }

        /// A metadata document was signed.
        MetadataSigned = "metadata-signed", Done, Own, None {
            leaf 10 sha256: [u8; 32], "SHA-256 of the document";
            detail 1 document: String, "which document";
            detail 2 key_use: KeyUse, "the key that signed it";
        }

        /// A presentation was asked for.
        PresentationRequested = "presentation-requested", Done, Own, Pseudonym {
            leaf 10 query_sha256: [u8; 32], "SHA-256 of the query";
            detail 1 session: String, "the verification";
            detail 2 key_use: Option<KeyUse>, "the key that signed the request";
        }

        /// An answer to a known request could not be read.
        PresentationUnreadable = "presentation-unreadable", Refused, Own, Pseudonym {
            leaf 10 check: u64, "number of the check that failed first";
            detail 1 session: String, "the verification";
        }

        /// A presentation passed every check.
        PresentationAccepted = "presentation-accepted", Done, Own, Pseudonym {
            leaf 10 credentials: u64, "how many credentials";
            detail 1 session: String, "the verification";
        }

        /// A presentation passed every check and is shown to nobody before the browser that began is back.
        PresentationHeld = "presentation-held", Done, Own, Pseudonym {
            leaf 10 credentials: u64, "how many credentials";
            detail 1 session: String, "the verification";
        }

        /// A browser came back to a verification with another code than its own.
        ReturnRefused = "return-refused", Refused, Own, Pseudonym {
            detail 1 session: String, "the verification";
        }

        /// A presentation failed a check.
        PresentationRejected = "presentation-rejected", Refused, Own, Pseudonym {
            leaf 10 check: u64, "number of the check that failed first";
            detail 1 session: String, "the verification";
            detail 2 code: String, "stable code of the failure";
        }

        /// The wallet said no.
        PresentationDeclined = "presentation-declined", Refused, Own, Pseudonym {
            detail 1 session: String, "the verification";
            detail 2 code: String, "the error that the wallet gave, if it is a known one";
        }

        /// Nobody answered a request in time.
        PresentationExpired = "presentation-expired", TimedOut, Own, Pseudonym {
            detail 1 session: String, "the verification";
        }

        /// The claims of a presentation were handed to the relying party.
        ResultRead = "result-read", Done, Own, Pseudonym {
            detail 1 session: String, "the verification";
        }

        /// The claims of a presentation were erased.
        ResultErased = "result-erased", Done, Own, Pseudonym {
            detail 1 session: String, "the verification";
        }

        /// A trust anchor counts from here on.
        AnchorAdded = "anchor-added", Done, Own, None {
            leaf 10 certificate_sha256: [u8; 32], "SHA-256 of the certificate";
            detail 1 anchor: String, "its id";
            detail 2 contexts: Vec<String>, "what it is trusted for";
        }

        /// A trust anchor counts no more.
        AnchorRemoved = "anchor-removed", Done, Own, None {
            leaf 10 certificate_sha256: [u8; 32], "SHA-256 of the certificate";
            detail 1 anchor: String, "its id";
        }

        /// A list of trusted entities was taken in, or a newer release of it; its certificates count as anchors from here on.
        TrustListImported = "trust-list-imported", Done, Own, None {
            leaf 10 sha256: [u8; 32], "SHA-256 of the signed list";
            leaf 11 sequence: u64, "its sequence number";
            detail 1 list: String, "the list";
            detail 2 anchors: u64, "certificates that it vouches for";
        }

        /// A list of trusted entities counts no more.
        TrustListRemoved = "trust-list-removed", Done, Own, None {
            leaf 10 sha256: [u8; 32], "SHA-256 of the signed list that counted";
            detail 1 list: String, "the list";
        }

        /// The certificate of a signing key ends soon.
        SignerExpiring = "signer-expiring", Done, Own, None {
            leaf 10 days_left: u64, "whole days until it ends";
            detail 1 key_id: String, "the key";
            detail 2 version: u32, "the version";
        }
    } };
}
