//! A value that must not be printed and is wiped when it goes.

use std::fmt;

use zeroize::Zeroize;

/// Holds secret bytes or text: wiped on drop, shown by `Debug` as `Secret(…)`, never cloned by accident.
///
/// There is no `Display`, no `PartialEq` (compare through [`crate::hash::equal`]) and no `Clone`; whoever
/// needs a copy writes `Secret::new(secret.expose().clone())`, which can be searched for.
pub struct Secret<T: Zeroize>(T);

impl<T: Zeroize> Secret<T> {
    /// Takes ownership of `value`. Copies that the caller made before are the caller's to wipe.
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself, for as long as the borrow lasts.
    pub fn expose(&self) -> &T {
        &self.0
    }

    /// The place of the value, so that secrets can be made where they are wiped.
    pub(crate) fn place(&mut self) -> &mut T {
        &mut self.0
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

impl<T: Zeroize> From<T> for Secret<T> {
    fn from(value: T) -> Self {
        Self::new(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_byte_of_the_secret() {
        let secret = Secret::new(b"correct horse".to_vec());
        assert_eq!(format!("{secret:?}"), "Secret(…)");
        assert_eq!(format!("{:#?}", Some(&secret)), "Some(\n    Secret(…),\n)");
    }

    #[test]
    fn a_secret_is_wiped_when_it_is_dropped() {
        struct Watched<'a>(&'a std::cell::Cell<bool>);
        impl Zeroize for Watched<'_> {
            fn zeroize(&mut self) {
                self.0.set(true);
            }
        }
        let wiped = std::cell::Cell::new(false);
        drop(Secret::new(Watched(&wiped)));
        assert!(wiped.get());
    }
}
