//! Who may do what: five roles, one table. Every door names one [`Permission`]; there is no other authorisation.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::fmt;

/// A role of an operator or of a service account inside one tenant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// All of a tenant.
    Owner,
    /// All but owners, recovery and the destruction of keys.
    Admin,
    /// Types, offers, credentials, revocation; signing by keys whose use is `api`.
    IssuerOperator,
    /// Verification requests and their results.
    Verifier,
    /// Reads the ledger, evidence and masked configuration; changes nothing.
    Auditor,
}

impl Role {
    /// Every role, the most powerful first.
    pub const ALL: [Self; 5] =
        [Self::Owner, Self::Admin, Self::IssuerOperator, Self::Verifier, Self::Auditor];

    /// The name in tokens, configuration and JSON, as `issuer-operator`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::IssuerOperator => "issuer-operator",
            Self::Verifier => "verifier",
            Self::Auditor => "auditor",
        }
    }

    /// Reads a name as [`Role::as_str`] writes it; nothing else.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str() == text)
    }

    /// Whether somebody with this role may hand out `other`: an owner all, an admin all but owner, nobody else any.
    #[must_use]
    pub const fn may_grant(self, other: Self) -> bool {
        match self {
            Self::Owner => true,
            Self::Admin => !matches!(other, Self::Owner),
            Self::IssuerOperator | Self::Verifier | Self::Auditor => false,
        }
    }

    const fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A set of roles.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Roles(u8);

impl Roles {
    /// No role: may do nothing but what needs none.
    pub const NONE: Self = Self(0);

    /// The set of these roles.
    #[must_use]
    pub const fn of(roles: &[Role]) -> Self {
        let mut bits = 0;
        let mut at = 0;
        while at < roles.len() {
            bits |= roles[at].bit();
            at += 1;
        }
        Self(bits)
    }

    /// Whether `role` is in the set.
    #[must_use]
    pub const fn has(self, role: Role) -> bool {
        self.0 & role.bit() != 0
    }

    /// Whether the two sets share a role.
    #[must_use]
    pub const fn meets(self, other: Self) -> bool {
        self.0 & other.0 != 0
    }

    /// This set with `role` in it.
    #[must_use]
    pub const fn with(self, role: Role) -> Self {
        Self(self.0 | role.bit())
    }

    /// Whether no role is in the set.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The roles, the most powerful first.
    pub fn iter(self) -> impl Iterator<Item = Role> {
        Role::ALL.into_iter().filter(move |role| self.has(*role))
    }

    /// Whether somebody with these roles may hand out every one of `others`.
    #[must_use]
    pub fn may_grant(self, others: Self) -> bool {
        others.iter().all(|other| self.iter().any(|role| role.may_grant(other)))
    }

    /// Whether these roles carry `permission`.
    #[must_use]
    pub const fn may(self, permission: Permission) -> bool {
        self.meets(permission.roles())
    }

    /// Names separated by spaces, as a column and a token's claim hold them.
    #[must_use]
    pub fn to_text(self) -> String {
        self.iter().map(Role::as_str).collect::<Vec<_>>().join(" ")
    }

    /// Reads [`Roles::to_text`]; an unknown name is `None`, never skipped.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        text.split_ascii_whitespace().try_fold(Self::NONE, |set, name| Some(set.with(Role::parse(name)?)))
    }
}

impl FromIterator<Role> for Roles {
    fn from_iter<I: IntoIterator<Item = Role>>(roles: I) -> Self {
        roles.into_iter().fold(Self::NONE, Self::with)
    }
}

/// What a door asks for. The table of roles is [`Permission::roles`]; a permission that it forgets does not compile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Permission {
    /// Make, list, show, suspend and resume tenants; only inside the system tenant.
    TenantsAdmin,
    /// List and show the operators of a tenant.
    OperatorsRead,
    /// Invite operators, revoke them, change their role.
    OperatorsAdmin,
    /// List and show service accounts.
    ServiceAccountsRead,
    /// Make service accounts, rotate their secrets, revoke them.
    ServiceAccountsAdmin,
    /// List and show signing keys, read their attestation.
    KeysRead,
    /// Read public parts of keys.
    KeysPublic,
    /// Make keys, rotate and change them, put certificates.
    KeysAdmin,
    /// Sign with keys whose use is `api`.
    KeysSign,
    /// Destroy key versions.
    KeysDestroy,
    /// Read who used a key.
    KeysAccesses,
    /// Read credential types, offers, credentials and status lists.
    CredentialsRead,
    /// Make and cancel offers, suspend, resume and revoke credentials.
    CredentialsIssue,
    /// Make, change and delete credential types.
    CredentialTypesAdmin,
    /// Read verification requests and their results.
    VerificationsRead,
    /// Make and delete verification requests and stored queries.
    VerificationsRequest,
    /// Read trust anchors and trust lists.
    TrustAnchorsRead,
    /// Add and remove trust anchors and trust lists.
    TrustAnchorsAdmin,
    /// Read events, proofs, checkpoints and the state of the tenant's log.
    LedgerRead,
    /// Make, list and revoke tokens that read a log.
    LedgerTokensAdmin,
    /// Read the members of a relay and what its network promises.
    RelayMembersRead,
    /// Add, invite, suspend, resume and remove members of a relay.
    RelayMembersAdmin,
    /// Read the masked configuration and the detail of readiness.
    ConfigRead,
    /// Read relying parties, what they proved and their seals.
    RelyingPartiesRead,
    /// Register, change, prove, seal and remove relying parties.
    RelyingPartiesAdmin,
    /// Read enrolments: ids, classes and states, no persons.
    EnrolmentsRead,
    /// Invite people to enrol, approve and revoke their devices.
    EnrolmentsAdmin,
    /// Read how sign-ins ended.
    SigninsRead,
    /// List, show and inspect document seals.
    DocumentSealsRead,
    /// Issue and revoke document seals.
    DocumentSealsIssue,
    /// Whatever every authenticated party may do: ask who it is, end its own session.
    Own,
}

impl Permission {
    /// Every permission once, in the order of the table.
    pub const ALL: [Self; 31] = [
        Self::TenantsAdmin,
        Self::OperatorsRead,
        Self::OperatorsAdmin,
        Self::ServiceAccountsRead,
        Self::ServiceAccountsAdmin,
        Self::KeysRead,
        Self::KeysPublic,
        Self::KeysAdmin,
        Self::KeysSign,
        Self::KeysDestroy,
        Self::KeysAccesses,
        Self::CredentialsRead,
        Self::CredentialsIssue,
        Self::CredentialTypesAdmin,
        Self::VerificationsRead,
        Self::VerificationsRequest,
        Self::TrustAnchorsRead,
        Self::TrustAnchorsAdmin,
        Self::LedgerRead,
        Self::LedgerTokensAdmin,
        Self::RelayMembersRead,
        Self::RelayMembersAdmin,
        Self::ConfigRead,
        Self::RelyingPartiesRead,
        Self::RelyingPartiesAdmin,
        Self::EnrolmentsRead,
        Self::EnrolmentsAdmin,
        Self::SigninsRead,
        Self::DocumentSealsRead,
        Self::DocumentSealsIssue,
        Self::Own,
    ];

    /// The one table: which roles carry this permission.
    #[must_use]
    pub const fn roles(self) -> Roles {
        use Role::{Admin, Auditor, IssuerOperator, Owner, Verifier};
        match self {
            Self::OperatorsAdmin | Self::KeysDestroy => Roles::of(&[Owner]),
            Self::TenantsAdmin
            | Self::ServiceAccountsAdmin
            | Self::KeysAdmin
            | Self::TrustAnchorsAdmin
            | Self::LedgerTokensAdmin
            | Self::RelyingPartiesAdmin
            | Self::RelayMembersAdmin => Roles::of(&[Owner, Admin]),
            Self::OperatorsRead
            | Self::ServiceAccountsRead
            | Self::KeysAccesses
            | Self::LedgerRead
            | Self::RelayMembersRead
            | Self::RelyingPartiesRead
            | Self::SigninsRead
            | Self::ConfigRead => Roles::of(&[Owner, Admin, Auditor]),
            Self::KeysRead | Self::CredentialsRead | Self::EnrolmentsRead => {
                Roles::of(&[Owner, Admin, IssuerOperator, Auditor])
            }
            Self::KeysSign
            | Self::CredentialsIssue
            | Self::CredentialTypesAdmin
            | Self::EnrolmentsAdmin
            | Self::DocumentSealsIssue => Roles::of(&[Owner, Admin, IssuerOperator]),
            Self::VerificationsRead => Roles::of(&[Owner, Admin, Verifier, Auditor]),
            Self::VerificationsRequest => Roles::of(&[Owner, Admin, Verifier]),
            Self::KeysPublic | Self::TrustAnchorsRead | Self::DocumentSealsRead | Self::Own => {
                Roles::of(&Role::ALL)
            }
        }
    }

    /// Whether the permission exists only inside the system tenant.
    #[must_use]
    pub const fn system_only(self) -> bool {
        matches!(self, Self::TenantsAdmin)
    }

    /// The name in documents and refusals, as `keys-admin`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TenantsAdmin => "tenants-admin",
            Self::OperatorsRead => "operators-read",
            Self::OperatorsAdmin => "operators-admin",
            Self::ServiceAccountsRead => "service-accounts-read",
            Self::ServiceAccountsAdmin => "service-accounts-admin",
            Self::KeysRead => "keys-read",
            Self::KeysPublic => "keys-public",
            Self::KeysAdmin => "keys-admin",
            Self::KeysSign => "keys-sign",
            Self::KeysDestroy => "keys-destroy",
            Self::KeysAccesses => "keys-accesses",
            Self::CredentialsRead => "credentials-read",
            Self::CredentialsIssue => "credentials-issue",
            Self::CredentialTypesAdmin => "credential-types-admin",
            Self::VerificationsRead => "verifications-read",
            Self::VerificationsRequest => "verifications-request",
            Self::TrustAnchorsRead => "trust-anchors-read",
            Self::TrustAnchorsAdmin => "trust-anchors-admin",
            Self::LedgerRead => "ledger-read",
            Self::LedgerTokensAdmin => "ledger-tokens-admin",
            Self::RelayMembersRead => "relay-members-read",
            Self::RelayMembersAdmin => "relay-members-admin",
            Self::ConfigRead => "config-read",
            Self::RelyingPartiesRead => "relying-parties-read",
            Self::RelyingPartiesAdmin => "relying-parties-admin",
            Self::EnrolmentsRead => "enrolments-read",
            Self::EnrolmentsAdmin => "enrolments-admin",
            Self::SigninsRead => "signins-read",
            Self::DocumentSealsRead => "document-seals-read",
            Self::DocumentSealsIssue => "document-seals-issue",
            Self::Own => "own",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_may_everything_and_an_admin_all_but_owners_and_destruction() {
        for permission in Permission::ALL {
            assert!(Roles::of(&[Role::Owner]).may(permission), "{}", permission.as_str());
            let owners_alone = matches!(permission, Permission::OperatorsAdmin | Permission::KeysDestroy);
            assert_eq!(Roles::of(&[Role::Admin]).may(permission), !owners_alone, "{}", permission.as_str());
        }
    }

    #[test]
    fn an_auditor_changes_nothing() {
        let changing = [
            Permission::TenantsAdmin,
            Permission::OperatorsAdmin,
            Permission::ServiceAccountsAdmin,
            Permission::KeysAdmin,
            Permission::KeysSign,
            Permission::KeysDestroy,
            Permission::CredentialsIssue,
            Permission::CredentialTypesAdmin,
            Permission::RelayMembersAdmin,
            Permission::VerificationsRequest,
            Permission::TrustAnchorsAdmin,
            Permission::RelyingPartiesAdmin,
            Permission::EnrolmentsAdmin,
            Permission::DocumentSealsIssue,
            Permission::LedgerTokensAdmin,
        ];
        for permission in changing {
            assert!(!Roles::of(&[Role::Auditor]).may(permission), "{}", permission.as_str());
        }
    }

    #[test]
    fn no_role_grants_more_than_it_has() {
        for role in Role::ALL {
            let granted: Roles = Role::ALL.into_iter().filter(|other| role.may_grant(*other)).collect();
            for permission in Permission::ALL {
                if granted.may(permission) {
                    assert!(Roles::of(&[role]).may(permission), "{role} grants {}", permission.as_str());
                }
            }
        }
    }

    #[test]
    fn each_permission_has_its_own_name_and_stands_in_the_list_once() {
        let names: std::collections::BTreeSet<_> = Permission::ALL.iter().map(|p| p.as_str()).collect();
        assert_eq!(names.len(), Permission::ALL.len());
    }

    #[test]
    fn roles_survive_their_text_and_unknown_names_are_refused() {
        let roles = Roles::of(&[Role::Admin, Role::Auditor]);
        assert_eq!(Roles::parse(&roles.to_text()), Some(roles));
        assert_eq!(Roles::parse("admin root"), None);
        assert_eq!(Roles::parse("Admin"), None);
    }
}
