//! A value that was parsed and not yet vouched for.

/// Holds what a peer sent until a key has vouched for it.
///
/// There is no way out but the type's own checks; what may be looked at before (to find the key) is offered by methods of
/// `Unverified<ThatType>`.
#[derive(Debug, Clone)]
pub struct Unverified<T>(T);

impl<T> Unverified<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(value)
    }

    /// For the few lines that check, nothing else.
    pub(crate) fn into_inner(self) -> T {
        self.0
    }

    pub(crate) fn inner(&self) -> &T {
        &self.0
    }
}
