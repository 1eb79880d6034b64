use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use windlass_core::api::{HealthStatus, SyncStatus};

/// Everything but the unreserved characters of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// Longest text to search for, in characters.
const MAX_SEARCH: usize = 100;

/// `text` as one segment of a path, or as a value in a query.
pub fn path_segment(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// Which Applications a list shows, as its URL says it. What a URL says wrongly counts as not said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "RawQuery")]
pub struct ListQuery {
    /// Words that the namespace and name must contain.
    pub search: String,
    /// Only those in this sync state.
    pub sync: Option<SyncStatus>,
    /// Only those of this health.
    pub health: Option<HealthStatus>,
    /// The order.
    pub sort: SortKey,
    /// Whether the order is turned round.
    pub descending: bool,
    /// The page, from 1.
    pub page: usize,
}

/// What a list is ordered by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SortKey {
    /// Those that need attention first.
    #[default]
    Attention,
    /// Namespace and name.
    Name,
    /// Sync state, worst first.
    Sync,
    /// Health, worst first.
    Health,
    /// Revision.
    Revision,
    /// The last release, newest first.
    Released,
}

impl SortKey {
    const ALL: [Self; 6] =
        [Self::Attention, Self::Name, Self::Sync, Self::Health, Self::Revision, Self::Released];

    /// Its name in URLs.
    pub fn name(self) -> &'static str {
        match self {
            Self::Attention => "attention",
            Self::Name => "name",
            Self::Sync => "sync",
            Self::Health => "health",
            Self::Revision => "revision",
            Self::Released => "released",
        }
    }
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RawQuery {
    q: String,
    sync: String,
    health: String,
    sort: String,
    p: String,
}

impl From<RawQuery> for ListQuery {
    fn from(raw: RawQuery) -> Self {
        let sort = raw.sort.strip_prefix('-').unwrap_or(&raw.sort);
        Self {
            search: raw.q.trim().chars().take(MAX_SEARCH).collect(),
            sync: by_name(&raw.sync),
            health: by_name(&raw.health),
            sort: SortKey::ALL.into_iter().find(|key| key.name() == sort).unwrap_or_default(),
            descending: raw.sort.starts_with('-'),
            page: raw.p.parse().unwrap_or(1).max(1),
        }
    }
}

fn by_name<T: for<'de> Deserialize<'de>>(name: &str) -> Option<T> {
    T::deserialize(serde::de::value::StrDeserializer::<serde::de::value::Error>::new(name)).ok()
}

impl ListQuery {
    /// Its parameters with their values; what is the default is left out.
    fn params(&self) -> Vec<(&'static str, String)> {
        let sorted = self.sort != SortKey::default() || self.descending;
        let sort = format!("{}{}", if self.descending { "-" } else { "" }, self.sort.name());
        [
            ("q", (!self.search.is_empty()).then(|| self.search.clone())),
            ("sync", self.sync.map(|sync| format!("{sync:?}"))),
            ("health", self.health.map(|health| format!("{health:?}"))),
            ("sort", sorted.then_some(sort)),
            ("p", (self.page > 1).then(|| self.page.to_string())),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, value?)))
        .collect()
    }

    /// The query as the part of a URL after its path, `""` or `?…`.
    pub fn to_url(&self) -> String {
        let joined: Vec<String> = self
            .params()
            .into_iter()
            .map(|(name, value)| format!("{name}={}", path_segment(&value)))
            .collect();
        if joined.is_empty() { String::new() } else { format!("?{}", joined.join("&")) }
    }

    /// What a new search in the same list keeps.
    pub fn kept_by_search(&self) -> Vec<(&'static str, String)> {
        self.params().into_iter().filter(|(name, _)| !matches!(*name, "q" | "p")).collect()
    }

    /// Whether it leaves any Application out.
    pub fn is_filtered(&self) -> bool {
        !self.search.is_empty() || self.sync.is_some() || self.health.is_some()
    }

    /// Whether the words of the search are in `text`, which is in lower case.
    pub fn finds(&self, text: &str) -> bool {
        self.search.to_lowercase().split_whitespace().all(|word| text.contains(word))
    }
}

/// Where a list that is longer than a page stands.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Pager {
    /// This page, from 1.
    pub page: usize,
    /// How many there are.
    pub pages: usize,
    /// Position of the first entry shown, from 1.
    pub first: usize,
    /// Position of the last entry shown.
    pub last: usize,
    /// How many entries there are.
    pub total: usize,
}

impl Pager {
    /// For `total` entries of which a page shows `size`; a page beyond the last is the last.
    pub fn new(total: usize, size: usize, page: usize) -> Self {
        let pages = total.div_ceil(size).max(1);
        let page = page.clamp(1, pages);
        let skipped = (page - 1) * size;
        Self { page, pages, first: (skipped + 1).min(total), last: (skipped + size).min(total), total }
    }

    /// How many entries come before this page.
    pub fn skipped(&self) -> usize {
        self.first.saturating_sub(1)
    }
}
