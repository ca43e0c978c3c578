#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| {
    dactyl_fuzz::token::check(input);
});
