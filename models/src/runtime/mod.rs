//! ONNX Runtime as Dactyl uses it: one environment and one set of networks for the whole process, runs that another
//! thread can end, and a first-come-first-served limit on how many frames are analysed at once.

mod cancel;
mod library;
mod memory;
mod network;
mod processor;
mod slots;

pub use cancel::{Cancel, Cancelled};
pub use library::{LIBRARY_NAME, LibraryError, build_info, init};
pub use memory::release_freed;
pub use network::{LoadError, Network, RunError, TensorInfo};
pub use processor::has_vnni;
pub use slots::{Slot, Slots};
