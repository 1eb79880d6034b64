mod model;
mod stories;
