#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| watchbell_fuzz_targets::searches(data));
