//! Sign-in without passwords: the mutual-code protocol Seal/1 and the document seals that a person shows.
