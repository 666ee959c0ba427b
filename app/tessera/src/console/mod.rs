//! The operator's console: pages made on the server, for browsers with a script and without.
//!
//! ```text
//! GET  ─▶ gate (cookie, role, tenant) ─▶ a room's use-case ─▶ view ─▶ askama ─▶ page with headers of edge
//! POST ─▶ gate (cookie, role, same origin, form token) ─▶ a room's use-case ─▶ 303 to a page
//! ```
//! Invariants: no rule and no SQL stands here; a GET changes nothing; what a page shows came through a room's own use-case, for the
//! tenant of the call; every text passes askama's escaping; a page hides what a role may not do, and its door asks for the permission
//! again. Start reading at [`frame`], then one page.

mod assets;
mod desk;
mod enrolments;
mod frame;
mod ledger;
mod live;
mod overview;
mod passkeys;
mod plot;
mod relay;
mod relying_parties;
mod sign_in;
mod signins;
mod tenants;
#[cfg(test)]
mod tests;

pub use live::Watchers;

use crate::house::House;
use edge::Doors;

/// Every door of the console.
pub fn doors(house: &House) -> Doors {
    let doors = Doors::new()
        .and(overview::doors())
        .and(tenants::doors())
        .and(relying_parties::doors())
        .and(enrolments::doors())
        .and(signins::doors())
        .and(relay::doors())
        .and(ledger::doors())
        .and(passkeys::doors())
        .and(sign_in::doors())
        .and(desk::doors())
        .and(live::doors())
        .and(assets::doors());
    doors.with(house.clone())
}
