//! Who reads a repository, and what of it.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use windlass_core::api::AppKey;

use super::{Mirror, Reader};
use crate::render::PathRead;
use crate::source::git::Reference;

impl Mirror {
    /// Notes that `app` reads `reference` for its source `source`.
    pub fn subscribe(&self, app: &AppKey, source: &str, reference: &Reference) {
        self.with(|state| {
            let key = (app.clone(), source.to_owned());
            match state.readers.get_mut(&key) {
                Some(reader) if reader.reference == *reference => {}
                _ => {
                    state
                        .readers
                        .insert(key, Reader { reference: reference.clone(), reads: None, heard: None });
                }
            }
        });
    }

    /// Notes that `app` no longer reads this repository for `source`.
    pub fn unsubscribe(&self, app: &AppKey, source: &str) {
        self.with(|state| {
            state.readers.remove(&(app.clone(), source.to_owned()));
            let used: HashSet<_> = state.readers.values().map(|r| r.reference.clone()).collect();
            state.results.retain(|reference, _| used.contains(reference));
            state.known.retain(|reference, _| used.contains(reference));
        });
    }

    /// Notes which paths the last render of a source looked at; `None` when it failed, so that any commit
    /// is worth another try.
    pub fn set_reads(&self, app: &AppKey, source: &str, reads: Option<Arc<Vec<PathRead>>>) {
        self.with(|state| {
            if let Some(reader) = state.readers.get_mut(&(app.clone(), source.to_owned())) {
                reader.reads = reads;
            }
        });
    }

    /// Notes that it is known what `app` wants of `source` as of `commit`.
    pub fn hear(&self, app: &AppKey, source: &str, commit: &str) {
        self.with(|state| {
            if let Some(reader) = state.readers.get_mut(&(app.clone(), source.to_owned())) {
                reader.heard = Some(commit.to_owned());
            }
        });
    }

    /// The Applications of which it is not known what they want as of the last look.
    pub fn unheard(&self) -> BTreeSet<AppKey> {
        self.with(|state| {
            // A repository that does not answer says nothing new.
            let behind = |reader: &Reader| {
                let known = state.known.get(&reader.reference);
                known.is_none() || reader.heard.as_ref() != known
            };
            let readers = state.readers.iter().filter(|(_, reader)| behind(reader));
            readers.map(|((app, _), _)| app.clone()).collect()
        })
    }

    /// Who reads this repository.
    pub fn readers(&self) -> BTreeSet<AppKey> {
        self.with(|state| state.readers.keys().map(|(app, _)| app.clone()).collect())
    }

    /// Whether an Application other than `app` read one of these paths.
    pub fn is_read_by_others(&self, app: &AppKey, paths: &BTreeSet<String>) -> bool {
        self.with(|state| {
            let others = state.readers.iter().filter(|((reader, _), _)| reader != app);
            let mut reads = others.filter_map(|(_, reader)| reader.reads.as_ref());
            reads.any(|reads| reads.iter().any(|read| paths.contains(&read.path)))
        })
    }
}
