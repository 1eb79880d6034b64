//! What references point to now, with their commits in the mirror.

use super::http::{Patience, Session};
use super::mirror::Mirror;
use super::refs::{Refs, Target, list, sha256};
use super::transport::FetchError;
use super::{Reference, ResolveRequest, Revision};
use crate::failure::Failure;

/// Most branches that a message names.
const NAMED: usize = 5;
/// Most names that are compared to find the nearest.
const COMPARED: usize = 1_000;

/// All branches and tags; `refs/*` would also fetch every pull request.
const EVERYTHING: [&str; 2] = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"];

/// Resolves every reference of a request, in its order. What is wrong with the repository as a whole is the
/// answer to all that are not in the mirror.
///
/// Waits for the network; not to be called from an async task.
pub fn resolve(request: &ResolveRequest) -> Vec<Result<Revision, Failure>> {
    resolve_with(request, Patience::default())
}

/// As [`resolve`], with another bound on silence.
pub fn resolve_with(request: &ResolveRequest, patience: Patience) -> Vec<Result<Revision, Failure>> {
    match Look::new(request, patience) {
        Ok(look) => look.answers(),
        Err(failure) => vec![Err(failure); request.references.len()],
    }
}

/// One look at a repository.
struct Look<'a> {
    request: &'a ResolveRequest,
    patience: Patience,
    session: Session,
    mirror: Mirror,
}

/// A reference with what the server says that it points to.
struct Wanted<'a> {
    reference: &'a Reference,
    target: Target,
}

impl<'a> Look<'a> {
    fn new(request: &'a ResolveRequest, patience: Patience) -> Result<Self, Failure> {
        let session = Session::new(&request.url, &request.credentials, patience)?;
        Ok(Self { request, patience, session, mirror: Mirror::open(&request.mirror)? })
    }

    fn answers(mut self) -> Vec<Result<Revision, Failure>> {
        let wanted = self.wanted();
        let known: Vec<_> = wanted.iter().flatten().collect();
        let fetched = if self.request.renew { self.renew(&known) } else { Ok(()) };
        let fetched = fetched.and_then(|()| self.obtain(&known));
        let answer = |wanted: Result<Wanted<'_>, Failure>| self.answer(&wanted?, &fetched);
        wanted.into_iter().map(answer).collect()
    }

    /// What each reference points to; a listing that fails is the answer for all names.
    fn wanted(&mut self) -> Vec<Result<Wanted<'a>, Failure>> {
        let request = self.request;
        let names = request.references.iter().filter(|r| !matches!(r, Reference::Commit(_)));
        let names: Vec<_> =
            names.map(full_name).filter(|name| git2::Reference::is_valid_name(name)).collect();
        // A commit's id says all; its repository is asked only when the mirror lacks it.
        let refs = if names.is_empty() { Ok(Refs::new()) } else { list(&mut self.session, &names) };
        let mut wanted = Vec::new();
        for reference in &request.references {
            wanted.push(match (reference, &refs) {
                (Reference::Commit(id), _) => self.bare_commit(id).map(|target| Wanted { reference, target }),
                (_, Err(failure)) => Err(failure.clone()),
                (named, Ok(refs)) => match refs.get(&full_name(named)) {
                    Some(target) => Ok(Wanted { reference, target: target.clone() }),
                    None => Err(self.missing(named)),
                },
            });
        }
        wanted
    }

    fn bare_commit(&self, id: &str) -> Result<Target, Failure> {
        let hexadecimal = id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        match id.len() {
            40 if hexadecimal => Ok(Target { id: id.to_owned(), peeled: id.to_owned() }),
            64 if hexadecimal => Err(sha256(self.session.url())),
            _ => Err(self.not_found(&format!("{id} is no commit id; give all 40 hexadecimal digits"))),
        }
    }

    /// Makes the mirror have what is wanted, as far as the server gives it.
    fn obtain(&mut self, wanted: &[&Wanted<'_>]) -> Result<(), Failure> {
        let lacks = |look: &Self, wanted: &Wanted<'_>| !look.mirror.has_commit(&wanted.target.peeled);
        let named: Vec<_> = wanted.iter().filter(|w| !w.is_bare() && lacks(self, w)).collect();
        let refspecs: Vec<_> = named.iter().map(|wanted| refspec(wanted.reference)).collect();
        if !refspecs.is_empty() {
            self.fetch(&refspecs)?;
            let unreadable = |wanted: &&&Wanted<'_>| {
                lacks(self, wanted)
                    && self.mirror.tip(&full_name(wanted.reference)).is_none()
                    && self.mirror.other_kind(&wanted.target.peeled).is_none()
            };
            // libgit2 takes the mirror's word for what it has, and does not fetch that.
            if named.iter().any(unreadable) {
                let session = self.connect()?;
                let renewed = self.mirror.renew(session, &refspecs);
                renewed.map_err(|error| self.mirror.failure(&self.request.url, error))?;
            }
        }
        for bare in wanted.iter().filter(|wanted| wanted.is_bare()) {
            if lacks(self, bare) {
                self.obtain_bare(&bare.target.id)?;
            }
        }
        Ok(())
    }

    /// Fetches a commit by its id, which not every server allows, or else everything it may be part of.
    fn obtain_bare(&mut self, commit: &str) -> Result<(), Failure> {
        let by_id = self.mirror.fetch(self.connect()?, &[format!("+{commit}:refs/windlass/{commit}")]);
        if let Err(FetchError::Conversation(failure)) = by_id
            && (failure.transient || failure.reason == "AuthenticationFailed")
        {
            return Err(failure);
        }
        if self.mirror.has_commit(commit) || self.mirror.other_kind(commit).is_some() {
            return Ok(());
        }
        self.fetch(&EVERYTHING.map(String::from))
    }

    /// Fetches; where the mirror seems damaged, into a new one.
    fn fetch(&mut self, refspecs: &[String]) -> Result<(), Failure> {
        let fetched = match self.mirror.fetch(self.connect()?, refspecs) {
            Err(FetchError::Git(_)) => {
                let session = self.connect()?;
                self.mirror.renew(session, refspecs)
            }
            other => other,
        };
        fetched.map_err(|error| self.mirror.failure(&self.request.url, error))
    }

    /// Fetches everything that is wanted into a new mirror.
    fn renew(&mut self, wanted: &[&Wanted<'_>]) -> Result<(), Failure> {
        // Not every server gives a commit by its id, so one that is wanted is looked for everywhere.
        let refspecs: Vec<_> = if wanted.iter().any(|wanted| wanted.is_bare()) {
            EVERYTHING.map(String::from).to_vec()
        } else {
            wanted.iter().map(|wanted| refspec(wanted.reference)).collect()
        };
        if refspecs.is_empty() {
            return Ok(());
        }
        let session = self.connect()?;
        let renewed = self.mirror.renew(session, &refspecs);
        renewed.map_err(|error| self.mirror.failure(&self.request.url, error))
    }

    fn connect(&self) -> Result<Session, Failure> {
        Session::new(&self.request.url, &self.request.credentials, self.patience)
    }

    fn answer(&self, wanted: &Wanted<'_>, fetched: &Result<(), Failure>) -> Result<Revision, Failure> {
        let found = |commit: String| Revision { reference: display(wanted.reference), commit };
        let listed = &wanted.target.peeled;
        if self.mirror.has_commit(listed) {
            return Ok(found(listed.clone()));
        }
        fetched.clone()?;
        let named = words(wanted.reference);
        if let Some(kind) = self.mirror.other_kind(listed) {
            return Err(self.not_found(&format!("{named} is a {kind}, not a commit")));
        }
        if wanted.is_bare() {
            let why = format!("{named} is on no branch or tag, and the server does not give it by its id");
            return Err(self.not_found(&why));
        }
        // It moved between the listing and the fetch.
        self.mirror.tip(&full_name(wanted.reference)).map(found).ok_or_else(|| {
            let message = format!("{}: {named} moved or went while it was fetched", self.request.url);
            Failure::transient("RevisionMoved", message)
        })
    }

    fn missing(&mut self, reference: &Reference) -> Failure {
        let prefix = if matches!(reference, Reference::Tag(_)) { "refs/tags/" } else { "refs/heads/" };
        let what = if matches!(reference, Reference::Tag(_)) { "tag" } else { "branch" };
        let listed = list(&mut self.session, &[prefix.to_owned()]).unwrap_or_default();
        let mut names: Vec<_> = listed.keys().filter_map(|name| name.strip_prefix(prefix)).collect();
        let count = names.len();
        names.truncate(COMPARED);
        let wanted = display(reference);
        names.sort_by_cached_key(|name| strsim::damerau_levenshtein(&wanted, name));
        names.truncate(NAMED);
        let known = match count {
            0 => format!("it has no {what} at all"),
            1 => format!("its only {what} is {}", names.join(", ")),
            2..=NAMED => format!("it has {}", names.join(", ")),
            many => format!("the nearest of its {many} are {}", names.join(", ")),
        };
        self.not_found(&format!("there is no {}; {known}", words(reference)))
    }

    fn not_found(&self, why: &str) -> Failure {
        Failure::permanent("RevisionNotFound", format!("{}: {why}", self.request.url))
    }
}

impl Wanted<'_> {
    fn is_bare(&self) -> bool {
        matches!(self.reference, Reference::Commit(_))
    }
}

fn refspec(named: &Reference) -> String {
    format!("+{0}:{0}", full_name(named))
}

fn full_name(reference: &Reference) -> String {
    match reference {
        Reference::Branch(name) => format!("refs/heads/{name}"),
        Reference::Tag(name) => format!("refs/tags/{name}"),
        Reference::Commit(id) => id.clone(),
    }
}

fn display(reference: &Reference) -> String {
    match reference {
        Reference::Branch(name) | Reference::Tag(name) => name.clone(),
        Reference::Commit(_) => "commit".into(),
    }
}

fn words(reference: &Reference) -> String {
    match reference {
        Reference::Branch(name) => format!("branch {name}"),
        Reference::Tag(name) => format!("tag {name}"),
        Reference::Commit(id) => format!("commit {id}"),
    }
}
