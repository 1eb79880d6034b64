/// Why a route cannot carry a split: which route, and the problem.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{route}: {problem}")]
pub struct RouteError {
    /// Kind, namespace and name of the route.
    pub route: String,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What keeps a router from dividing requests as asked. Each message says where, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// The object is of another kind than the router's routes.
    #[error("this is not a route of the router, which has {expected} objects")]
    WrongKind {
        /// The kind that was expected.
        expected: &'static str,
    },
    /// A field has another type than its schema says.
    #[error("{field} must be {expected}")]
    Shape {
        /// Path of the field.
        field: String,
        /// What it has to be.
        expected: &'static str,
    },
    /// Nothing in the route sends requests to the Service.
    #[error(
        "no rule sends requests to Service {0}: traffic.service and the route must name the same Service"
    )]
    NotNamed(String),
    /// A share beyond 100 percent.
    #[error("{0} % of the requests is more than there are")]
    Percent(u8),
    /// A split by header or cookie without any.
    #[error("no header or cookie says which requests the candidate gets")]
    NoMatch,
    /// A match that names neither, or both.
    #[error("a match must have either a header or a cookie")]
    MatchUnion,
    /// A backend in another namespace than the route.
    #[error(
        "{field} names Service {service} of another namespace: its ReferenceGrant would have to cover Services \
         that come and go with each rollout; put the route into the Service's namespace"
    )]
    OtherNamespace {
        /// Path of the reference.
        field: String,
        /// Namespace and name of the Service.
        service: String,
    },
    /// The result would have more entries than the API allows.
    #[error("{field} would have {count} entries while a rollout runs, {most} are allowed")]
    TooMany {
        /// Path of the list.
        field: String,
        /// How many it would have.
        count: usize,
        /// How many it may have.
        most: usize,
    },
    /// Weights whose exact split needs numbers that are too large.
    #[error("{field}: the weights cannot be divided exactly with numbers up to {most}; use smaller weights")]
    Weights {
        /// Path of the list.
        field: String,
        /// The largest weight that the API allows.
        most: u64,
    },
    /// A match that wants another value of the same header already.
    #[error("{field} matches header {header} already, so the candidate's match cannot be added to it")]
    HeaderTaken {
        /// Path of the match.
        field: String,
        /// Name of the header.
        header: String,
    },
    /// Rules whose order a further header match would turn round.
    #[error(
        "{field} and {other} are told apart by query parameters; a header match for the candidate would take \
         requests from the second, which goes elsewhere"
    )]
    Precedence {
        /// Path of the match that names the Service.
        field: String,
        /// Path of the match of a rule that doesn't.
        other: String,
    },
    /// Mirroring in a rule with other backends.
    #[error(
        "{field} has other backends too, whose requests would be mirrored to the candidate; give the Service a \
         rule of its own"
    )]
    SharedMirror {
        /// Path of the list of backends.
        field: String,
    },
    /// A subset that is defined somewhere else.
    #[error(
        "{field} sends requests to subset {subset}, which no DestinationRule of this release defines, so there can \
         be none for the candidate; put the DestinationRule into the same Application"
    )]
    Subset {
        /// Path of the list of destinations.
        field: String,
        /// Name of the subset.
        subset: String,
    },
    /// Something that the router doesn't have.
    #[error("{0}")]
    Unsupported(&'static str),
}
