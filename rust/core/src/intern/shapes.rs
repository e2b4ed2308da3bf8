//! The sets of keys that dicts have. Dicts with the same keys share one, in whichever order each
//! has them; the first one determines the order in which they are given back.

use hashbrown::HashTable;

use super::Ref;
use super::heap::make_room;
use super::node::mix_refs;

pub(super) type ShapeId = u32;

#[derive(Debug)]
pub(super) struct Shapes {
    places: Vec<Shape>,
    vacant: Vec<ShapeId>,
    index: HashTable<ShapeId>,
    seed: u64,
    mask: u32,
    heap: usize,
}

#[derive(Debug, Default)]
struct Shape {
    /// In the order of the first dict.
    keys: Box<[Ref]>,
    /// The keys by ref, each with its place among `keys`.
    sorted: Box<[(Ref, u32)]>,
    /// How many dicts have it.
    dicts: usize,
    hash: u64,
}

/// An entry of a dict on its way into the pool.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry {
    pub key: Ref,
    pub value: Ref,
    /// Its place in the dict.
    pub place: u32,
}

impl Shapes {
    pub(super) fn new(seed: u64, mask: u32) -> Self {
        Self {
            places: Vec::new(),
            vacant: Vec::new(),
            index: HashTable::new(),
            seed,
            mask,
            heap: 0,
        }
    }

    pub(super) fn bytes(&self) -> usize {
        self.heap
    }

    /// The keys, in the order in which dicts of this shape hold their values.
    pub(super) fn keys(&self, id: ShapeId) -> &[Ref] {
        self.shape(id).map_or(&[], |shape| &shape.keys)
    }

    /// Where the value of a key is.
    pub(super) fn place(&self, id: ShapeId, key: Ref) -> Option<usize> {
        let sorted = &self.shape(id)?.sorted;
        let found = sorted.binary_search_by_key(&key, |&(key, _)| key).ok()?;
        sorted.get(found).map(|&(_, place)| place as usize)
    }

    /// Count a dict with these entries, sorted by key, and put its values in the order of the
    /// shape. The shape and whether it is new: a new one keeps the refs to the keys.
    pub(super) fn count(&mut self, entries: &[Entry], values: &mut Vec<Ref>) -> (ShapeId, bool) {
        let hash = entries.iter().fold(self.seed, |hash, entry| {
            mix_refs(hash, std::slice::from_ref(&entry.key))
        }) & u64::from(self.mask);
        let found = self.index.find(hash, |&id| {
            self.shape(id)
                .is_some_and(|shape| shape.hash == hash && shape.has_keys(entries))
        });
        let (id, is_new) = match found {
            Some(&id) => (id, false),
            None => (self.add(entries, hash), true),
        };
        values.clear();
        values.resize(entries.len(), Ref::NULL);
        if let Some(shape) = self.places.get_mut(id as usize) {
            shape.dicts += 1;
            for (entry, &(_, place)) in entries.iter().zip(&shape.sorted) {
                if let Some(value) = values.get_mut(place as usize) {
                    *value = entry.value;
                }
            }
        }
        (id, is_new)
    }

    fn add(&mut self, entries: &[Entry], hash: u64) -> ShapeId {
        let mut keys = vec![Ref::NULL; entries.len()];
        for entry in entries {
            if let Some(key) = keys.get_mut(entry.place as usize) {
                *key = entry.key;
            }
        }
        let shape = Shape {
            keys: keys.into(),
            sorted: entries
                .iter()
                .map(|entry| (entry.key, entry.place))
                .collect(),
            dicts: 0,
            hash,
        };
        self.heap += shape.bytes();
        let vacant = self.vacant.pop();
        #[expect(clippy::cast_possible_truncation, reason = "fewer than nodes")]
        let id = vacant.unwrap_or(self.places.len() as ShapeId);
        if let Some(place) = self.places.get_mut(id as usize) {
            *place = shape;
        } else {
            make_room(&mut self.places, 1);
            self.places.push(shape);
        }
        let places = &self.places;
        self.index.insert_unique(hash, id, |&other| {
            places.get(other as usize).map_or(0, |shape| shape.hash)
        });
        id
    }

    /// Count a dict less. Returns the refs to the keys if it was the last one.
    pub(super) fn release(&mut self, id: ShapeId) -> Option<Box<[Ref]>> {
        let shape = self.places.get_mut(id as usize)?;
        shape.dicts -= 1;
        if shape.dicts > 0 {
            return None;
        }
        let shape = std::mem::take(shape);
        self.heap -= shape.bytes();
        if let Ok(entry) = self.index.find_entry(shape.hash, |&other| other == id) {
            entry.remove();
        }
        self.vacant.push(id);
        if self.index.is_empty() {
            *self = Self::new(self.seed, self.mask);
        }
        Some(shape.keys)
    }

    fn shape(&self, id: ShapeId) -> Option<&Shape> {
        self.places.get(id as usize)
    }
}

impl Shape {
    fn bytes(&self) -> usize {
        size_of::<Self>() + size_of_val(&*self.keys) + size_of_val(&*self.sorted)
    }

    fn has_keys(&self, entries: &[Entry]) -> bool {
        let keys = self.sorted.iter().map(|&(key, _)| key);
        keys.eq(entries.iter().map(|entry| entry.key))
    }
}
