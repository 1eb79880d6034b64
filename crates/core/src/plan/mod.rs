//! What to do about the difference between a release and the cluster.
