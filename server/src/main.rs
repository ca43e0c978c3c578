//! Real-time fingerspelling server
fn main() {}
