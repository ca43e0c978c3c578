//! Writes anew what is made from the declarations of the keys: `default.toml` and the tables of
//! `docs/configuration.md`.

use std::{fs, io, path::Path};

fn main() -> io::Result<()> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    fs::write(folder.join("default.toml"), dactyl_config::default_toml())?;
    let page = folder.join("../docs/configuration.md");
    let text = dactyl_config::with_key_tables(&fs::read_to_string(&page)?).ok_or_else(|| {
        io::Error::other("docs/configuration.md lacks the line that the tables stand behind")
    })?;
    fs::write(page, text)
}
