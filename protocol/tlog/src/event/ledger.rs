//! Events of the ledger, the edge and the instance itself.

macro_rules! ledger_events {
    ([$next:ident $($rest:ident)*]) => { $next! { [$($rest)*]
        room "ledger";

        /// A log begins. It stands in the public system log, where everybody can compare the keys.
        LogCreated = "log-created", Done, System, None {
            leaf 10 origin_sha256: [u8; 32], "SHA-256 of the origin";
            leaf 11 vkeys_sha256: Vec<[u8; 32]>, "SHA-256 of each verifier key, Ed25519 first";
        }

        /// A log ends; nothing is appended to it any more.
        LogClosed = "log-closed", Done, System, None {
            leaf 10 origin_sha256: [u8; 32], "SHA-256 of the origin";
        }

        /// A start check failed: the log signs nothing until an owner has decided.
        QuarantineEntered = "quarantine-entered", Failed, Own, None {
            leaf 10 origin_sha256: [u8; 32], "SHA-256 of the origin";
            leaf 11 invariant: u64, "number of the check that failed, 1 to 6";
            detail 1 log: String, "id of the log";
        }

        /// A quarantined log passes its checks again.
        QuarantineLifted = "quarantine-lifted", Done, Own, None {
            leaf 10 origin_sha256: [u8; 32], "SHA-256 of the origin";
            detail 1 log: String, "id of the log";
        }

        /// The clock stands before the last time that was signed.
        ClockRanBack = "clock-ran-back", Failed, Own, None {
            leaf 10 seconds: u64, "how far back";
        }

        /// A read token for one log was made.
        LogTokenIssued = "log-token-issued", Done, Own, None {
            leaf 10 ttl_s: u64, "life of the token in seconds";
            detail 1 token_id: String, "its id, never the token";
            detail 2 log: String, "the log that it reads";
        }

        /// A read token ended before its time.
        LogTokenRevoked = "log-token-revoked", Done, Own, None {
            detail 1 token_id: String, "its id";
            detail 2 log: String, "the log that it read";
        }

        /// Readable details of events were shown to somebody.
        DetailsRead = "details-read", Done, Own, None {
            leaf 10 count: u64, "how many events";
            detail 1 operation: String, "the door";
        }

        /// The server takes requests.
        ServerStarted = "server-started", Done, Own, None {
            detail 1 version: String, "version of the program";
        }

        /// The server was asked to stop, and did.
        ServerStopped = "server-stopped", Done, Own, None {
            leaf 10 uptime_s: u64, "how long it ran, in seconds";
        }

        /// A migration was applied to the database.
        SchemaMigrated = "schema-migrated", Done, Own, None {
            leaf 10 sha256: [u8; 32], "SHA-256 of the migration's text";
            detail 1 room: String, "the room whose tables changed";
            detail 2 number: u64, "number of the migration in that room";
        }

        /// A rate limit began to refuse.
        RateLimitTripped = "rate-limit-tripped", Refused, Own, None {
            detail 1 class: String, "class of doors";
        }

        /// Refusals of one type that came faster than they are written singly, counted over a minute.
        RefusalsAggregated = "refusals-aggregated", Refused, Own, None {
            leaf 10 count: u64, "how many";
            detail 1 event: String, "the type that they would have had";
        }

        /// A caller could not show who it is.
        AuthenticationRefused = "authentication-refused", Refused, Own, None {
            detail 1 operation: String, "the door";
            detail 2 code: String, "stable code of the refusal";
        }

        /// A known caller has not the right to do this.
        AccessRefused = "access-refused", Refused, Own, None {
            detail 1 operation: String, "the door";
            detail 2 permission: String, "the permission that it lacks";
        }

        /// A known caller asked for what cannot be done, and no event of a room says so more exactly.
        RequestRefused = "request-refused", Refused, Own, None {
            leaf 10 status: u64, "HTTP status";
            detail 1 operation: String, "the door";
            detail 2 code: String, "stable code of the problem";
        }
    } };
}
