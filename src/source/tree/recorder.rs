use std::cell::RefCell;
use std::collections::BTreeSet;

use super::{Entry, Tree};
use crate::failure::Failure;
use crate::render::PathRead;

/// Passes every look on to another tree and remembers it, those at missing paths too: what was looked at is
/// all that a render depends on.
pub struct Recorder<'a> {
    tree: &'a dyn Tree,
    reads: RefCell<BTreeSet<PathRead>>,
}

impl<'a> Recorder<'a> {
    /// Records looks at `tree`.
    pub fn new(tree: &'a dyn Tree) -> Self {
        Self { tree, reads: RefCell::default() }
    }

    /// Every path that was looked at, by name.
    pub fn reads(&self) -> Vec<PathRead> {
        self.reads.borrow().iter().cloned().collect()
    }
}

impl Tree for Recorder<'_> {
    fn read(&self, path: &str) -> Result<Option<Vec<u8>>, Failure> {
        self.touched(path)?;
        self.tree.read(path)
    }

    fn list(&self, path: &str) -> Result<Option<Vec<Entry>>, Failure> {
        self.touched(path)?;
        self.tree.list(path)
    }

    fn touched(&self, path: &str) -> Result<Vec<PathRead>, Failure> {
        let touched = self.tree.touched(path)?;
        self.reads.borrow_mut().extend(touched.iter().cloned());
        Ok(touched)
    }
}
