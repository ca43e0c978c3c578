//! `weights/manifest.toml` as types.

use serde::Deserialize;

use super::FetchError;

const MANIFEST: &str = include_str!("../../weights/manifest.toml");
/// Tables of quantisation by their names in the manifest.
const TABLES: [(&str, &str); 1] =
    [("hand_landmark.json", include_str!("../../weights/int8/hand_landmark.json"))];

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Manifest {
    #[serde(rename = "archive")]
    pub(super) archives: Vec<Archive>,
    #[serde(rename = "network", default)]
    pub(super) networks: Vec<Network>,
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

/// A network that is imported from a kept TFLite file.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Network {
    /// In the models folder.
    pub(super) file: String,
    /// [`Member::file`] of its source.
    pub(super) from: String,
    #[serde(default)]
    pub(super) pruned_outputs: Vec<usize>,
    /// Name of the table in `weights/int8/` by which it is quantised.
    pub(super) int8: Option<String>,
}

impl Manifest {
    pub(super) fn builtin() -> Result<Self, FetchError> {
        toml::from_str(MANIFEST).map_err(|source| FetchError::Manifest(source.to_string()))
    }

    /// The archive and the member that a network is made from.
    pub(super) fn origin(&self, network: &Network) -> Option<(&Archive, &Member)> {
        self.archives.iter().find_map(|archive| {
            let member = archive.members.iter().find(|member| member.file == network.from)?;
            Some((archive, member))
        })
    }
}

impl Network {
    /// The table by which it is quantised, in JSON.
    pub(super) fn table(&self) -> Result<Option<&'static str>, FetchError> {
        let Some(wanted) = &self.int8 else { return Ok(None) };
        match TABLES.iter().find(|(name, _)| name == wanted) {
            Some((_, table)) => Ok(Some(table)),
            None => Err(FetchError::Manifest(format!(
                "{} is quantised by int8/{wanted}, which was not compiled in",
                self.file
            ))),
        }
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
    fn every_network_has_its_source_in_an_archive() {
        let manifest = Manifest::builtin().unwrap();
        assert_eq!(manifest.networks.len(), 7);
        for network in &manifest.networks {
            assert!(manifest.origin(network).is_some(), "{}", network.file);
            network.table().unwrap();
        }
    }
}
