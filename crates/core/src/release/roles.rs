use super::{Kept, MAX_PREVIOUS, Release, Releases, undo};
use crate::api::{ApplicationStatus, MAX_QUARANTINED, Quarantined, ReleaseRef};
use crate::object::Digest;

/// Shortest beginning of a digest that names a release.
const SHORTEST_DIGEST: usize = 6;

impl Releases {
    /// The entry of a release in quarantine.
    pub fn quarantine_of(&self, digest: &Digest) -> Option<&Quarantined> {
        self.quarantined.iter().find(|entry| entry.digest == digest.as_str())
    }

    /// The release that was undone, or is to be: the one begun last, once it is in quarantine.
    pub fn undone(&self) -> Option<(&Kept, &Quarantined)> {
        let next = self.next.as_ref()?;
        Some((next, self.quarantine_of(next.release.digest())?))
    }

    /// What the cluster should have as long as nothing new comes.
    pub fn present(&self) -> Option<Kept> {
        let stable = self.stable.as_ref().filter(|s| self.quarantine_of(s.release.digest()).is_none());
        match (&self.next, self.undone(), stable) {
            (_, Some((next, _)), Some(stable)) => {
                let release = undo(&stable.release, &next.release).release;
                let same = release.digest() == stable.release.digest();
                let release = if same { stable.release.clone() } else { release.into() };
                Some(Kept { release, ..stable.clone() })
            }
            (Some(next), None, _) => Some(next.clone()),
            (None, _, stable) => stable.cloned(),
            (Some(_), Some(_), None) => None,
        }
    }

    /// The highest number that a kept release has in the history.
    pub fn last_number(&self) -> u64 {
        self.iter().map(|kept| kept.number).max().unwrap_or(0)
    }

    /// A new release begins. What was begun before and did not prove itself is forgotten.
    pub fn begin(&mut self, next: Kept) {
        self.next = Some(next);
        self.tidy();
    }

    /// The release that was begun proved itself.
    pub fn prove(&mut self) {
        if let Some(next) = self.next.take() {
            let former = self.stable.replace(next);
            self.previous.splice(0..0, former);
            self.tidy();
        }
    }

    /// Puts a release into quarantine.
    pub fn quarantine(&mut self, entry: Quarantined) {
        self.quarantined.retain(|known| known.digest != entry.digest);
        self.quarantined.insert(0, entry);
        self.quarantined.truncate(MAX_QUARANTINED);
    }

    /// Takes a release out of quarantine.
    pub fn free(&mut self, digest: &Digest) {
        self.quarantined.retain(|entry| entry.digest != digest.as_str());
    }

    /// A person undoes what is present in favour of an earlier release, which [`Self::choose`] gave; `entry`
    /// says why something goes into quarantine.
    pub fn go_back(&mut self, target: &Kept, entry: impl Fn(&Release) -> Quarantined) {
        let Some(present) = self.present() else { return };
        let undone = self.undone().is_some();
        // What is left of an earlier rollback goes too, though nobody ever committed just that.
        if let Some(stable) = self.stable.clone().filter(|_| undone) {
            self.quarantine(entry(&stable.release));
        }
        self.quarantine(entry(&present.release));
        let former = self.stable.replace(target.clone());
        if self.next.is_some() && !undone {
            self.previous.splice(0..0, former);
        } else {
            self.next = Some(present);
        }
        self.tidy();
    }

    /// The release that a person may go back to by its number in the history, its revision or the beginning
    /// of its digest; the one before the present one where none is named.
    ///
    /// # Errors
    /// A sentence that says why not, and which releases can be chosen.
    pub fn choose(&self, wish: Option<&str>) -> Result<Kept, String> {
        let present = self.present();
        let is_present = |kept: &Kept| {
            present.as_ref().is_some_and(|present| present.release.digest() == kept.release.digest())
                || self.undone().is_some() && self.stable.as_ref() == Some(kept)
        };
        let good = |kept: &&Kept| !is_present(kept) && self.quarantine_of(kept.release.digest()).is_none();
        let candidates = || self.stable.iter().chain(&self.previous).filter(good);
        let which = || {
            let list: Vec<_> =
                candidates().map(|kept| format!("{} ({})", kept.number, kept.release.revision())).collect();
            if list.is_empty() {
                "no earlier release is kept".to_owned()
            } else {
                format!("these can be chosen: {}", list.join(", "))
            }
        };
        let Some(wish) = wish else { return candidates().next().cloned().ok_or_else(which) };
        if let Some(kept) = candidates().find(|kept| is_named(kept, wish)) {
            return Ok(kept.clone());
        }
        Err(match self.iter().find(|kept| is_named(kept, wish)) {
            Some(kept) if is_present(kept) => format!("release {wish} is what the cluster has; {}", which()),
            Some(_) => format!(
                "release {wish} is quarantined; `windlass retry` applies it again if Git still says it; {}",
                which()
            ),
            None => format!("no release {wish} is kept; {}", which()),
        })
    }

    /// The stored releases in the roles that the status gives them, and whether the store knows of a
    /// rollback that the status does not tell of yet: it is written first.
    ///
    /// A release proves itself by the status alone, so the store may still call it `next`. Where the status
    /// is lost, the store's own roles count.
    pub fn align(self, status: &ApplicationStatus) -> (Self, bool) {
        let told = |entry: &Quarantined| status.quarantined.iter().any(|known| known.digest == entry.digest);
        let ahead = self.quarantined.iter().any(|entry| !told(entry));
        if ahead || status.stable.is_none() && status.next.is_none() {
            let mut aligned = self;
            let more: Vec<_> = status.quarantined.iter().filter(|q| !aligned.has_entry(q)).cloned().collect();
            aligned.quarantined.extend(more);
            aligned.quarantined.truncate(MAX_QUARANTINED);
            return (aligned, ahead);
        }
        let find = |reference: &ReleaseRef| self.find(&reference.digest).cloned();
        let stable = status.stable.as_ref().and_then(find);
        let failed = |kept: &&Kept| {
            let digest = kept.release.digest().as_str();
            status.quarantined.iter().any(|entry| entry.digest == digest)
        };
        let next = match &status.next {
            Some(next) => find(next),
            None => self.next.as_ref().filter(failed).cloned(),
        };
        let previous = self.stable.iter().chain(&self.previous).cloned().collect();
        let mut aligned = Self { stable, next, previous, quarantined: status.quarantined.clone() };
        aligned.tidy();
        (aligned, false)
    }

    fn has_entry(&self, entry: &Quarantined) -> bool {
        self.quarantined.iter().any(|known| known.digest == entry.digest)
    }

    /// Keeps each former release once, and none that has another role.
    fn tidy(&mut self) {
        let digest = |kept: &Option<Kept>| kept.as_ref().map(|kept| kept.release.digest().clone());
        let mut seen: Vec<_> = [&self.stable, &self.next].into_iter().filter_map(digest).collect();
        self.previous.retain(|kept| {
            let digest = kept.release.digest();
            let new = !seen.contains(digest);
            seen.push(digest.clone());
            new
        });
        self.previous.truncate(MAX_PREVIOUS);
    }
}

/// `7`, `main@3f2a9c1`, `3f2a9c1` or the beginning of the digest.
fn is_named(kept: &Kept, wish: &str) -> bool {
    let revision = kept.release.revision();
    wish.parse() == Ok(kept.number)
        || revision == wish
        || revision.split(',').filter_map(|one| one.rsplit_once('@')).any(|(_, commit)| commit == wish)
        || wish.len() >= SHORTEST_DIGEST && kept.release.digest().as_str().starts_with(wish)
}
