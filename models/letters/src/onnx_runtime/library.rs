//! Loads ONNX Runtime's shared library and holds the process's one environment.

use std::env;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ort::AsPointer;
use ort::environment::Environment;
use ort::logging::LogLevel;
use ort::memory::{AllocationDevice, AllocatorType, MemoryInfo, MemoryType};

/// Name of ONNX Runtime's library in the folder of fetched models.
pub const LIBRARY_NAME: &str = "libonnxruntime.so";

/// ONNX Runtime could not be loaded.
#[derive(Debug, Clone, thiserror::Error)]
#[error(
    "ONNX Runtime ({path}) can't be loaded: {cause}. Run `dactyl models fetch`, or name another library in inference.runtime"
)]
pub struct LibraryError {
    /// The library.
    pub path: PathBuf,
    /// What the loader said.
    pub cause: String,
}

/// Bytes by which the pool of buffers grows: several runs of an LSTM of the usual size take less.
const STEP: usize = 1 << 20;

/// From 1.29 on, ONNX Runtime as its maker builds it for Linux tells that maker about its use: when the environment is
/// made it writes into the home folder, and seconds later it looks a host up and sends, whatever the environment was told
/// about telemetry.
const FIRST_THAT_REPORTS: u32 = 29;
/// With the value 1 it keeps such a library quiet. It is only asked for here, never set: this may be somebody else's process,
/// whose other threads read the environment while `setenv` frees what they read.
const REPORTS_ARE_OFF: &str = "ORT_DISABLE_TELEMETRY";

// Kept for the life of the process: unloading ONNX Runtime while its threads end is not safe.
static ENVIRONMENT: Mutex<Option<Environment>> = Mutex::new(None);

/// ONNX Runtime in memory. A process has one; clones are the same.
#[derive(Debug, Clone)]
pub struct OnnxRuntime(Environment);

impl OnnxRuntime {
    /// Loads ONNX Runtime from `library`, a file or a name that the system's loader finds, unless this process has loaded one
    /// already.
    ///
    /// # Errors
    /// [`LibraryError`] if the file is no usable ONNX Runtime, or one that would report its use; a later call may name
    /// another file.
    pub fn load(library: &Path) -> Result<Self, LibraryError> {
        let mut environment = lock();
        if let Some(environment) = &*environment {
            return Ok(Self(environment.clone()));
        }
        let loaded = load(library)?;
        *environment = Some(loaded.clone());
        Ok(Self(loaded))
    }

    pub(super) fn environment(&self) -> &Environment {
        &self.0
    }
}

/// Build information of the library in use, as it gives it; `None` before it is loaded.
pub fn build_info() -> Option<&'static str> {
    lock().as_ref().map(|_| ort::info())
}

fn lock() -> MutexGuard<'static, Option<Environment>> {
    ENVIRONMENT.lock().unwrap_or_else(PoisonError::into_inner)
}

fn load(library: &Path) -> Result<Environment, LibraryError> {
    let failed = |cause: String| LibraryError { path: library.to_owned(), cause };
    if let Some(minor) = ort::util::probe(library).filter(|minor| *minor >= FIRST_THAT_REPORTS)
        && env::var_os(REPORTS_ARE_OFF).is_none_or(|value| value != "1")
    {
        return Err(failed(format!(
            "version 1.{minor} tells its maker about its use unless the environment has {REPORTS_ARE_OFF}=1"
        )));
    }
    let built = ort::init_from(library)
        .map_err(|error| failed(error.to_string()))?
        .with_name("dactyl")
        .with_telemetry(false)
        .with_logger(Arc::new(log))
        .build()
        .map_err(|error| failed(error.to_string()))?;
    built.set_log_level(LogLevel::Warning);
    share_buffers(&built).map_err(|error| failed(error.to_string()))?;
    Ok(built)
}

/// Gives all networks one pool of buffers for what lies between their layers, instead of one for each that grows to its
/// greatest need and keeps it.
fn share_buffers(environment: &Environment) -> ort::Result<()> {
    let info = MemoryInfo::new(AllocationDevice::CPU, 0, AllocatorType::Arena, MemoryType::Default)?;
    let keys = [c"initial_chunk_size_bytes".as_ptr(), c"max_power_of_two_extend_bytes".as_ptr()];
    let values = [STEP; 2];
    let api = ort::api();
    let mut arena = std::ptr::null_mut();
    // SAFETY: keys and values outlive the call and are as many as it is told.
    unsafe {
        let status = (api.CreateArenaCfgV2)(keys.as_ptr(), values.as_ptr(), keys.len(), &raw mut arena);
        ort::Error::result_from_status(status)?;
    }
    // SAFETY: environment, description and settings are alive; the settings are copied and then released once.
    unsafe {
        let status = (api.CreateAndRegisterAllocator)(environment.ptr().cast_mut(), info.ptr(), arena);
        (api.ReleaseArenaCfg)(arena);
        ort::Error::result_from_status(status)
    }
}

/// ONNX Runtime's messages as `tracing` events. It reports a run that was ended on purpose as an error.
fn log(level: LogLevel, category: &str, _id: &str, location: &str, message: &str) {
    if message.contains("terminate flag") {
        tracing::trace!(target: "onnxruntime", category, location, "{message}");
        return;
    }
    match level {
        LogLevel::Fatal | LogLevel::Error => {
            tracing::error!(target: "onnxruntime", category, location, "{message}");
        }
        LogLevel::Warning => tracing::warn!(target: "onnxruntime", category, location, "{message}"),
        LogLevel::Info => tracing::info!(target: "onnxruntime", category, location, "{message}"),
        LogLevel::Verbose => tracing::debug!(target: "onnxruntime", category, location, "{message}"),
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// As much of a library as is asked before it is used.
    const LIBRARY: &str = r#"
        typedef struct { void *get_api; const char *(*get_version)(void); } Base;
        static const char *version(void) { return "1.31.0"; }
        static const Base base = { 0, version };
        const Base *OrtGetApiBase(void) { return &base; }
    "#;

    #[test]
    fn a_library_that_reports_its_use_is_refused_with_the_cure() {
        let folder = tempfile::tempdir().unwrap();
        let [source, library] = ["reports.c", "libreports.so"].map(|name| folder.path().join(name));
        std::fs::write(&source, LIBRARY).unwrap();
        let built =
            Command::new("cc").args(["-shared", "-fPIC", "-o"]).args([&library, &source]).status().unwrap();
        assert!(built.success());
        let error = load(&library).unwrap_err().to_string();
        assert!(error.contains("version 1.31") && error.contains("ORT_DISABLE_TELEMETRY=1"), "{error}");
        assert!(error.contains("inference.runtime"), "{error}");
    }
}
