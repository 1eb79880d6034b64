//! What stands at paths of a commit, by object id: two commits that agree on every path that a render read
//! render to the same release.

use super::{Objects, PathIdsRequest};
use crate::failure::Failure;

/// The id of the blob or tree at each path, `None` where there is nothing. Links are not followed.
///
/// # Errors
/// `MirrorFailed` where the mirror or the commit cannot be read.
pub fn path_ids(request: &PathIdsRequest) -> Result<Vec<Option<String>>, Failure> {
    let objects = Objects::open(&request.mirror, &request.commit)?;
    let id = |path: &String| {
        let names = path.split('/').filter(|name| !matches!(*name, "" | "."));
        Ok(objects.find(names)?.map(|item| item.id.to_string()))
    };
    request.paths.iter().map(id).collect()
}
