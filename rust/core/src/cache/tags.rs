//! Which entries carry which tag: exact, and linked both ways, so that an entry leaves all its
//! tags in time proportional to their number, whatever the size of the tags.

use std::collections::VecDeque;

use hashbrown::HashTable;

use super::Name;
use super::list::{Links, List, NIL, Nodes};

/// One tag of one entry.
#[derive(Debug)]
struct Edge {
    /// Among the edges of the same tag.
    links: Links,
    slot: u32,
    tag: u32,
    /// The next edge of the same entry; of a free edge the next free one.
    sibling: u32,
}

#[derive(Debug)]
struct Tag<K> {
    /// Empty if free, or dying: then another tag may bear the name.
    name: Option<K>,
    hash: u64,
    members: List,
    len: u32,
    dying: bool,
}

/// The tags of all entries.
#[derive(Debug)]
pub(super) struct Tags<K> {
    names: HashTable<u32>,
    known: Vec<Tag<K>>,
    free: Vec<u32>,
    edges: Edges,
    /// Tags that were invalidated and still have members. These count as gone.
    dying: VecDeque<u32>,
}

#[derive(Debug)]
struct Edges {
    edges: Vec<Edge>,
    free: u32,
}

impl Nodes for Edges {
    fn links(&mut self, id: u32) -> &mut Links {
        &mut self.edges[id as usize].links
    }
}

impl<K> Tags<K> {
    pub const fn new() -> Self {
        Self {
            names: HashTable::new(),
            known: Vec::new(),
            free: Vec::new(),
            edges: Edges {
                edges: Vec::new(),
                free: NIL,
            },
            dying: VecDeque::new(),
        }
    }

    /// Tags that some entry carries.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    pub fn any_dying(&self) -> bool {
        !self.dying.is_empty()
    }

    /// Add `name` to the tags of the entry at `slot`, which begin with edge `first`. Returns the
    /// edge they begin with then.
    pub fn link(&mut self, name: &impl Name<K>, slot: u32, first: u32) -> u32 {
        let id = self.find(name).unwrap_or_else(|| self.add(name));
        let tag = &mut self.known[id as usize];
        // Named twice in one call, a tag has this entry as its last member already.
        if tag.members.last != NIL && self.edges.edges[tag.members.last as usize].slot == slot {
            return first;
        }
        let edge = Edge {
            links: Links::ALONE,
            slot,
            tag: id,
            sibling: first,
        };
        let number = self.edges.insert(edge);
        tag.members.push_back(&mut self.edges, number);
        tag.len += 1;
        number
    }

    /// Take an entry out of all its tags, which begin with edge `first`.
    pub fn unlink_all(&mut self, first: u32) {
        let mut number = first;
        while number != NIL {
            let Edge {
                tag: id, sibling, ..
            } = self.edges.edges[number as usize];
            let tag = &mut self.known[id as usize];
            tag.members.remove(&mut self.edges, number);
            tag.len -= 1;
            if tag.len == 0 && !tag.dying {
                self.release(id);
            }
            self.edges.free(number);
            number = sibling;
        }
    }

    /// The entries that carry a tag, in the order in which they got it.
    pub fn slots(&self, name: &impl Name<K>) -> impl Iterator<Item = u32> {
        self.find(name).into_iter().flat_map(|id| self.members(id))
    }

    /// Begin to invalidate a tag. Returns how many entries are gone by that, in constant time
    /// unless other tags are dying that its entries may carry too.
    pub fn doom(&mut self, name: &impl Name<K>, first: impl Fn(u32) -> u32) -> u32 {
        let Some(id) = self.find(name) else {
            return 0;
        };
        let gone = if self.dying.is_empty() {
            self.known[id as usize].len
        } else {
            let alive = |&slot: &u32| !self.is_dying(first(slot));
            let alive = self.members(id).filter(alive).count();
            u32::try_from(alive).unwrap_or(NIL)
        };
        let tag = &mut self.known[id as usize];
        let hash = spread(tag.hash);
        tag.name = None;
        tag.dying = true;
        if let Ok(found) = self.names.find_entry(hash, |&other| other == id) {
            found.remove();
        }
        self.dying.push_back(id);
        gone
    }

    /// An entry that is gone because one of its tags was invalidated.
    pub fn next_dying(&mut self) -> Option<u32> {
        loop {
            let id = *self.dying.front()?;
            let tag = &mut self.known[id as usize];
            if let Some(edge) = tag.members.first() {
                return Some(self.edges.edges[edge as usize].slot);
            }
            self.dying.pop_front();
            self.release(id);
        }
    }

    /// Whether one of the tags that begin with edge `first` was invalidated.
    pub fn is_dying(&self, first: u32) -> bool {
        self.any_dying() && self.of(first).any(|id| self.known[id as usize].dying)
    }

    /// The entries of a tag that are here: the count of a name for `validate`.
    pub fn check(&self, firsts: impl Iterator<Item = (u32, u32)>) -> Result<(), String> {
        let mut edges = 0;
        for (slot, first) in firsts {
            for number in self.edges_of(first) {
                edges += 1;
                if self.edges.edges[number as usize].slot != slot {
                    return Err(format!("edge {number} is not of entry {slot}"));
                }
            }
        }
        let mut members = 0;
        for (id, tag) in (0u32..).zip(&self.known) {
            let count = self.members(id).count();
            let is_free = self.free.contains(&id);
            members += count;
            if count != tag.len as usize {
                return Err(format!("tag {id} counts {} of {count} members", tag.len));
            }
            if tag.dying != self.dying.contains(&id)
                || is_free != (tag.name.is_none() && !tag.dying)
            {
                return Err(format!("tag {id} is neither alive, dying nor free"));
            }
            if count == 0 && !is_free && !tag.dying {
                return Err(format!("tag {id} outlived its members"));
            }
        }
        let free = self.edges.count_free();
        if edges != members || edges + free != self.edges.edges.len() {
            return Err(format!(
                "{edges} edges of entries, {members} of tags, {free} free"
            ));
        }
        let alive = self.known.iter().filter(|tag| tag.name.is_some()).count();
        if alive != self.names.len() {
            return Err(format!("{} names for {alive} tags", self.names.len()));
        }
        Ok(())
    }

    fn of(&self, first: u32) -> impl Iterator<Item = u32> {
        self.edges_of(first)
            .map(|number| self.edges.edges[number as usize].tag)
    }

    fn edges_of(&self, first: u32) -> impl Iterator<Item = u32> {
        std::iter::successors((first != NIL).then_some(first), |&number| {
            let next = self.edges.edges[number as usize].sibling;
            (next != NIL).then_some(next)
        })
    }

    fn members(&self, id: u32) -> impl Iterator<Item = u32> {
        let first = self.known[id as usize].members.first();
        let edges = std::iter::successors(first, |&number| {
            let next = self.edges.edges[number as usize].links.next;
            (next != NIL).then_some(next)
        });
        edges.map(|number| self.edges.edges[number as usize].slot)
    }

    fn find(&self, name: &impl Name<K>) -> Option<u32> {
        let hash = name.hash();
        let is_it = |&id: &u32| {
            let tag = &self.known[id as usize];
            tag.hash == hash && tag.name.as_ref().is_some_and(|known| name.is(known))
        };
        self.names.find(spread(hash), is_it).copied()
    }

    fn add(&mut self, name: &impl Name<K>) -> u32 {
        let tag = Tag {
            name: Some(name.keep()),
            hash: name.hash(),
            members: List::EMPTY,
            len: 0,
            dying: false,
        };
        let hash = spread(tag.hash);
        let id = if let Some(id) = self.free.pop() {
            self.known[id as usize] = tag;
            id
        } else {
            self.known.push(tag);
            u32::try_from(self.known.len() - 1).unwrap_or(NIL)
        };
        let known = &self.known;
        self.names
            .insert_unique(hash, id, |&id| spread(known[id as usize].hash));
        id
    }

    /// Free a tag without members.
    fn release(&mut self, id: u32) {
        let tag = &mut self.known[id as usize];
        if !std::mem::take(&mut tag.dying) {
            let hash = spread(tag.hash);
            if let Ok(found) = self.names.find_entry(hash, |&other| other == id) {
                found.remove();
            }
            tag.name = None;
        }
        self.free.push(id);
    }
}

impl Edges {
    fn insert(&mut self, edge: Edge) -> u32 {
        if self.free == NIL {
            self.edges.push(edge);
            return u32::try_from(self.edges.len() - 1).unwrap_or(NIL);
        }
        let number = self.free;
        let place = &mut self.edges[number as usize];
        self.free = place.sibling;
        *place = edge;
        number
    }

    fn free(&mut self, number: u32) {
        self.edges[number as usize].sibling = self.free;
        self.free = number;
    }

    fn count_free(&self) -> usize {
        let first = (self.free != NIL).then_some(self.free);
        std::iter::successors(first, |&number| {
            let next = self.edges[number as usize].sibling;
            (next != NIL).then_some(next)
        })
        .count()
    }
}

/// Spread a hash over all bits: the table looks at the lowest and the highest.
fn spread(hash: u64) -> u64 {
    hash.wrapping_mul(0x9E37_79B9_7F4A_7C15)
}
