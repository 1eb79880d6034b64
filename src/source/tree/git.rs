use std::path::Path;

use super::{Budget, Entry, EntryKind, MAX_LINKS, MAX_PATH, Tree, check_entries, escapes, normalise, parent};
use crate::failure::Failure;
use crate::render::PathRead;
use crate::source::git::{Item, Kind, Objects};

/// The files of a commit, read from a mirror's object database without a checkout.
pub struct GitTree {
    objects: Objects,
    budget: Budget,
}

/// Where a path ends.
struct End {
    path: String,
    /// Never a link; `None` where there is nothing.
    item: Option<Item>,
    /// The links on the way.
    links: Vec<PathRead>,
}

impl GitTree {
    /// The files of `commit` in the bare repository `mirror`.
    ///
    /// # Errors
    /// `MirrorFailed` where the mirror does not have the commit.
    pub fn open(mirror: &Path, commit: &str) -> Result<Self, Failure> {
        Ok(Self { objects: Objects::open(mirror, commit)?, budget: Budget::default() })
    }

    /// Follows a path, and links on it, to its end.
    fn resolve(&self, path: &str) -> Result<End, Failure> {
        let mut path = normalise(".", path)?;
        let mut links = Vec::new();
        'again: loop {
            let mut item = self.objects.root();
            let mut walked = 0;
            for name in path.split('/').filter(|_| path != ".") {
                // Beside a file or a submodule there is nothing below it.
                let found = match item.kind {
                    Kind::Directory => self.objects.names(item.id)?.get(name.as_bytes()).copied(),
                    _ => None,
                };
                let Some(found) = found else { return Ok(End { path, item: None, links }) };
                walked += name.len() + usize::from(walked > 0);
                if found.kind == Kind::Link {
                    if links.len() >= MAX_LINKS {
                        let message = format!("{path}: more than {MAX_LINKS} symbolic links on the way");
                        return Err(Failure::permanent("PathEscapesRepository", message));
                    }
                    let (link, rest) = path.split_at(walked);
                    links.push(PathRead { path: link.to_owned(), id: Some(found.id.to_string()) });
                    path = format!("{}{rest}", self.target(link, found)?);
                    path = normalise(".", &path)?;
                    continue 'again;
                }
                item = found;
            }
            return Ok(End { path, item: Some(item), links });
        }
    }

    /// Where a link leads.
    fn target(&self, link: &str, item: Item) -> Result<String, Failure> {
        if self.objects.size(item.id)? > MAX_PATH {
            return Err(escapes(link));
        }
        let target = String::from_utf8(self.objects.content(item.id)?).map_err(|_| escapes(link))?;
        normalise(parent(link), &target).map_err(|_| escapes(link))
    }

    /// The entries of a directory with what they are, links followed, and what that depended on.
    fn entries(&self, end: &End, item: Item) -> Result<(Vec<Entry>, Vec<PathRead>), Failure> {
        let names = self.objects.names(item.id)?;
        check_entries(&end.path, names.len())?;
        let (mut entries, mut touched) = (Vec::with_capacity(names.len()), Vec::new());
        for (name, item) in names.iter() {
            // A name that is not UTF-8 cannot be asked for.
            let Ok(name) = std::str::from_utf8(name) else { continue };
            let kind = if item.kind == Kind::Link {
                let target = self.resolve(&format!("{}/{name}", end.path))?;
                let kind = target.item.map_or(EntryKind::Other, |item| kind(item.kind));
                touched.extend(target.touched());
                kind
            } else {
                kind(item.kind)
            };
            entries.push(Entry { name: name.to_owned(), kind });
        }
        Ok((entries, touched))
    }
}

impl End {
    fn touched(self) -> impl Iterator<Item = PathRead> {
        let id = self.item.map(|item| item.id.to_string());
        self.links.into_iter().chain([PathRead { path: self.path, id }])
    }
}

fn kind(kind: Kind) -> EntryKind {
    match kind {
        Kind::File => EntryKind::File,
        Kind::Directory => EntryKind::Directory,
        Kind::Link | Kind::Submodule => EntryKind::Other,
    }
}

impl Tree for GitTree {
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, Failure> {
        let end = self.resolve(path)?;
        let Some(item) = end.item.filter(|item| item.kind == Kind::File) else { return Ok(None) };
        // The size comes before the content, so that a huge file is never inflated.
        let size = self.objects.size(item.id)?;
        self.budget.spend(&end.path, u64::try_from(size).unwrap_or(u64::MAX))?;
        self.objects.content(item.id).map(Some)
    }

    fn list(&self, path: &str) -> Result<Option<Vec<Entry>>, Failure> {
        let end = self.resolve(path)?;
        let Some(item) = end.item.filter(|item| item.kind == Kind::Directory) else { return Ok(None) };
        Ok(Some(self.entries(&end, item)?.0))
    }

    fn touched(&self, path: &str) -> Result<Vec<PathRead>, Failure> {
        let end = self.resolve(path)?;
        let mut touched = Vec::new();
        if let Some(item) = end.item.filter(|item| item.kind == Kind::Directory) {
            // What a listing says of a link depends on what the link leads to.
            touched = self.entries(&end, item)?.1;
        }
        touched.extend(end.touched());
        Ok(touched)
    }
}
