//! Events of the relay: networks, rounds, members. There are no message events.

macro_rules! relay_events {
    ([$next:ident $($rest:ident)*] $($so_far:tt)*) => { $next! { [$($rest)*] $($so_far)*
        room "relay";
    } };
}
