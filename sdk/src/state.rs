//! Encodes the state between runs: the SDK's layout, the rule's version, then postcard.
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Problem;

/// Increased when the encoding of the SDK's own types (keys, windows) changes.
const LAYOUT: u8 = 2;
/// The layout and the rule's version.
const HEAD_BYTES: usize = 5;

pub(crate) fn write<S: Serialize>(version: u32, state: &S) -> Result<Vec<u8>, Problem> {
    let told = |error| Problem::Other(format!("the state cannot be serialized: {error}"));
    // Measured first: a vector that grows would hold a large state twice, in a memory that holds the rule's own too.
    let len = postcard::experimental::serialized_size(state).map_err(told)?;
    let mut bytes = Vec::with_capacity(HEAD_BYTES + len);
    bytes.push(LAYOUT);
    bytes.extend(version.to_le_bytes());
    postcard::to_extend(state, bytes).map_err(told)
}

pub(crate) fn read<S: DeserializeOwned>(version: u32, bytes: &[u8]) -> Result<S, Problem> {
    let (head, body) =
        bytes.split_at_checked(HEAD_BYTES).ok_or_else(|| Problem::State("the state is truncated".into()))?;
    if head[0] != LAYOUT {
        return Err(Problem::State(format!("the state has layout {}; this module reads {LAYOUT}", head[0])));
    }
    let found = u32::from_le_bytes([head[1], head[2], head[3], head[4]]);
    if found != version {
        return Err(Problem::State(format!("the state has version {found}; this module reads {version}")));
    }
    match postcard::take_from_bytes(body) {
        Ok((state, [])) => Ok(state),
        Ok((_, rest)) => Err(Problem::State(format!("the state has {} extra bytes", rest.len()))),
        Err(error) => Err(Problem::State(format!("the state cannot be read: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_reads_back_and_nothing_else_does() {
        let bytes = write(3, &vec![1_u64, 2, 300]).unwrap();
        assert_eq!(read::<Vec<u64>>(3, &bytes), Ok(vec![1, 2, 300]));
        for (version, bytes, says) in [
            (4, bytes.clone(), "version 3"),
            (3, bytes[..4].to_vec(), "truncated"),
            (3, bytes[..bytes.len() - 1].to_vec(), "cannot be read"),
            (3, [bytes.clone(), vec![0]].concat(), "1 bytes too many"),
            (3, [vec![9], bytes[1..].to_vec()].concat(), "layout 9"),
        ] {
            let Err(Problem::State(message)) = read::<Vec<u64>>(version, &bytes) else { panic!("{says}") };
            assert!(message.contains(says), "{message}");
        }
    }
}
