//! Problems of this room, each with its page.

edge::problem_pages! {
    pub pages;
    /// The network is not open.
    NOT_RUNNING = 503 "relay/not-running": "the relay is not running yet",
        meaning "The process has started and its network is not open yet, or could not be opened.",
        cause "the relay is starting, or its store or key could not be read",
        fix "ask again in a second; see the log of the process if it stays",
        command "tessera relay status";
    /// Not a WebSocket.
    UPGRADE_NEEDED = 426 "relay/upgrade-needed": "this door speaks WebSocket",
        meaning "The link of a relay is a WebSocket; the request did not ask to become one.",
        cause "a plain GET, or a proxy that takes the Upgrade header away",
        fix "use the wallet, or let the proxy pass Upgrade and Connection",
        command "";
    /// Too many links.
    BUSY = 503 "relay/busy": "too many links are open",
        meaning "The relay has as many links as it may, in all or from this network.",
        cause "many wallets behind one address have not taken a turn yet, or the relay is full",
        fix "try again in the next round",
        command "tessera relay status";
    /// No such round.
    UNKNOWN_ROUND = 404 "relay/unknown-round": "there is no such round",
        meaning "The round was not published, is not over yet, or is past its retention.",
        cause "the relay was down in that round, or the number is another network's",
        fix "ask for a round that a statement named",
        command "";
    /// No such epoch.
    UNKNOWN_EPOCH = 404 "relay/unknown-epoch": "there is no such epoch",
        meaning "Epochs are announced one ahead and kept for ever.",
        cause "the epoch is further ahead, or the number is another network's",
        fix "ask for the running epoch",
        command "";
    /// The link of a member is used.
    LINK_SPENT = 409 "relay/link-spent": "this member link is used or expired",
        meaning "A member link makes one member, within seven days.",
        cause "somebody joined with it, or nobody came in time",
        fix "ask the relay's administrator for a new link",
        command "";
    /// The challenge is used.
    CHALLENGE_SPENT = 409 "relay/challenge-spent": "this challenge is used or expired",
        meaning "A challenge is good once, for a minute.",
        cause "the request was repeated, or came late",
        fix "ask for a new challenge",
        command "";
    /// The proof does not hold.
    PROOF_INVALID = 401 "relay/proof-invalid": "the proof of the member key does not hold",
        meaning "The Schnorr proof was made for another key, challenge, epoch or relay, or its bytes are not canonical.",
        cause "the epoch changed in between, or the request was changed on its way",
        fix "ask for a new challenge and prove again",
        command "";
    /// The key is a member's already, or none.
    MEMBER_KEY = 422 "relay/member-key": "this is not a new member key",
        meaning "The key is a member's already, or it is not a canonical point of ristretto255.",
        cause "the wallet joined before, or the key was copied wrongly",
        fix "make a new key",
        command "";
    /// The member's state does not allow it.
    MEMBER_STATE = 409 "relay/member-state": "the member is in another state",
        meaning "Only an active member can be suspended, and only a suspended one resumed.",
        cause "somebody else did it first",
        fix "look at the member again",
        command "";
}
