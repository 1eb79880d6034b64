/// What people ask of an Application by [`REQUEST_ANNOTATION`](super::REQUEST_ANNOTATION), written with their own rights.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    /// Chosen by the asker; a request is carried out once, then echoed in `status.handledRequest`.
    pub id: String,
    /// What to do.
    pub action: Action,
    /// Who asks, as far as the asker says so; shown as claimed.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub by: String,
    /// The revision that may prune more than the limit, for [`Action::AllowPrune`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// The release to go back to, for [`Action::Rollback`]: its number in the history, its revision or the
    /// beginning of its digest; the one before the present one when this is not set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<String>,
    /// The workload whose rollout is meant, by its name; all of them when this is not set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
}

/// What a [`Request`] asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Action {
    /// Look at the sources now.
    Refresh,
    /// Look at the sources now and apply, even where the sync mode is Manual.
    Sync,
    /// As [`Action::Sync`], and let the named revision prune above the limit.
    AllowPrune,
    /// Undo the present release: quarantine it and go back to an earlier one.
    Rollback,
    /// Take what is quarantined or failed out of quarantine and try it again.
    Retry,
    /// Let the present step of a rollout go on that waits for approval.
    Approve,
    /// Let a rollout go on with its next step now.
    Promote,
    /// Let a rollout go on to its end now.
    PromoteFull,
    /// Hold a rollout where it is.
    Pause,
    /// Let a rollout go on after a pause.
    Resume,
    /// Stop a rollout and undo its release.
    Abort,
}
