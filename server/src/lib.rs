//! Real-time fingerspelling server
