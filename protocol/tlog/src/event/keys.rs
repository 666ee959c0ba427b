//! Events of custody: keys, their versions, the root and the KEKs.

macro_rules! keys_events {
    ([$next:ident $($rest:ident)*] $($so_far:tt)*) => { $next! { [$($rest)*] $($so_far)*
        room "keys";

        /// A key, or a new version of one, was made.
        KeyCreated = "key-created", Done, Own, None {
            leaf 10 alg: KeyAlg, "1 p256, 2 p384, 3 rsa2048, 4 rsa3072, 5 rsa4096, 6 ed25519, 7 secp256k1, 8 mldsa44";
            detail 1 key_id: String, "the key";
            detail 2 version: u32, "the version";
            detail 3 kid: String, "thumbprint of its public part";
            detail 4 owner: String, "`api`, or the room that made it";
            detail 5 keeper: String, "where the private part lives";
            detail 6 uses: Vec<String>, "what it may sign";
        }

        /// Label, rotation or policy of a key was changed.
        KeyChanged = "key-changed", Done, Own, None {
            detail 1 key_id: String, "the key";
        }

        /// A certificate chain was put to a key.
        KeyCertified = "key-certified", Done, Own, None {
            leaf 10 leaf_sha256: [u8; 32], "SHA-256 of the chain's first certificate";
            detail 1 key_id: String, "the key";
            detail 2 version: u32, "the version";
        }

        /// A version signs from here on; the one before it is retired.
        KeyActivated = "key-activated", Done, Own, None {
            detail 1 key_id: String, "the key";
            detail 2 version: u32, "the version";
            detail 3 kid: String, "thumbprint of its public part";
            detail 4 retired_version: Option<u32>, "the version that was in use";
        }

        /// A fresh version took the place of the one in use.
        KeyRotated = "key-rotated", Done, Own, None {
            leaf 10 compromised: bool, "1 if the old one is given up as compromised";
            detail 1 key_id: String, "the key";
            detail 2 version: u32, "the new version";
            detail 3 kid: String, "thumbprint of its public part";
            detail 4 retired_version: Option<u32>, "the version that was in use";
        }

        /// A rotation is due and cannot be done, as when an outside certificate is awaited. The old version goes on.
        KeyRotationBlocked = "key-rotation-blocked", Failed, Own, None {
            detail 1 key_id: String, "the key";
            detail 2 version: u32, "the version that waits";
            detail 3 code: String, "stable code of the reason";
        }

        /// A version stops signing for the time being.
        KeyFrozen = "key-frozen", Done, Own, None {
            detail 1 key_id: String, "the key";
            detail 2 version: u32, "the version";
        }

        /// A frozen version signs again.
        KeyUnfrozen = "key-unfrozen", Done, Own, None {
            detail 1 key_id: String, "the key";
            detail 2 version: u32, "the version";
        }

        /// A version signs no more; what it signed stays good.
        KeyRetired = "key-retired", Done, Own, None {
            detail 1 key_id: String, "the key";
            detail 2 version: u32, "the version";
        }

        /// A version is held to be known to others; its public part was withdrawn at once.
        KeyCompromised = "key-compromised", Done, Own, None {
            detail 1 key_id: String, "the key";
            detail 2 version: u32, "the version";
        }

        /// The private part of a version was overwritten.
        KeyDestroyed = "key-destroyed", Done, Own, None {
            detail 1 key_id: String, "the key";
            detail 2 version: u32, "the version";
        }

        /// A key was used through the API.
        KeyUsed = "key-used", Done, Own, None {
            leaf 10 container: Container, "1 JWS, 2 JWS by RS256, 3 COSE, 4 certificate, 5 certificate request, 6 note, 7 agreement";
            leaf 11 alg: SignAlg, "COSE number of the algorithm, without its sign";
            leaf 12 count: u64, "signatures made";
            detail 1 key_use: KeyUse, "key, version, count";
            detail 2 request: String, "id of the request";
            detail 3 digests: Vec<[u8; 32]>, "SHA-256 of each byte string that was signed";
        }

        /// The use of a key was refused.
        KeyUseRefused = "key-use-refused", Refused, Own, None {
            leaf 10 container: Option<Container>, "as in `key-used`, if it was said";
            detail 1 key_id: String, "the key";
            detail 2 code: String, "stable code of the problem";
        }

        /// Everything under the root is wrapped by a new one.
        RootRotated = "root-rotated", Done, Own, None {
            detail 1 root_id: String, "id of the new root";
        }

        /// A tenant's key-encrypting key has a new version.
        KekRotated = "kek-rotated", Done, Own, None {
            leaf 10 version: u64, "the new version";
            detail 1 purpose: String, "`keys` or `data`";
        }
    } };
}
