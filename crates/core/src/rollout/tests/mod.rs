pub(super) mod model;
mod policies;
mod stories;
