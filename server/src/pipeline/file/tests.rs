use super::*;

const GOOD: &str = r#"description = "x"

launch = """
appsrc name=frames
  ! identity
  ! appsink name=feedback
"""
"#;

fn parse(text: &str) -> Result<PipelineFile, PipelineError> {
    PipelineFile::parse("test", Path::new("test.toml"), text)
}

fn refused(text: &str) -> String {
    parse(text).unwrap_err().to_string()
}

fn broken(text: &str) -> String {
    crate::register_elements().unwrap();
    parse(text).unwrap().build(&BTreeMap::new()).unwrap_err().to_string()
}

fn with_parameter(parameter: &str) -> String {
    let launch = "launch = \"appsrc name=frames ! identity sleep-time={sleep} ! appsink name=feedback\"";
    format!("description = 'x'\n{launch}\n[parameters.sleep]\ndescription = 'x'\n{parameter}")
}

fn given(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn what_is_not_of_the_form_is_refused_with_its_line() {
    assert!(parse(GOOD).is_ok());
    assert_eq!(refused("description = 'x'"), "test.toml:1: missing field `launch`");
    assert!(refused("description = 'x'\nlunch = 'y'").starts_with("test.toml:2: unknown field `lunch`"));
    assert!(refused("description = 'x'\n\nlaunch = = 'y'").starts_with("test.toml:3: "));
}

#[test]
fn placeholders_and_parameters_must_match() {
    let unknown = GOOD.replace("identity", "identity sleep-time={sleep}");
    assert_eq!(refused(&unknown), "test.toml:5: {sleep} is not among the parameters; add [parameters.sleep]");
    let unused = format!("{GOOD}[parameters.sleep]\ndescription = 'x'\ntype = 'integer'\ndefault = 1\n");
    assert_eq!(
        refused(&unused),
        "test.toml:8: parameter sleep stands nowhere in launch; write {sleep} there"
    );
    let caps = GOOD
        .replace("identity", "video/x-raw,format={ RGB, BGR } ! capsfilter caps=video/x-raw,format={RGB}");
    assert!(parse(&caps).is_ok());
}

/// Lines were counted in the text that the escapes stand for.
#[test]
fn a_line_that_is_named_is_the_one_of_the_file_whatever_escapes_it_has() {
    let in_one_line = "description = 'x'\nlaunch = \"appsrc\\n ! a\\n b={c}\"";
    assert!(refused(in_one_line).starts_with("test.toml:2: {c} is not among"), "{}", refused(in_one_line));
    let continued = "description = 'x'\nlaunch = \"\"\"\\\nappsrc \\\n  ! a \\\n  b={c}\"\"\"";
    assert!(refused(continued).starts_with("test.toml:5: {c} is not among"), "{}", refused(continued));
    let built = "description = 'x'\nlaunch = \"\"\"\nappsrc name=frames \\\n ! no-such-element\"\"\"";
    assert!(broken(built).starts_with("test.toml:4: "), "{}", broken(built));
}

/// A client that chose it was told to choose one of the values, that one among them.
#[test]
fn a_value_that_cannot_be_chosen_is_no_value_of_a_choice() {
    let refused = refused(&with_parameter("type = 'choice'\ndefault = 'a'\nvalues = ['a', 'b\"']"));
    assert_eq!(refused, r#"test.toml:3: parameter sleep: the value "b\"" must be a text without " and \"#);
}

#[test]
fn values_are_checked_and_written_for_the_parser() {
    let file =
        parse(&with_parameter("type = 'integer'\ndefault = 7\nminimum = 0\nmaximum = 10\nclient = true"))
            .unwrap();
    assert!(file.launch_text(&given(&[])).unwrap().contains("sleep-time=7 "));
    assert!(file.launch_text(&given(&[("sleep", "9")])).unwrap().contains("sleep-time=9 "));
    for bad in ["11", "-1", "1.5", "", "1 ! filesink location=/tmp/x", "NaN"] {
        let cause = file.launch_text(&given(&[("sleep", bad)])).unwrap_err();
        assert_eq!(cause, "sleep must be a whole number from 0 to 10", "{bad}");
    }
    let cause = file.launch_text(&given(&[("location", "/etc/passwd")])).unwrap_err();
    assert_eq!(cause, "\"location\" is not a parameter of pipeline test that a client may set");
    let private = parse(&with_parameter("type = 'integer'\ndefault = 7")).unwrap();
    assert!(private.launch_text(&given(&[("sleep", "9")])).is_err());
    assert_eq!(
        refused(&with_parameter("type = 'integer'\ndefault = 11\nmaximum = 10")),
        "test.toml:3: parameter sleep: the default must be a whole number of at most 10"
    );
    assert!(refused(&with_parameter("type = 'choice'\ndefault = 'a'")).contains("a choice needs values"));
    let choice =
        parse(&with_parameter("type = 'choice'\ndefault = 'a'\nvalues = ['a', 'b']\nclient = true")).unwrap();
    assert!(choice.launch_text(&given(&[("sleep", "b")])).unwrap().contains("sleep-time=\"b\" "));
    assert!(choice.launch_text(&given(&[("sleep", "c")])).is_err());
}

#[test]
fn a_text_cannot_break_out_of_its_place() {
    crate::register_elements().unwrap();
    let launch = r#"launch = 'appsrc name=frames ! identity name={sleep} ! fakesink name="last one"'"#;
    let parameter = "[parameters.sleep]\ndescription = 'x'\ntype = 'text'\ndefault = 'a'\nclient = true";
    let file = parse(&format!("description = 'x'\n{launch}\n{parameter}")).unwrap();
    for name in ["", "b c", "a ! filesink location=/tmp/x", "'", "{sleep}", "a.b", "ä", "="] {
        let text = file.launch_text(&given(&[("sleep", name)])).unwrap();
        let pipeline = gst::parse::launch(&text).unwrap().downcast::<gst::Bin>().unwrap();
        assert_eq!(pipeline.children().len(), 3, "{text}");
        assert!(pipeline.by_name("last one").is_some(), "{text}");
        assert!(name.is_empty() || pipeline.by_name(name).is_some(), "{text}");
    }
    for hostile in ["\\", "a\\", "\"", "a\" ! filesink location=/tmp/x \\"] {
        let cause = file.launch_text(&given(&[("sleep", hostile)])).unwrap_err();
        assert_eq!(cause, r#"sleep must be a text without " and \"#, "{hostile}");
    }
}

#[test]
fn what_gstreamer_refuses_is_named_with_its_line() {
    let cases = [
        (GOOD.replace("identity", "no-such-element"), "test.toml:5: ", "no-such-element"),
        (GOOD.replace("identity", "identity no-such-property=3"), "test.toml:5: ", "no-such-property"),
        (GOOD.replace("identity", "jpegdec ! lstm-classifier"), "test.toml:5: ", "link"),
        (GOOD.replace("identity", "temporal-smoother history=many"), "test.toml:5: ", "history"),
        (GOOD.replace("identity", "identity ! ! identity"), "test.toml:4: ", "syntax"),
    ];
    for (text, line, word) in cases {
        let message = broken(&text);
        assert!(message.starts_with(line) && message.contains(word), "{text}: {message}");
    }
}

#[test]
fn what_the_server_needs_is_demanded_by_name() {
    assert_eq!(
        broken(GOOD),
        "test.toml:4: there is no feedback-throttle; it takes the letters and makes the payloads"
    );
    assert_eq!(
        broken(&GOOD.replace("name=frames", "")),
        "test.toml:4: there is no appsrc name=frames; the server puts JPEG frames in there, or landmarks in one \
         name=landmarks"
    );
    assert_eq!(
        broken(&GOOD.replace("appsink name=feedback", "fakesink name=feedback")),
        "test.toml:4: there is no appsink name=feedback; the server takes the payloads there"
    );
    let letters = GOOD.replace("identity", "feedback-throttle format=letter ! queue");
    assert_eq!(
        broken(&letters),
        "test.toml:6: the feedback-throttle before appsink name=feedback must have format=json"
    );
}

#[test]
fn a_pipeline_takes_pictures_or_landmarks_and_not_both() {
    let both = GOOD.replace("  ! identity", "  ! funnel name=both\nappsrc name=landmarks ! both. both.");
    assert_eq!(
        broken(&both),
        "test.toml:6: there is an appsrc name=frames and one name=landmarks; a session sends pictures or landmarks: \
         write a pipeline for each"
    );
}

#[test]
fn a_name_cannot_leave_the_folder() {
    let config = dactyl_config::Config::builtin().pipeline;
    for name in ["", "../config/default", "a/b", "a.b", "/etc/passwd", "ä"] {
        let error = PipelineFile::find(name, &config).unwrap_err();
        assert!(error.cause.contains("only letters, digits"), "{error}");
    }
    let error = PipelineFile::find("no-such-pipeline", &config).unwrap_err().to_string();
    assert!(error.contains("no-such-pipeline.toml") && error.contains("looked for"), "{error}");
}

#[test]
fn every_pipeline_that_ships_is_built() {
    crate::register_elements().unwrap();
    let config = dactyl_config::Config::builtin().pipeline;
    for name in ["recognise", "unsmoothed", "twice-smoothed", "record", "overlay", "landmarks"] {
        let file = PipelineFile::find(name, &config).unwrap();
        let built = file.build(&BTreeMap::new()).unwrap();
        let takes = if name == "landmarks" { Takes::Landmarks } else { Takes::Pictures };
        assert_eq!(built.takes, takes, "{name}");
    }
}

/// An appsink that waits for its first buffer never plays again if a flush takes that buffer while its state changes.
#[test]
fn a_flush_while_a_pipeline_starts_does_not_stop_its_appsink() {
    crate::register_elements().unwrap();
    let text = GOOD.replace("identity", "feedback-throttle format=json");
    let built = parse(&text).unwrap().build(&BTreeMap::new()).unwrap();
    assert!(!built.feedback.property::<bool>("async"));
}

#[test]
fn a_folder_of_an_operator_s_own_need_not_have_the_pipelines_that_are_allowed_as_delivered() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = dactyl_config::Config::builtin().pipeline;
    config.directory = folder.path().display().to_string();
    config.name = "own".to_owned();
    assert_eq!(offered(&config), ["own"]);
    fs::write(folder.path().join("landmarks.toml"), GOOD).unwrap();
    assert_eq!(offered(&config), ["own", "landmarks"]);
    // What an operator lists must be there.
    config.allowed = vec!["another".to_owned()];
    assert_eq!(offered(&config), ["own", "another"]);
}
