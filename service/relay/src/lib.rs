//! A relay: it carries cells of one size in rounds of one length and learns nothing of who writes to whom.
