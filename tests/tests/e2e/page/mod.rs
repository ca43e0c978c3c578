//! The practice page in a real Chromium, with clips in place of a camera, against a real server.

mod accessibility;
pub mod browser;
pub mod clip;
mod course;
mod device;
mod device_edges;
mod failures;
mod first_minute;
mod flow;
mod hands;
mod hints;
mod key;
mod languages;
pub mod modules;
mod reading;
mod sending;
mod sub_path;
mod tracker;
mod visits;
mod wire;
