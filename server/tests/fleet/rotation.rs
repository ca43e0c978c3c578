//! Certificate and keys that are rotated while everybody practises.

use std::fs;
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::balancer::Door;
use crate::instance::Instance;
use crate::learner::{self, Class};
use crate::{numbers, report, tls, until};

const TAKEN: &str = "dactyl_reloads_total{result=\"taken\"}";
const FAILED: &str = "dactyl_reloads_total{result=\"failed\"}";

/// Another key of the same name.
fn write_key(file: &Path, key: &str) {
    let hash: String = Sha256::digest(key).iter().map(|byte| format!("{byte:02x}")).collect();
    fs::write(file, format!("[keys.class]\nsha256 = \"{hash}\"\n")).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn certificate_and_keys_are_rotated_under_load_without_a_lost_session() {
    let folder = tempfile::tempdir().unwrap();
    let old = tls::certificate(folder.path());
    let keys = folder.path().join("keys.toml");
    write_key(&keys, "old-key");
    let settings = [
        format!("tls.certificate={}", old.chain.display()),
        format!("tls.key={}", old.key.display()),
        format!("auth.keys_file={}", keys.display()),
    ];
    let server = Instance::alone(numbers(), &settings.each_ref().map(String::as_str));
    let old_door = Door { address: server.address(), trusted: old.trusted, key: "old-key" };
    let class = Class::start(&old_door, numbers());
    class.all_have_answers().await;

    let new = tls::certificate(folder.path());
    write_key(&keys, "new-key");
    server.signal("-HUP");
    until("the new files are taken", async || server.metric(TAKEN) == 1.0).await;
    class.all_have_answers().await;
    let new_door = Door { trusted: new.trusted, key: "new-key", ..old_door.clone() };
    learner::connect(&new_door).await.unwrap();
    let with_the_old_key = Door { key: "old-key", ..new_door.clone() };
    assert_eq!(learner::connect(&with_the_old_key).await.map(drop).unwrap_err(), (401, None));
    let with_the_old_certificate = Door { key: "new-key", ..old_door.clone() };
    assert_eq!(learner::connect(&with_the_old_certificate).await.map(drop).unwrap_err(), (0, None));

    // A chain whose key has not come yet, and a file of keys that is half written.
    let half = fs::read_to_string(&keys).unwrap().split_at(30).0.to_owned();
    for (failures, file, content) in [(1.0, &new.key, "no key"), (2.0, &keys, half.as_str())] {
        let good = fs::read(file).unwrap();
        fs::write(file, content).unwrap();
        server.signal("-HUP");
        until("the wrong files are refused", async || server.metric(FAILED) == failures).await;
        learner::connect(&new_door).await.unwrap();
        fs::write(file, good).unwrap();
    }
    class.all_have_answers().await;
    let tally = class.end().await;
    report("rotation of certificate and keys", &tally);
    assert_eq!((tally.interruptions, tally.wrong, tally.refused), (0, 0, 0), "{tally}");
    let log = server.log();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains("reload")).collect();
    assert_eq!(lines.len(), 3, "{log}");
    assert!(lines[0].contains("taken=\"the certificate, the keys\" needs_restart=\"nothing\""), "{log}");
    assert!(lines[1].contains("ERROR") && lines[1].contains("tls.key: "), "{log}");
    assert!(lines[2].contains("ERROR") && lines[2].contains("auth.keys_file: "), "{log}");
}
