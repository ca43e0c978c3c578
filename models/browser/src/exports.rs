//! What JavaScript calls: numbers and places in memory alone. The module imports nothing. One thread runs it, a Worker's.

use std::cell::RefCell;

use dactyl_holistic::{Instructions, Profile};

use crate::session::{Session, SessionError};

/// What a module holds.
#[derive(Default)]
struct Module {
    session: Session,
    /// What JavaScript hands over: a file or a picture.
    input: Vec<u8>,
    message: String,
}

impl Module {
    /// 0, or -1 with what is wrong as the message.
    fn answer(&mut self, result: Result<(), SessionError>) -> i32 {
        match result {
            Ok(()) => 0,
            Err(error) => {
                self.message = error.to_string();
                -1
            }
        }
    }
}

thread_local! {
    static MODULE: RefCell<Module> = RefCell::default();
}

fn with<T>(work: impl FnOnce(&mut Module) -> T) -> T {
    MODULE.with_borrow_mut(work)
}

/// Makes room for `bytes` bytes of input, and says where. What was there is lost, and memory may have grown.
#[unsafe(no_mangle)]
extern "C" fn reserve(bytes: usize) -> *mut u8 {
    with(|module| {
        module.input.resize(bytes, 0);
        module.input.as_mut_ptr()
    })
}

/// Takes the input as the file of that index of `Networks::files()`.
#[unsafe(no_mangle)]
extern "C" fn add_network(index: usize, bytes: usize) -> i32 {
    with(|module| {
        let mut content = std::mem::take(&mut module.input);
        content.truncate(bytes);
        let result = module.session.add_network(index, content);
        module.answer(result)
    })
}

/// Makes a tracker that has seen nothing, for the exact profile (0) or the fast one (1).
#[unsafe(no_mangle)]
extern "C" fn start(profile: u32) -> i32 {
    let profile = if profile == 0 { Profile::Exact } else { Profile::Fast };
    with(|module| {
        let result = module.session.start(profile);
        module.answer(result)
    })
}

/// Finds the landmarks of the input, RGBA rows without padding; `time` is in microseconds.
#[unsafe(no_mangle)]
extern "C" fn track(width: u32, height: u32, time: f64) -> i32 {
    with(|module| {
        let result = module.session.track(&module.input, width, height, time.round() as i64);
        module.answer(result)
    })
}

/// Where the last picture's landmarks are: float32 values.
#[unsafe(no_mangle)]
extern "C" fn landmarks() -> *const f32 {
    with(|module| module.session.landmarks().as_ptr())
}

/// How many values there are.
#[unsafe(no_mangle)]
extern "C" fn landmarks_length() -> usize {
    with(|module| module.session.landmarks().len())
}

/// Forgets the person that was followed.
#[unsafe(no_mangle)]
extern "C" fn reset() {
    with(|module| module.session.reset());
}

/// Where the last error's message is: UTF-8.
#[unsafe(no_mangle)]
extern "C" fn message() -> *const u8 {
    with(|module| module.message.as_ptr())
}

/// How many bytes it has.
#[unsafe(no_mangle)]
extern "C" fn message_length() -> usize {
    with(|module| module.message.len())
}

/// Whether networks' results are the server's to the bit: 1 or 0.
#[unsafe(no_mangle)]
extern "C" fn is_fused() -> u32 {
    u32::from(Instructions::Wasm.are_fused())
}
