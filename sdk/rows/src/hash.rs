//! A hash that never changes: labels and stored states contain it.

/// An odd number without a pattern in its bits, for combining hashes.
pub const MULTIPLIER: u64 = 0x9e37_79b9_7f4a_7c15;

/// The hash of `bytes`.
pub fn hash(bytes: &[u8]) -> u64 {
    let mut sum = MULTIPLIER ^ (bytes.len() as u64);
    let mut chunks = bytes.chunks_exact(8);
    for chunk in &mut chunks {
        let mut word = [0; 8];
        word.copy_from_slice(chunk);
        sum = stir(sum ^ u64::from_le_bytes(word));
    }
    let mut word = [0; 8];
    word[..chunks.remainder().len()].copy_from_slice(chunks.remainder());
    finish(stir(sum ^ u64::from_le_bytes(word)))
}

fn stir(mut sum: u64) -> u64 {
    sum = sum.wrapping_mul(0xff51_afd7_ed55_8ccd);
    sum ^ (sum >> 32)
}

/// Spreads the bits of `sum`.
#[inline]
pub fn finish(mut sum: u64) -> u64 {
    sum ^= sum >> 33;
    sum = sum.wrapping_mul(0xff51_afd7_ed55_8ccd);
    sum ^= sum >> 33;
    sum = sum.wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    sum ^ (sum >> 33)
}
