//! The places of the servers in `-S`: by its place, everything that belongs to one server is found. A plain value.

/// Most servers of a client.
pub(crate) const MOST: usize = 8;

/// The place of a server in `-S`, from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Place(pub(super) usize);

impl Place {
    /// The places of the first so many servers.
    pub(super) fn all(count: usize) -> impl Iterator<Item = Self> {
        (0..count).map(Self)
    }
}
