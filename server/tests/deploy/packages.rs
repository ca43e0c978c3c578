//! The Debian package and the image.

use crate::{configuration, longest_end, text};

/// The file with every key in force that it shows as a comment.
fn with_everything_shown(file: &str) -> String {
    let is_key = |line: &&str| line.starts_with('#') && !line.starts_with("# ") && line.contains(" = ");
    let mut section = Vec::new();
    let mut sections = Vec::new();
    for line in file.lines() {
        if line.starts_with('[') {
            sections.push(std::mem::take(&mut section));
        }
        match Some(line).filter(is_key) {
            Some(shown) => {
                let shown = &shown[1..];
                let key = shown.split(" = ").next().unwrap();
                // A second line of the same key is another example of it.
                section.retain(|other: &String| other.split(" = ").next() != Some(key));
                section.push(shown.to_owned());
            }
            None => section.push(line.to_owned()),
        }
    }
    sections.push(section);
    sections.concat().join("\n")
}

#[test]
fn the_configuration_of_the_package_is_accepted_with_everything_that_it_shows() {
    let file = text("deploy/debian/dactyl.toml");
    assert_eq!(configuration(&file).server.listen, "127.0.0.1:8080");
    let all = configuration(&with_everything_shown(&file));
    assert_eq!(all.server.listen, "0.0.0.0:8443");
    assert!(all.server.drain_timeout_s > 0 && !all.tls.key.is_empty());
}

#[test]
fn the_supervisor_of_the_package_waits_for_the_longest_drain_that_its_configuration_shows() {
    let unit = text("deploy/debian/dactyl.service");
    let patience = unit.lines().find_map(|line| line.strip_prefix("TimeoutStopSec=")).unwrap();
    let all = configuration(&with_everything_shown(&text("deploy/debian/dactyl.toml")));
    assert!(patience.parse::<u64>().unwrap() > longest_end(&all));
}

#[test]
fn the_image_listens_where_it_says_and_where_its_health_check_asks() {
    let config = configuration(&text("deploy/image/container.toml"));
    let containerfile = text("deploy/Containerfile");
    let port = |address: &str| address.rsplit_once(':').unwrap().1.to_owned();
    let (clients, admin) = (port(&config.server.listen), port(&config.admin.listen));
    assert!(containerfile.contains(&format!("EXPOSE {clients} {admin}")));
    assert!(containerfile.contains(&format!("http://127.0.0.1:{admin}/healthz")));
}
