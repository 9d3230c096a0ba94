//! Encodes the state between runs, with postcard. Versions and layouts are the host's business: it never passes a state of
//! another one in.
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Problem;

pub(crate) fn write<S: Serialize>(state: &S) -> Result<Vec<u8>, Problem> {
    let told = |error| Problem::Other(format!("the state cannot be serialized: {error}"));
    // Measured first: a vector that grows would hold a large state twice, in a memory that holds the rule's own too.
    let len = postcard::experimental::serialized_size(state).map_err(told)?;
    postcard::to_extend(state, Vec::with_capacity(len)).map_err(told)
}

pub(crate) fn read<S: DeserializeOwned>(bytes: &[u8]) -> Result<S, Problem> {
    match postcard::take_from_bytes(bytes) {
        Ok((state, [])) => Ok(state),
        Ok((_, rest)) => Err(Problem::State(format!("the state has {} bytes too many", rest.len()))),
        Err(error) => Err(Problem::State(format!("the state cannot be read: {error}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_reads_back_and_nothing_else_does() {
        let bytes = write(&vec![1_u64, 2, 300]).unwrap();
        assert_eq!(read::<Vec<u64>>(&bytes), Ok(vec![1, 2, 300]));
        for (bytes, says) in [
            (bytes[..bytes.len() - 1].to_vec(), "cannot be read"),
            ([bytes.clone(), vec![0]].concat(), "1 bytes too many"),
        ] {
            let Err(Problem::State(message)) = read::<Vec<u64>>(&bytes) else { panic!("{says}") };
            assert!(message.contains(says), "{message}");
        }
    }
}
