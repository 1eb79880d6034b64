//! Files of one revision, jailed and bounded.
