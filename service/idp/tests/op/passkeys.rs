//! Passkeys over T0: a phishing-resistant sign-in, and everything that must not pass for one.
