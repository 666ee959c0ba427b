//! The pages of the room's problems.

edge::problem_pages! {
    pub(crate) pages;
    /// No such key in the tenant.
    NOT_FOUND = 404 "keys/not-found": "there is no such key",
        meaning "The key, or the version of it, does not exist in your tenant. A key of another tenant gives the same answer.",
        cause "A misspelt id, or a key of another tenant.",
        fix "List the keys to find the id.",
        command "tessera key list";
    /// The key is not for this.
    USE_REFUSED = 403 "keys/use-refused": "this key may not be used for that",
        meaning "A key signs only what its uses name, in one container. Keys that a part of Tessera made sign for that part alone.",
        cause "The typ or content type is not among the key's uses, belongs to a part of Tessera, or the key does.",
        fix "Use a key whose uses cover what you sign, or make one.",
        command "tessera key show KEY";
    /// The version is in another state.
    STATE = 409 "keys/state": "the key is not in a state for this",
        meaning "Versions of a key go from pending to active, frozen, retired, compromised and destroyed by fixed steps; this is none of them, \
                 or another request was faster.",
        cause "The version is in another state than you think, or two requests moved the key at the same time.",
        fix "Show the key, then decide again.",
        command "tessera key show KEY";
    /// An act that needs a second owner.
    APPROVAL_REQUIRED = 409 "keys/approval-required": "this needs a second owner",
        meaning "Destroying the private part of a key by hand cannot be undone, so it asks for a second owner. This build does not serve \
                 that yet, and therefore refuses outside development.",
        cause "A request to destroy a version by hand.",
        fix "Let the rotation policy destroy it: retired versions go destroy_after_s after they retired.",
        command "tessera key show KEY";
    /// The version waits for an outside certificate.
    CERTIFICATE_AWAITED = 409 "keys/certificate-awaited": "the version waits for its certificate",
        meaning "Certificates of this key come from an outside authority; a version takes over when its chain was put.",
        cause "The pending version has no chain yet, or a fresh one would have none.",
        fix "Rotate ahead, send the request of the new version to the authority, put the chain, then activate it.",
        command "tessera key csr KEY";
    /// The chain is not taken.
    CERTIFICATE_REFUSED = 422 "keys/certificate-refused": "the chain of certificates is not accepted",
        meaning "A chain has one to five certificates in PEM, the leaf of this very version first, each signed by the next, valid for more than a day.",
        cause "The detail names the fault and the certificate.",
        fix "Ask the authority for the chain of the request that this version signed.",
        command "tessera key csr KEY";
    /// The payload is too large.
    PAYLOAD_TOO_LARGE = 413 "keys/payload-too-large": "the payload is larger than 128 KiB",
        meaning "A payload has at most 131072 bytes. Larger things are signed by a statement that holds their SHA-256.",
        cause "A payload of more than 128 KiB.",
        fix "Sign a small document that names the large one by its hash.",
        command "";
    /// The algorithm does not fit.
    ALG_MISMATCH = 422 "keys/alg-mismatch": "the algorithm does not fit",
        meaning "The algorithm does not exist here, does not fit the key, or is not used in this container.",
        cause "A name that is not served, RS256 with a key that is not for jws-rs256, or the algorithm of another kind of key.",
        fix "Leave alg out, or name one of the key's own.",
        command "tessera key show KEY";
    /// A header member that is ours.
    HEADER_REFUSED = 422 "keys/header-refused": "this header member cannot be given",
        meaning "The signer writes alg, kid, typ and x5c itself; members that point to another key or change what is signed are refused.",
        cause "header holds alg, kid, typ, jwk, jku, x5u, x5c, x5t, crit, b64, zip or enc.",
        fix "Leave the member out. Certificates are added by \"x5c\": true.",
        command "";
    /// A digest instead of a message.
    RAW_DIGEST_REFUSED = 422 "keys/raw-digest-refused": "no digest is signed",
        meaning "Who signs a digest does not know what he signs: it could be a credential, a token, a payment. So only whole messages \
                 are signed, in a container that says what they are.",
        cause "A member digest or hash, or the format raw.",
        fix "Send the message itself as payload or payload_b64.",
        command "tessera key sign KEY --format jws --typ T --payload FILE";
    /// Signing too fast.
    QUOTA = 429 "keys/quota": "this account signs faster than it may",
        meaning "Each account may make custody.sign_per_s signatures a second.",
        cause "More signatures in one second than that.",
        fix "Wait, or sign in batches over a longer time.",
        command "";
    /// The keeper does not work.
    KEEPER_UNAVAILABLE = 503 "keys/keeper-unavailable": "the keeper of the key cannot work now",
        meaning "The private part could not be opened or used. Nothing was signed.",
        cause "The stored key was changed or does not belong to this root; or the keeper is down.",
        fix "Run the doctor; restore the root and database that belong together.",
        command "tessera doctor";
    /// The key was changed since it was read.
    STALE = 412 "keys/stale": "the key was changed since you read it",
        meaning "If-Match names a revision that the key no longer has, so somebody else changed it meanwhile.",
        cause "Two people changed the key.",
        fix "Show the key, look at what changed, and send the change with its new ETag.",
        command "tessera key show KEY";
    /// The certificate is an anchor already.
    ANCHOR_KNOWN = 409 "keys/anchor-known": "this certificate is an anchor already",
        meaning "A certificate is one anchor of a tenant, with one list of purposes.",
        cause "The certificate was added before.",
        fix "Remove the anchor, then add it with all its purposes.",
        command "tessera trust-anchor list";
    /// The list is not believed.
    LIST_REFUSED = 422 "keys/trust-list-refused": "the trust list is not believed",
        meaning "A list of trusted entities is taken in when an anchor of the context list-signer vouches for who signed it, the \
                 signature and the form hold, and it is neither from the future nor outdated. A newer release stands under the same \
                 anchor as the one before.",
        cause "The detail names the fault and its place.",
        fix "Add the certificate of the list's operator as an anchor of the context list-signer, or ask the operator for a sound list.",
        command "tessera trust-anchor add FILE --for list-signer";
    /// The list cannot be fetched.
    LIST_UNREACHABLE = 422 "keys/trust-list-unreachable": "the trust list cannot be fetched",
        meaning "The address of the list gave no answer that we take. Lists are fetched over https from public addresses, without \
                 following redirects.",
        cause "The detail names the host and what happened.",
        fix "Check the address, or bring the signed list itself.",
        command "tessera trust-list import FILE";
    /// A list of the address stands.
    LIST_KNOWN = 409 "keys/trust-list-known": "this trust list stands already",
        meaning "An address is one list of a tenant, and a tenant has at most 16.",
        cause "A list of this address was taken in before, or there are 16.",
        fix "Renew the list that stands, or remove one.",
        command "tessera trust-list list";
    /// The list is no newer release.
    LIST_NOT_NEWER = 409 "keys/trust-list-not-newer": "the trust list is not newer than the one that stands",
        meaning "The number of a list grows with every release, so that nobody can bring back an old one that names whom its operator \
                 trusts no more.",
        cause "The list has the number of the one that stands, or a lower one.",
        fix "Bring the newest release.",
        command "tessera trust-list show LIST";
}
