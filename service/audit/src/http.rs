//! The doors of the room.

mod api;
mod log;
mod pages;

use edge::cursor::{Listing, PageQuery};
use edge::door::{BODY_BYTES_MAX, Door, Doors, Who};
use edge::problem::{Problem, pages as common};
use tenancy::Permission;

use crate::Audit;
use crate::event::{EventFault, EventView};
use crate::proof::{ConsistencyView, ProofFault};
use crate::status::{CheckpointView, LogStatus};
use crate::token::{TokenFault, TokenView};

impl Audit {
    /// Every door of this room.
    pub fn doors(&self) -> Doors {
        log_doors().and(reading_doors()).and(proof_doors()).and(token_doors()).with(self.clone())
    }
}

fn log_doors() -> Doors<Audit> {
    Doors::new()
        .door(
            Door::get("/log/{*path}")
                .who(Who::LogReader)
                .operation("readLog")
                .summary("A checkpoint, a tile, a bundle of entries, the keys, or the proof of a salted field (C2SP tlog-tiles)")
                .answer_of(200, "application/octet-stream", "The bytes")
                .answer_of(200, "text/plain", "The signed checkpoint, the keys, or the proof file")
                .answer_of(202, "text/plain", "No checkpoint covers the entry yet; ask again in a second")
                .problems(&[&pages::INCOMPLETE])
                .answer_of(404, "text/plain", "The published tree has no such thing"),
            log::read,
        )
        .door(
            Door::get("/.well-known/tessera-ledger")
                .who(Who::Public)
                .operation("findLedger")
                .summary("Where the public system log is, and its keys")
                .answer::<log::WellKnown>(200, "Origin, URL and keys")
                .cors(),
            log::well_known,
        )
}

fn reading_doors() -> Doors<Audit> {
    let who = || Who::Role(Permission::LedgerRead);
    Doors::new()
        .door(
            Door::get("/api/v1/ledger/events")
                .who(who())
                .operation("listEvents")
                .summary("Events of a log in its order")
                .query::<api::EventsOf>()
                .answer::<Listing<EventView>>(200, "A page of events")
                .problems(&[&pages::UNKNOWN_LOG]),
            api::events,
        )
        .door(
            Door::get("/api/v1/ledger/events/{event}")
                .who(who())
                .operation("showEvent")
                .summary("One event, by index or id")
                .query::<api::OfLog>()
                .answer::<EventView>(200, "The event")
                .problems(&[&pages::UNKNOWN_LOG, &common::NOT_FOUND]),
            api::event,
        )
        .door(
            Door::get("/api/v1/ledger/status")
                .who(who())
                .operation("showLedgerStatus")
                .summary("How a log stands")
                .query::<api::OfLog>()
                .answer::<LogStatus>(200, "State, size, root and lag")
                .problems(&[&pages::UNKNOWN_LOG]),
            api::status,
        )
}

fn proof_doors() -> Doors<Audit> {
    let who = || Who::Role(Permission::LedgerRead);
    Doors::new()
        .door(
            Door::get("/api/v1/ledger/events/{event}/proof")
                .who(who())
                .operation("proveEvent")
                .summary("A tlog-proof file of one event")
                .query::<api::OfLog>()
                .answer_of(200, "text/plain", "The proof file")
                .answer_of(202, "text/plain", "No checkpoint covers the event yet; ask again in a second")
                .problems(&[&pages::UNKNOWN_LOG, &common::NOT_FOUND, &pages::INCOMPLETE]),
            api::proof,
        )
        .door(
            Door::get("/api/v1/ledger/checkpoints")
                .who(who())
                .operation("listCheckpoints")
                .summary("Signed checkpoints of a log, newest first")
                .query::<api::CheckpointsOf>()
                .answer::<Listing<CheckpointView>>(200, "A page of checkpoints")
                .problems(&[&pages::UNKNOWN_LOG]),
            api::checkpoints,
        )
        .door(
            Door::get("/api/v1/ledger/consistency")
                .who(who())
                .operation("proveConsistency")
                .summary("That a larger tree goes on from a smaller one")
                .query::<api::Between>()
                .answer::<ConsistencyView>(200, "The proof")
                .problems(&[&pages::UNKNOWN_LOG, &pages::PROOF_RANGE, &pages::INCOMPLETE]),
            api::consistency,
        )
}

fn token_doors() -> Doors<Audit> {
    let who = || Who::Role(Permission::LedgerTokensAdmin);
    Doors::new()
        .door(
            Door::post("/api/v1/ledger/tokens")
                .who(who())
                .operation("createLogToken")
                .summary("A bearer token that reads one log and nothing else")
                .body::<api::CreateToken>(BODY_BYTES_MAX)
                .idempotent()
                .answer::<api::CreatedToken>(201, "The token, shown this once")
                .problems(&[&pages::UNKNOWN_LOG]),
            api::create_token,
        )
        .door(
            Door::get("/api/v1/ledger/tokens")
                .who(who())
                .operation("listLogTokens")
                .summary("Log tokens of the tenant, oldest first, without their secrets")
                .query::<PageQuery>()
                .answer::<Listing<TokenView>>(200, "A page of tokens"),
            api::tokens,
        )
        .door(
            Door::delete("/api/v1/ledger/tokens/{id}")
                .who(who())
                .operation("revokeLogToken")
                .summary("Ends a log token at once")
                .empty(204, "It reads nothing any more")
                .problems(&[&common::NOT_FOUND, &pages::TOKEN_ENDED]),
            api::revoke_token,
        )
}

impl From<EventFault> for Problem {
    fn from(fault: EventFault) -> Problem {
        match fault {
            EventFault::Store(fault) => fault.into(),
        }
    }
}

impl From<ProofFault> for Problem {
    fn from(fault: ProofFault) -> Problem {
        match fault {
            ProofFault::Store(fault) => fault.into(),
            ProofFault::OutOfRange { .. } => Problem::of(&pages::PROOF_RANGE).detail(fault.to_string()),
            ProofFault::Incomplete => Problem::of(&pages::INCOMPLETE),
        }
    }
}

impl From<TokenFault> for Problem {
    fn from(fault: TokenFault) -> Problem {
        let invalid = |pointer: &'static str, fault: &TokenFault| {
            Problem::of(&common::INVALID).detail(format!("{pointer}: {fault}")).at(pointer, fault.to_string())
        };
        match fault {
            TokenFault::Store(fault) => fault.into(),
            TokenFault::Ttl => invalid("/ttl_s", &fault),
            TokenFault::Name => invalid("/name", &fault),
            TokenFault::UnknownLog(_) => Problem::of(&pages::UNKNOWN_LOG).at("/log", "a log of your tenant"),
            TokenFault::Unknown => Problem::of(&common::NOT_FOUND),
            TokenFault::Ended => Problem::of(&pages::TOKEN_ENDED).recorded(),
            TokenFault::Repeated => Problem::of(&common::IDEMPOTENCY_BUSY).recorded(),
        }
    }
}
