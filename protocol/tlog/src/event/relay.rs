//! Events of the relay: networks, epochs, rounds, members. There are no message events, and none of who was online.

macro_rules! relay_events {
    ([$next:ident $($rest:ident)*] $($so_far:tt)*) => { $next! { [$($rest)*] $($so_far)*
        room "relay";

        /// The manifest of the network that this relay belongs to changed, or is the first.
        RelayNetworkChanged = "relay-network-changed", Done, Own, None {
            leaf 10 version: u64, "version of the manifest";
            leaf 11 sha256: [u8; 32], "SHA-256 of its text";
            detail 1 key_use: KeyUse, "key, version, count";
        }

        /// An epoch was opened: its statement is signed, its hop key made.
        RelayEpochOpened = "relay-epoch-opened", Done, Own, None {
            leaf 10 epoch: u64, "the epoch";
            leaf 11 sha256: [u8; 32], "SHA-256 of its statement";
            detail 1 key_use: KeyUse, "key, version, count";
        }

        /// A round was published. Fast rounds stand in one event for many.
        RelayRound = "relay-round", Done, Own, None {
            leaf 10 class: u64, "0 normal, 1 fast";
            leaf 11 round: u64, "the round, or the last of several";
            leaf 12 rounds: u64, "rounds in this event";
            leaf 13 sha256: [u8; 32], "SHA-256 of the signed statement, of the signed statements one after the other";
            detail 1 key_use: KeyUse, "key, version, count";
        }

        /// A round was not published in its time. Its cells are kept and go out when it is.
        RelayRoundStalled = "relay-round-stalled", Failed, Own, None {
            leaf 10 class: u64, "0 normal, 1 fast";
            leaf 11 round: u64, "the round";
        }

        /// The hop key of an epoch was erased: cells of that epoch can be opened by nobody any more.
        RelayEpochKeyErased = "relay-epoch-key-erased", Done, Own, None {
            leaf 10 epoch: u64, "the epoch";
        }

        /// A one-time link for a new member was made.
        RelayMemberInvited = "relay-member-invited", Done, Own, None {}

        /// A member was added, by a link or by its key.
        RelayMemberAdded = "relay-member-added", Done, Own, Pseudonym {
            subject "member" member: String, "the member";
            detail 1 by_link: u64, "1 if it came by a link";
        }

        /// Somebody did not become a member.
        RelayJoinRefused = "relay-join-refused", Refused, Own, None {
            detail 1 code: String, "stable code of the problem";
        }

        /// A member gets no more tokens.
        RelayMemberSuspended = "relay-member-suspended", Done, Own, Pseudonym {
            subject "member" member: String, "the member";
        }

        /// A suspended member is one again.
        RelayMemberResumed = "relay-member-resumed", Done, Own, Pseudonym {
            subject "member" member: String, "the member";
        }

        /// A member was removed.
        RelayMemberRemoved = "relay-member-removed", Done, Own, Pseudonym {
            subject "member" member: String, "the member";
        }
    } };
}
