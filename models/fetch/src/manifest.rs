//! `weights/manifest.toml` as types.

use serde::Deserialize;

use crate::error::FetchError;

const MANIFEST: &str = include_str!("../../weights/manifest.toml");

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    #[serde(rename = "archive")]
    pub(super) archives: Vec<Archive>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Archive {
    pub(super) package: String,
    pub(super) version: String,
    /// File name, as pip saves it.
    pub(super) file: String,
    pub(super) sha256: String,
    /// SPDX.
    pub(super) licence: String,
    /// Where the work is at home.
    pub(super) source: String,
    #[serde(rename = "member")]
    pub(super) members: Vec<Member>,
}

/// A file of an archive that is kept as it is.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Member {
    /// In the archive.
    pub(super) path: String,
    /// In the models folder.
    pub(super) file: String,
    pub(super) sha256: String,
}

impl Manifest {
    pub(super) fn builtin() -> Result<Self, FetchError> {
        toml::from_str(MANIFEST).map_err(|source| FetchError::Manifest(source.to_string()))
    }
}

impl Archive {
    pub(super) fn name(&self) -> String {
        format!("{} {}", self.package, self.version)
    }

    /// Its line in a pip requirements file.
    pub(super) fn requirement(&self) -> String {
        format!("{}=={} --hash=sha256:{}", self.package, self.version, self.sha256)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requirements_file_lists_the_archives_of_the_manifest() {
        let requirements: Vec<&str> = include_str!("../../weights/requirements.txt")
            .lines()
            .filter(|line| !line.starts_with('#'))
            .collect();
        let archives = Manifest::builtin().unwrap().archives;
        let expected: Vec<String> = archives.iter().map(Archive::requirement).collect();
        assert_eq!(requirements, expected);
    }

    #[test]
    fn every_network_of_the_tracker_is_fetched() {
        let archives = Manifest::builtin().unwrap().archives;
        let members: Vec<&str> =
            archives.iter().flat_map(|archive| &archive.members).map(|member| member.file.as_str()).collect();
        for file in dactyl_holistic::Networks::files() {
            assert!(members.contains(&file.as_str()), "{file} is not among {members:?}");
        }
    }
}
