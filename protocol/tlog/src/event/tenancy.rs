//! Events of tenants, operators and service accounts.

macro_rules! tenancy_events {
    ([$next:ident $($rest:ident)*] $($so_far:tt)*) => { $next! { [$($rest)*] $($so_far)*
        room "tenancy";

        /// A tenant exists from here on.
        TenantCreated = "tenant-created", Done, Own, None {
            detail 1 tenant: String, "its id";
            detail 2 name: String, "its name in paths";
        }

        /// A tenant's doors answer no more.
        TenantSuspended = "tenant-suspended", Done, Own, None {
            detail 1 tenant: String, "its id";
        }

        /// A suspended tenant's doors answer again.
        TenantResumed = "tenant-resumed", Done, Own, None {
            detail 1 tenant: String, "its id";
        }

        /// A one-time link for an operator was made.
        OperatorLinkIssued = "operator-link-issued", Done, Own, Pseudonym {
            subject "operator" operator: String, "the operator";
            leaf 10 ttl_s: u64, "life of the link in seconds";
            detail 1 purpose: String, "what the link is for";
            detail 2 role: String, "the role that it brings";
        }

        /// A one-time link was used.
        OperatorLinkSpent = "operator-link-spent", Done, Own, Pseudonym {
            subject "operator" operator: String, "the operator";
            detail 1 purpose: String, "what the link was for";
        }

        /// A known link was spent, old, or foreign.
        OperatorLinkRefused = "operator-link-refused", Refused, Own, Pseudonym {
            subject "operator" operator: Option<String>, "the operator, if the link is known";
            detail 1 code: String, "stable code of the refusal";
        }

        /// An operator signed in.
        OperatorSessionOpened = "operator-session-opened", Done, Own, Pseudonym {
            subject "operator" operator: String, "the operator";
            leaf 10 ttl_s: u64, "longest life of the session in seconds";
            detail 1 method: String, "how the operator was known";
        }

        /// A session ended: by its operator, by time, or by another operator.
        OperatorSessionClosed = "operator-session-closed", Done, Own, Pseudonym {
            subject "operator" operator: String, "the operator";
            detail 1 reason: String, "stable code of the reason";
        }

        /// An operator added a passkey.
        OperatorPasskeyAdded = "operator-passkey-added", Done, Own, Pseudonym {
            subject "operator" operator: String, "the operator";
            leaf 10 synced: bool, "whether it may be copied between devices";
            detail 1 passkey: String, "the passkey";
        }

        /// An operator removed a passkey.
        OperatorPasskeyRemoved = "operator-passkey-removed", Done, Own, Pseudonym {
            subject "operator" operator: String, "the operator";
            detail 1 passkey: String, "the passkey";
        }

        /// A passkey that an operator wanted to add, or somebody to sign in with, was refused.
        OperatorPasskeyRefused = "operator-passkey-refused", Refused, Own, Pseudonym {
            subject "operator" operator: Option<String>, "the operator, if the passkey is known";
            detail 1 code: String, "code of the refusal";
        }

        /// An operator may act no more; sessions and links ended with it.
        OperatorRevoked = "operator-revoked", Done, Own, Pseudonym {
            subject "operator" operator: String, "the operator";
        }

        /// A document of the configuration was put or removed.
        ConfigDocumentChanged = "config-document-changed", Done, Own, None {
            leaf 10 sha256: [u8; 32], "SHA-256 of the document as it stands now";
            detail 1 kind: String, "kind of the document";
            detail 2 name: String, "its name";
        }

        /// A service account was made.
        ServiceAccountCreated = "service-account-created", Done, Own, None {
            leaf 10 ttl_s: u64, "life of the account in seconds";
            detail 1 account: String, "its id";
            detail 2 roles: Vec<String>, "its roles";
            detail 3 method: String, "how it will show who it is";
        }

        /// A service account ended, and with it its tokens.
        ServiceAccountRemoved = "service-account-removed", Done, Own, None {
            detail 1 account: String, "its id";
        }

        /// A service account shows who it is by something new.
        ServiceAccountRekeyed = "service-account-rekeyed", Done, Own, None {
            detail 1 account: String, "its id";
        }

        /// A service account received an access token.
        ServiceTokenIssued = "service-token-issued", Done, Own, None {
            leaf 10 ttl_s: u64, "life of the token in seconds";
            detail 1 account: String, "the account";
            detail 2 token_id: String, "id of the token, never the token";
            detail 3 roles: Vec<String>, "roles in the token";
            detail 4 key_use: KeyUse, "the key that signed it";
        }

        /// A known service account was refused an access token.
        ServiceTokenRefused = "service-token-refused", Refused, Own, None {
            detail 1 account: String, "the account";
            detail 2 code: String, "stable code of the refusal";
        }
    } };
}
