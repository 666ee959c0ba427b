//! Events of sign-in: relying parties, enrolments, passkeys, consents, grants.

macro_rules! signin_events {
    ([$next:ident $($rest:ident)*] $($so_far:tt)*) => { $next! { [$($rest)*] $($so_far)*
        room "idp";
    } };
}
