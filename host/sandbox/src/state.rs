//! What stands before a rule's own bytes in a kept state: the version and the layout that they were written with. A state
//! of another one is never passed to a module, in whatever language it is written.
use watchbell_contract::{About, Problem};

use crate::fault::GuestFault;

/// Begins every kept state; the last byte counts the forms of this head.
const MAGIC: [u8; 4] = *b"WBS\x01";

/// `bytes`, as kept for a later run of the same module or of one with the same layout.
pub(crate) fn wrap(about: &About, bytes: &[u8]) -> Vec<u8> {
    let layout = about.state_layout.as_bytes();
    let mut kept = Vec::with_capacity(MAGIC.len() + 6 + layout.len() + bytes.len());
    kept.extend_from_slice(&MAGIC);
    kept.extend(about.state_version.to_le_bytes());
    kept.extend((layout.len() as u16).to_le_bytes());
    kept.extend_from_slice(layout);
    kept.extend_from_slice(bytes);
    kept
}

/// The module's own bytes of a kept state.
///
/// # Errors
/// Another version or layout wrote it: the rule is primed again.
pub(crate) fn unwrap<'s>(about: &About, kept: &'s [u8]) -> Result<&'s [u8], GuestFault> {
    let told = |message: String| Err(GuestFault::Problem(Problem::State(message)));
    let Some((version, layout, bytes)) = parts(kept) else {
        return told("it was written by an earlier version of Watchbell".into());
    };
    if version != about.state_version {
        return told(format!("it has version {version}, and this module has {}", about.state_version));
    }
    if layout != about.state_layout.as_bytes() {
        let (was, now) = (String::from_utf8_lossy(layout), &about.state_layout);
        return told(format!(
            "its layout has changed from {was} to {now}, but `state_version` is still {version}: increase it with \
             every change of the state's types"
        ));
    }
    Ok(bytes)
}

/// The module's own bytes of a kept state, whichever module wrote it; `None` if it is no kept state.
pub fn own_bytes(kept: &[u8]) -> Option<&[u8]> {
    parts(kept).map(|(_, _, bytes)| bytes)
}

fn parts(kept: &[u8]) -> Option<(u32, &[u8], &[u8])> {
    let rest = kept.strip_prefix(&MAGIC)?;
    let (version, rest) = rest.split_first_chunk::<4>()?;
    let (length, rest) = rest.split_first_chunk::<2>()?;
    let (layout, bytes) = rest.split_at_checked(usize::from(u16::from_le_bytes(*length)))?;
    Some((u32::from_le_bytes(*version), layout, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn about(state_version: u32, state_layout: &str) -> About {
        About {
            name: "rule".into(),
            version: String::new(),
            summary: String::new(),
            params_schema: "{}".into(),
            state_version,
            state_layout: state_layout.into(),
        }
    }

    #[test]
    fn a_state_comes_back_to_the_layout_that_wrote_it_alone() {
        let kept = wrap(&about(3, "abc"), b"state");
        assert_eq!(unwrap(&about(3, "abc"), &kept), Ok(&b"state"[..]));
        assert_eq!(unwrap(&about(3, "abc"), &wrap(&about(3, "abc"), b"")), Ok(&b""[..]));
        for (about, kept, says) in [
            (about(4, "abc"), &kept[..], "version 3, and this module has 4"),
            (about(3, "xyz"), &kept[..], "from abc to xyz, but `state_version` is still 3"),
            (about(3, "abc"), &kept[..9], "an earlier version"),
            (about(3, "abc"), &[2, 0, 0, 0, 0][..], "an earlier version"),
            (about(3, "abc"), &[][..], "an earlier version"),
        ] {
            let Err(GuestFault::Problem(Problem::State(message))) = unwrap(&about, kept) else {
                panic!("{says}")
            };
            assert!(message.contains(says), "{message}");
        }
    }
}
