//! Nothing leaves the machine.

use std::path::Path;

use dactyl_tests::watch::Watch;

#[test]
fn the_trainer_asks_nobody_and_leaves_nothing_in_the_home_folder() {
    let watch = Watch::new();
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("../weights/letters.onnx");
    // Without recordings it ends when it has loaded the model.
    let output = watch
        .command()
        .args([env!("CARGO_BIN_EXE_dactyl-train"), "eval", "--signers", "me", "--data", "/no/such/folder"])
        .arg("--model")
        .arg(model)
        .output()
        .unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("/no/such/folder"), "{error}");
    watch.assert_kept_to_itself();
}
