//! The pages of tenancy's problems.

crate::problem_pages! {
    pub pages;
    /// Another tenant has the name.
    NAME_TAKEN = 409 "tenants/name-taken": "another tenant has this name",
        meaning "Names of tenants stand in the paths of their wallets and are unique in the house.",
        cause "A tenant of this name exists, perhaps a suspended one.",
        fix "Choose another name.",
        command "tessera tenant list";
    /// The tenant is not in the state that the verb starts from.
    TENANT_STATE = 409 "tenants/state": "the tenant is already in that state",
        meaning "A suspended tenant cannot be suspended, an active one not resumed; the system tenant always stays.",
        cause "Somebody was faster, or the wrong tenant was named.",
        fix "Look at the tenant first.",
        command "tessera tenant show";
    /// Keys or log could not be made.
    PREPARATION = 503 "tenants/preparation": "the keys or the log of the new tenant could not be made",
        meaning "A tenant exists only with its keys and its log. They could not be made, so there is no tenant.",
        cause "A full disk or a keeper that does not answer; the log of the program names it.",
        fix "Mend the cause that /readyz names, then make the tenant again.",
        command "tessera doctor";
    /// Spent, old or foreign: all alike.
    LINK_GONE = 410 "operators/link-gone": "this link is spent, old or not ours",
        meaning "A one-time link works once and for fifteen minutes.",
        cause "It was used, its time is over, or it is not from here.",
        fix "Have another made: tessera operator link.",
        command "tessera operator link";
    /// The last owner stays.
    LAST_OWNER = 409 "operators/last-owner": "the last owner of a tenant cannot be revoked",
        meaning "A tenant without an owner could not be administered by anybody.",
        cause "No other operator of the tenant has the role owner.",
        fix "Invite another owner first.",
        command "tessera operator invite --role owner";
    /// Revoked operators get no link.
    OPERATOR_REVOKED = 409 "operators/revoked": "this operator was revoked",
        meaning "A revoked operator gets no link and cannot be revoked again.",
        cause "Somebody revoked the operator.",
        fix "Invite them anew if they should come back.",
        command "tessera operator invite";
    /// Nobody hands out a role above their own.
    ROLE_REFUSED = 403 "service-accounts/role-refused": "nobody hands out a role above their own",
        meaning "An owner hands out every role, an admin every role but owner, nobody else any.",
        cause "The roles asked for exceed those of whoever asks.",
        fix "Ask for less, or let an owner do it.",
        command "";
    /// Revoked or past its end.
    ACCOUNT_ENDED = 409 "service-accounts/ended": "this service account has ended",
        meaning "The account was revoked or its time is over; neither comes back.",
        cause "Somebody revoked it, or nobody renewed it.",
        fix "Make a new one.",
        command "tessera service-account create";
}
