use std::fmt;

/// A size, as a manifest writes it: `64MiB`, `512KiB`, `100B`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size(pub(crate) usize);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (unit, bytes) in [("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)] {
            if self.0 >= bytes {
                let tenths = self.0 * 10 / bytes;
                return match tenths % 10 {
                    0 => write!(f, "{}{unit}", tenths / 10),
                    tenth => write!(f, "{}.{tenth}{unit}", tenths / 10),
                };
            }
        }
        write!(f, "{}B", self.0)
    }
}

/// A copy of at most `bytes_max` bytes of `text`, in whole characters, with an ellipsis where it was cut. It is a copy
/// so that the rest does not stay in memory.
pub(crate) fn shortened(text: &str, bytes_max: usize) -> String {
    if text.len() <= bytes_max {
        return text.to_owned();
    }
    let cut = text.floor_char_boundary(bytes_max);
    let mut short = String::with_capacity(cut + '…'.len_utf8());
    short.push_str(&text[..cut]);
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use super::{Size, shortened};

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!([shortened("äöü", 6), shortened("äöü", 5), shortened("äöü", 1)], ["äöü", "äö…", "…"]);
    }

    #[test]
    fn a_size_reads_as_a_manifest_writes_it() {
        let text = |bytes| Size(bytes).to_string();
        assert_eq!([text(64 << 20), text(1536), text(7), text(3 << 30)], ["64MiB", "1.5KiB", "7B", "3GiB"]);
    }
}
