//! Where requests go while a rollout runs: the routes and Services that Git desires, with the share of the
//! candidate merged in.
