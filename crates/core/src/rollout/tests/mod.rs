pub(super) mod model;
mod stories;
