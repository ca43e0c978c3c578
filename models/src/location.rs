//! Where fetched files lie.

use std::path::PathBuf;
