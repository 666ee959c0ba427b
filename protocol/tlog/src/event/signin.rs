//! Events of sign-in: relying parties, enrolments, passkeys, consents, grants.

macro_rules! signin_events {
    ([$next:ident $($rest:ident)*] $($so_far:tt)*) => { $next! { [$($rest)*] $($so_far)*
        room "idp";

        /// A relying party was registered.
        RelyingPartyRegistered = "relying-party-registered", Done, Own, None {
            detail 1 relying_party: String, "the relying party";
            detail 2 auth_method: String, "how it proves itself at the token door";
            detail 3 scopes: Vec<String>, "what it may ask for";
            detail 4 origins: Vec<String>, "its origins";
        }

        /// What is known of a relying party was changed.
        RelyingPartyChanged = "relying-party-changed", Done, Own, None {
            detail 1 relying_party: String, "the relying party";
            detail 2 members: Vec<String>, "which members changed";
        }

        /// A relying party proved that it holds its keys and origins, or an operator vouched.
        RelyingPartyProved = "relying-party-proved", Done, Own, None {
            leaf 10 proofs: u64, "1 keys, 2 origins, 4 an operator vouched; added up";
            detail 1 relying_party: String, "the relying party";
            detail 2 keys: Vec<[u8; 32]>, "thumbprints of the keys";
        }

        /// A proof of a relying party was refused.
        RelyingPartyRefused = "relying-party-refused", Refused, Own, None {
            detail 1 relying_party: String, "the relying party";
            detail 2 code: String, "code of the refusal";
        }

        /// A relying party has a new ServiceSeal; the one before was revoked in the same unit.
        RelyingPartySealed = "relying-party-sealed", Done, Own, None {
            leaf 10 seal_sha256: [u8; 32], "SHA-256 of the seal";
            detail 1 relying_party: String, "the relying party";
            detail 2 document_seal: String, "the new seal";
            detail 3 revoked: Option<String>, "the seal that it replaces";
            detail 4 key_use: KeyUse, "the key that signed it";
        }

        /// A relying party was removed; its seal was revoked in the same unit.
        RelyingPartyRemoved = "relying-party-removed", Done, Own, None {
            detail 1 relying_party: String, "the relying party";
        }

        /// Somebody was invited to enrol.
        EnrolmentInvited = "enrolment-invited", Done, Own, Pseudonym {
            leaf 10 ttl_s: u64, "life of the invite in seconds";
            leaf 11 level_min: u64, "least level of assurance: 0 none, 1 low, 2 substantial, 3 high";
            detail 1 invite: String, "the invite";
        }

        /// A wallet began to enrol.
        EnrolmentStarted = "enrolment-started", Done, Own, Pseudonym {
            detail 1 enrolment: String, "the enrolment";
            detail 2 invite: Option<String>, "the invite, if it came with one";
        }

        /// A device was enrolled. It may sign in, unless it waits.
        EnrolmentCompleted = "enrolment-completed", Done, Own, Pseudonym {
            subject "person" person: String, "the person";
            leaf 10 level: u64, "level of assurance: 0 none, 1 low, 2 substantial, 3 high";
            leaf 11 waits: bool, "whether it waits, as a second device";
            detail 1 enrolment: String, "the enrolment";
            detail 2 anchor: String, "kind of the anchor";
            detail 3 device: String, "class of the device";
        }

        /// A wallet that wanted to enrol was refused.
        EnrolmentRefused = "enrolment-refused", Refused, Own, Pseudonym {
            detail 1 enrolment: Option<String>, "the enrolment, if it began";
            detail 2 code: String, "code of the refusal";
        }

        /// A waiting device was approved by another device of the same person, or by an operator.
        EnrolmentApproved = "enrolment-approved", Done, Own, Pseudonym {
            subject "person" person: String, "the person";
            detail 1 enrolment: String, "the enrolment";
            detail 2 by: Option<String>, "the device that approved it; an operator otherwise";
        }

        /// A device may sign in no more. Its grants died in the same unit.
        EnrolmentRevoked = "enrolment-revoked", Done, Own, Pseudonym {
            subject "person" person: String, "the person";
            detail 1 enrolment: String, "the enrolment";
            detail 2 reason: String, "lost_device, compromised, expired_document or user_request";
        }

        /// A person locked a device.
        EnrolmentLocked = "enrolment-locked", Done, Own, Pseudonym {
            subject "person" person: String, "the person";
            detail 1 enrolment: String, "the enrolment";
        }

        /// A device takes sign-ins over a relay from now on, or no more.
        EnrolmentPushSet = "enrolment-push-set", Done, Own, Pseudonym {
            subject "person" person: String, "the person";
            leaf 10 on: bool, "whether it does";
            detail 1 enrolment: String, "the enrolment";
        }

        /// The keys that wallets pin were published as a signed set.
        SealKeysPublished = "seal-keys-published", Done, Own, None {
            leaf 10 sha256: [u8; 32], "SHA-256 of the signed set";
            leaf 11 number: u64, "its number";
            detail 1 key_use: KeyUse, "the key that signed it";
        }

        /// A person signed in.
        SigninApproved = "signin-approved", Done, Own, Pseudonym {
            subject "person" person: String, "the person";
            leaf 10 consent_sha256: [u8; 32], "the consent_hash of the ID Token, as bytes";
            leaf 11 acr: u64, "0 seal:code or seal:vp, 1 phr, 2 phrh";
            leaf 12 level: u64, "level of assurance: 0 none, 1 low, 2 substantial, 3 high";
            detail 1 signin: String, "the sign-in";
            detail 2 relying_party: String, "the relying party";
            detail 3 requested: Vec<String>, "scopes asked for";
            detail 4 granted: Vec<String>, "scopes agreed to";
            detail 5 denied: Vec<String>, "scopes not agreed to";
            detail 6 enrolment: Option<String>, "the device; none where a passkey alone answered";
            detail 7 key_use: KeyUse, "the key that signed the receipt";
        }

        /// A person, or the browser that began, said no.
        SigninDenied = "signin-denied", Refused, Own, Pseudonym {
            subject "person" person: Option<String>, "the person, if a device answered";
            detail 1 signin: String, "the sign-in";
            detail 2 relying_party: String, "the relying party";
            detail 3 requested: Vec<String>, "scopes asked for";
            detail 4 reason: String, "code_mismatch, not_me, user or cancelled";
        }

        /// An answer, an assertion or a claim failed a check: the sign-in is over.
        SigninFailed = "signin-failed", Refused, Own, Pseudonym {
            subject "person" person: Option<String>, "the person of the device that answered";
            detail 1 signin: String, "the sign-in";
            detail 2 relying_party: String, "the relying party";
            detail 3 requested: Vec<String>, "scopes asked for";
            detail 4 code: String, "the check that failed";
        }

        /// Nobody answered in time.
        SigninExpired = "signin-expired", TimedOut, Own, Pseudonym {
            subject "person" person: Option<String>, "the person, if a device had claimed it";
            detail 1 signin: String, "the sign-in";
            detail 2 relying_party: String, "the relying party";
        }

        /// A person was asked too often, or said that a sign-in was not theirs: their handle rests.
        HandlePaused = "handle-paused", Refused, Own, Pseudonym {
            subject "person" person: String, "the person";
            leaf 10 pause_s: u64, "for how long, in seconds";
        }

        /// A person erased the evidence of a consent; its hash stays in the log, blind.
        ConsentErased = "consent-erased", Done, Own, Pseudonym {
            subject "person" person: String, "the person";
            detail 1 consent: String, "the consent";
        }

        /// A document seal was issued.
        DocumentSealIssued = "document-seal-issued", Done, Own, Pseudonym {
            leaf 10 seal_sha256: [u8; 32], "SHA-256 of the seal";
            detail 1 document_seal: String, "the seal";
            detail 2 kind: String, "organisation or service";
            detail 3 key_use: KeyUse, "the key that signed it";
        }

        /// A document seal was revoked for ever.
        DocumentSealRevoked = "document-seal-revoked", Done, Own, Pseudonym {
            detail 1 document_seal: String, "the seal";
            detail 2 reason: String, "why";
        }

        /// A relying party that is known asked for what it may not, or not as it must. No row was made.
        SigninRequestRefused = "signin-request-refused", Refused, Own, None {
            leaf 10 beyond: u64, "how many scopes it asked for beyond its registration";
            detail 1 relying_party: String, "the relying party";
            detail 2 code: String, "code of the refusal, as the relying party got it";
            detail 3 scopes: Vec<String>, "the scopes beyond, as far as they are known words";
        }

        /// A relying party, or whoever spoke in its name, failed at a door of the provider.
        TokenRefused = "token-refused", Refused, Own, Pseudonym {
            detail 1 relying_party: String, "the relying party that was named";
            detail 2 code: String, "code of the refusal, as it was answered";
            detail 3 door: String, "which door";
        }

        /// A code was redeemed, or a refresh token used: tokens left.
        TokensIssued = "tokens-issued", Done, Own, Pseudonym {
            leaf 10 acr: u64, "0 seal:code or seal:vp, 1 phr, 2 phrh";
            leaf 11 refreshed: bool, "whether by a refresh token";
            leaf 12 bound: bool, "whether bound to a key of the relying party";
            detail 1 relying_party: String, "the relying party";
            detail 2 grant: String, "the grant";
            detail 3 scopes: Vec<String>, "its scopes";
            detail 4 key_uses: Vec<KeyUse>, "the keys that signed";
        }

        /// A code came a second time: the tokens of its grant died.
        CodeReplayed = "code-replayed", Refused, Own, Pseudonym {
            detail 1 relying_party: String, "the relying party";
            detail 2 grant: Option<String>, "the grant that ended, if it stood";
        }

        /// A refresh token that was rotated away came again: its grant ended.
        RefreshReused = "refresh-reused", Refused, Own, Pseudonym {
            detail 1 relying_party: String, "the relying party";
            detail 2 grant: String, "the grant that ended";
        }

        /// A grant was ended: its tokens open nothing any more.
        GrantRevoked = "grant-revoked", Done, Own, Pseudonym {
            detail 1 relying_party: String, "the relying party";
            detail 2 grant: String, "the grant";
            detail 3 reason: String, "relying_party, person or operator";
        }

        /// A person's wallet asked for a ticket by which one passkey may be added.
        PasskeyInvited = "passkey-invited", Done, Own, Pseudonym {
            subject "person" person: String, "the person";
            leaf 10 ttl_s: u64, "life of the ticket in seconds";
            detail 1 enrolment: String, "the device that asked";
        }

        /// A passkey was added for a person.
        PasskeyAdded = "passkey-added", Done, Own, Pseudonym {
            subject "person" person: String, "the person";
            leaf 10 attested: bool, "whether its attestation leads to a configured root";
            leaf 11 synced: bool, "whether it may be copied between devices";
            detail 1 passkey: String, "the passkey";
        }

        /// A passkey that somebody wanted to add was refused; its ticket is spent.
        PasskeyRefused = "passkey-refused", Refused, Own, Pseudonym {
            detail 1 code: String, "code of the refusal";
        }

        /// A person removed a passkey.
        PasskeyRemoved = "passkey-removed", Done, Own, Pseudonym {
            subject "person" person: String, "the person";
            detail 1 passkey: String, "the passkey";
        }
    } };
}
