//! What all lists of a merchant have: bounds of time, a limit and a cursor, newest first.

use crate::domain::Timestamp;
use crate::domain::id::{Id, Kind};
use crate::infra::database::Damaged;

/// Where a page begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cursor<T> {
    /// The page of older ones after this one.
    StartingAfter(T),
    /// The page of newer ones before this one.
    EndingBefore(T),
}

impl<T: Copy> Cursor<T> {
    pub fn id(&self) -> T {
        let (Self::StartingAfter(id) | Self::EndingBefore(id)) = self;
        *id
    }
}

/// Which part of a list is asked for. The bounds of time are exclusive.
#[derive(Debug, Clone, Copy)]
pub struct Window<I> {
    pub created_after: Option<Timestamp>,
    pub created_before: Option<Timestamp>,
    /// 1 to 100.
    pub limit: u32,
    pub cursor: Option<Cursor<I>>,
}

/// The same part by its ids. The bounds are exclusive.
#[derive(Debug, Clone, Copy)]
pub struct Bounds<I> {
    pub above: Option<I>,
    pub below: Option<I>,
    /// Oldest first instead of newest first.
    pub ascending: bool,
    /// One more than are shown: that tells whether there are more.
    pub limit: u64,
}

/// One page, newest first.
#[derive(Debug)]
pub struct Page<T, I> {
    pub data: Vec<T>,
    /// Those that belong on this page and cannot be read.
    pub unreadable: Vec<I>,
    /// Whether there are more in the page's direction.
    pub has_more: bool,
}

impl<K: Kind> Window<Id<K>> {
    pub fn bounds(&self) -> Bounds<Id<K>> {
        // Ids rise with time, so a bound of time is a bound of ids.
        let mut above = self.created_after.map(|time| last_before(Timestamp(time.0.saturating_add(1))));
        let mut below = self.created_before.map(Id::at_least);
        match self.cursor {
            Some(Cursor::StartingAfter(id)) => below = Some(below.map_or(id, |bound| bound.min(id))),
            Some(Cursor::EndingBefore(id)) => above = Some(above.map_or(id, |bound| bound.max(id))),
            None => {}
        }
        let ascending = matches!(self.cursor, Some(Cursor::EndingBefore(_)));
        Bounds { above, below, ascending, limit: u64::from(self.limit) + 1 }
    }

    /// The page that was found by the bounds.
    pub fn page<T>(&self, mut found: Vec<Result<T, Damaged>>) -> Page<T, Id<K>> {
        let has_more = found.len() > self.limit as usize;
        found.truncate(self.limit as usize);
        if matches!(self.cursor, Some(Cursor::EndingBefore(_))) {
            found.reverse();
        }
        let (mut data, mut unreadable) = (Vec::with_capacity(found.len()), Vec::new());
        for row in found {
            match row {
                Ok(row) => data.push(row),
                Err(damaged) => unreadable.extend(damaged.id.parse().map(Id::from_stored)),
            }
        }
        Page { data, unreadable, has_more }
    }
}

/// The largest id below all of that instant's and later ones.
fn last_before<K: Kind>(time: Timestamp) -> Id<K> {
    Id::from_stored(Id::<K>::at_least(time).get().saturating_sub(1))
}
