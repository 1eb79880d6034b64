//! YAML with the semantics that Kubernetes users know.
