//! The groups of a row: one for each combination of its key fields' values.
use crate::key::Key;
use crate::page::{Keys, Page, Values};
use crate::row::{MISSING, Row};
use crate::value::hash_of;

/// The maximum number of groups of a row whose key fields have several values.
const ROW_KEYS_MAX: usize = 64;
impl Page<'_> {
    /// Passes the row at `index` to `fold`, once for each of its groups. `slots` is scratch space.
    #[inline]
    pub(crate) fn each_key(&self, index: usize, slots: &mut Vec<u32>, mut fold: impl FnMut(&Row<'_>)) {
        match &self.keys {
            Keys::Whole => fold(&Row { page: self, index, key: Key::WHOLE, slots: &[] }),
            Keys::OneWord(keys) => {
                let column = &self.columns[0];
                let (key, slot) = match column.values {
                    Values::Words { codes, .. } if column.is_present(index) => {
                        (keys[codes[index] as usize], index as u32)
                    }
                    _ => (Key::WHOLE.and_missing(), MISSING),
                };
                fold(&Row { page: self, index, key, slots: &[slot] });
            }
            Keys::Many(hashes) => {
                slots.clear();
                slots.resize(hashes.len(), MISSING);
                let mut left = ROW_KEYS_MAX;
                self.combine(index, hashes, 0, Key::WHOLE, slots, &mut left, &mut fold);
            }
        }
    }

    /// Walks the product of the key fields' values, as a terms aggregation over them would.
    #[expect(clippy::too_many_arguments, reason = "one recursion, its state spelled out")]
    fn combine(
        &self,
        index: usize,
        hashes: &[Vec<u64>],
        depth: usize,
        key: Key,
        slots: &mut Vec<u32>,
        left: &mut usize,
        fold: &mut impl FnMut(&Row<'_>),
    ) {
        let Some(words) = hashes.get(depth) else {
            if *left > 0 {
                *left -= 1;
                fold(&Row { page: self, index, key, slots });
            }
            return;
        };
        let column = &self.columns[depth];
        let owned = column.slots(index);
        if owned.is_empty() {
            slots[depth] = MISSING;
            return self.combine(index, hashes, depth + 1, key.and_missing(), slots, left, fold);
        }
        for slot in owned {
            if *left == 0 {
                return self.warn_of_crowd();
            }
            let part = match column.values {
                Values::Words { codes, .. } => words[codes[slot] as usize],
                _ => hash_of(column.value(slot)),
            };
            slots[depth] = slot as u32;
            self.combine(index, hashes, depth + 1, key.and(part), slots, left, fold);
        }
    }

    #[cold]
    fn warn_of_crowd(&self) {
        if !self.has_crowd.replace(true) {
            crate::log::warn(format_args!(
                "a row has more than {ROW_KEYS_MAX} combinations of key values: the rest are ignored"
            ));
        }
    }
}
