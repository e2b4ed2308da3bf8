//! Doubly linked lists through the records of a slab: any member leaves in constant time.

/// No record.
pub(super) const NIL: u32 = u32::MAX;

/// What a member of a list keeps of its neighbours.
#[derive(Debug, Clone, Copy)]
pub(super) struct Links {
    pub prev: u32,
    pub next: u32,
}

impl Links {
    pub const ALONE: Self = Self {
        prev: NIL,
        next: NIL,
    };
}

/// The records that may be members of a list.
pub(super) trait Nodes {
    fn links(&mut self, id: u32) -> &mut Links;
}

/// The ends of a list. Its members know the rest.
#[derive(Debug, Clone, Copy)]
pub(super) struct List {
    pub first: u32,
    pub last: u32,
}

impl List {
    pub const EMPTY: Self = Self {
        first: NIL,
        last: NIL,
    };

    /// The oldest member.
    pub fn first(self) -> Option<u32> {
        (self.first != NIL).then_some(self.first)
    }

    pub fn is_empty(self) -> bool {
        self.first == NIL
    }

    pub fn push_back(&mut self, nodes: &mut impl Nodes, id: u32) {
        *nodes.links(id) = Links {
            prev: self.last,
            next: NIL,
        };
        match self.last {
            NIL => self.first = id,
            last => nodes.links(last).next = id,
        }
        self.last = id;
    }

    /// Take out `id`, which must be a member.
    pub fn remove(&mut self, nodes: &mut impl Nodes, id: u32) {
        let Links { prev, next } = std::mem::replace(nodes.links(id), Links::ALONE);
        match prev {
            NIL => self.first = next,
            prev => nodes.links(prev).next = next,
        }
        match next {
            NIL => self.last = prev,
            next => nodes.links(next).prev = prev,
        }
    }
}
