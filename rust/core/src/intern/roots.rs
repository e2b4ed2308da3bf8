//! The interned values: what a key stands for, and how often it was handed out.

use hashbrown::HashTable;

use super::Ref;
use super::heap::make_room;

/// Stands for an interned value until it is released as often as it was interned. Never used
/// again after that, and unlikely to be one of another pool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key(pub u64);

/// Keys have the number of the root in their low half and its generation in the high half.
const HALF: u32 = u32::BITS;

/// The last generation: up to here keys are positive in 64 bits.
const LAST: u32 = u32::MAX >> 1;

#[derive(Debug)]
pub(super) struct Roots {
    places: Vec<Root>,
    vacant: Vec<u32>,
    by_value: HashTable<u32>,
    live: usize,
    /// What a root's first generation is.
    first: u32,
}

#[derive(Debug)]
pub(super) struct Root {
    pub value: Ref,
    generation: u32,
    /// How often it was interned and not yet released; 0 if the place is vacant. A root that
    /// was counted `u32::MAX` times stays for ever.
    count: u32,
}

impl Roots {
    /// Bytes of a root, with its share of a table of u32 and the room that it keeps.
    pub(super) const EACH: usize = size_of::<Root>() + 8;

    pub(super) fn new(first: u32) -> Self {
        Self {
            places: Vec::new(),
            vacant: Vec::new(),
            by_value: HashTable::new(),
            live: 0,
            first,
        }
    }

    pub(super) fn live(&self) -> usize {
        self.live
    }

    pub(super) fn bytes(&self) -> usize {
        self.live * Self::EACH
    }

    pub(super) fn get(&self, key: Key) -> Option<&Root> {
        let (number, generation) = split(key);
        let root = self.places.get(number as usize)?;
        (root.generation == generation && root.count > 0).then_some(root)
    }

    /// The key of a value that is a root.
    pub(super) fn key_of(&self, value: Ref) -> Option<Key> {
        let number = self.by_value.find(spread(value.bits()), |&number| {
            self.places
                .get(number as usize)
                .is_some_and(|root| root.value == value)
        })?;
        self.key(*number)
    }

    fn key(&self, number: u32) -> Option<Key> {
        let root = self.places.get(number as usize)?;
        Some(Key(u64::from(root.generation) << HALF | u64::from(number)))
    }

    /// Count a root once more.
    pub(super) fn retain(&mut self, key: Key) {
        let (number, _) = split(key);
        if let Some(root) = self.places.get_mut(number as usize) {
            root.count = root.count.saturating_add(1);
        }
    }

    /// Add a root, counted once.
    pub(super) fn add(&mut self, value: Ref) -> Key {
        let vacant = self.vacant.pop();
        #[expect(clippy::cast_possible_truncation, reason = "no more roots than refs")]
        let number = vacant.unwrap_or(self.places.len() as u32);
        if let Some(root) = self.places.get_mut(number as usize) {
            root.value = value;
            root.count = 1;
        } else {
            make_room(&mut self.places, 1);
            self.places.push(Root {
                value,
                generation: self.first,
                count: 1,
            });
        }
        let places = &self.places;
        self.by_value
            .insert_unique(spread(value.bits()), number, |&other| {
                let root = places.get(other as usize);
                root.map_or(0, |root| spread(root.value.bits()))
            });
        self.live += 1;
        self.key(number).unwrap_or(Key(0))
    }

    /// Count a root less. Returns its value if it is a root no more.
    pub(super) fn release(&mut self, key: Key) -> Option<Ref> {
        let (number, _) = split(key);
        let root = self.places.get_mut(number as usize)?;
        if root.count < u32::MAX {
            root.count -= 1;
        }
        if root.count > 0 {
            return None;
        }
        let value = root.value;
        if let Ok(entry) = self
            .by_value
            .find_entry(spread(value.bits()), |&other| other == number)
        {
            entry.remove();
        }
        self.live -= 1;
        // A place whose generations are used up stays vacant for ever.
        if root.generation < LAST {
            root.generation += 1;
            self.vacant.push(number);
        }
        Some(value)
    }

    /// Give memory back, if there are no roots.
    pub(super) fn shrink(&mut self) {
        let last = self.places.iter().map(|root| root.generation).max();
        let last = last.unwrap_or(self.first);
        if self.live == 0 && last < LAST / 2 {
            *self = Self::new(last);
        }
    }
}

fn split(Key(key): Key) -> (u32, u32) {
    #[expect(clippy::cast_possible_truncation, reason = "the low half")]
    let number = key as u32;
    (number, (key >> HALF) as u32)
}

fn spread(bits: u32) -> u64 {
    u64::from(bits).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}
