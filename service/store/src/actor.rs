//! Who acts.

use tlog::entry::ActorKind;

/// Who acts: a kind, which is public in the leaf, and an id, which is not.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Actor {
    /// What sort of party acts.
    pub kind: ActorKind,
    /// Which one (`opr_…`, `svc_…`); `None` where nobody in particular does.
    pub id: Option<String>,
}

impl Actor {
    /// The instance itself: jobs and starts.
    pub fn system() -> Actor {
        Actor { kind: ActorKind::System, id: None }
    }

    /// Nobody known: a public door.
    pub fn anonymous() -> Actor {
        Actor { kind: ActorKind::Anonymous, id: None }
    }

    /// A known party of a kind.
    pub fn new(kind: ActorKind, id: impl Into<String>) -> Actor {
        Actor { kind, id: Some(id.into()) }
    }

    /// An operator, `opr_…`.
    pub fn operator(id: impl Into<String>) -> Actor {
        Actor::new(ActorKind::Operator, id)
    }

    /// A service account, `svc_…`.
    pub fn service(id: impl Into<String>) -> Actor {
        Actor::new(ActorKind::Service, id)
    }
}
