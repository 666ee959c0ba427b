//! Which claims become disclosures.

use std::collections::BTreeMap;

use crate::claims_path::{ClaimsPath, Step};

/// The places of a dataset that become disclosures, as a tree along the dataset.
///
/// A mark may stand on a value and on its parts: then the parts are disclosures inside a disclosure (RFC 9901, 4.2.6).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frame {
    disclosed: bool,
    names: BTreeMap<String, Frame>,
    indices: BTreeMap<u64, Frame>,
    elements: Option<Box<Frame>>,
}

impl Frame {
    /// Makes what `path` selects a disclosure.
    pub fn mark(&mut self, path: &ClaimsPath) {
        self.mark_steps(path.steps());
    }

    fn mark_steps(&mut self, steps: &[Step]) {
        let Some((step, below)) = steps.split_first() else {
            self.disclosed = true;
            return;
        };
        let next = match step {
            Step::Name(name) => self.names.entry(name.clone()).or_default(),
            Step::Index(index) => self.indices.entry(*index).or_default(),
            Step::All => &mut **self.elements.get_or_insert_default(),
        };
        next.mark_steps(below);
    }

    pub(crate) fn is_disclosed(&self) -> bool {
        self.disclosed
    }

    /// Whether nothing below is a disclosure, so that the value can be copied whole.
    pub(crate) fn is_leaf(&self) -> bool {
        self.names.is_empty() && self.indices.is_empty() && self.elements.is_none()
    }

    pub(crate) fn member(&self, name: &str) -> Option<&Frame> {
        self.names.get(name)
    }

    /// The frame of one element; a mark on its own index goes before one on all.
    pub(crate) fn element(&self, index: usize) -> Option<&Frame> {
        self.indices.get(&(index as u64)).or(self.elements.as_deref())
    }
}
