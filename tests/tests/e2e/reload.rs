//! Taking certificate, keys, limits and pipelines anew while sessions run.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::client::Client;
use crate::keys::Files;
use crate::pictures;
use crate::server::Server;

const TAKEN: &str = "dactyl_reloads_total{result=\"taken\"}";
const FAILED: &str = "dactyl_reloads_total{result=\"failed\"}";

#[tokio::test(flavor = "multi_thread")]
async fn new_limits_hold_for_new_sessions_and_old_ones_go_on_with_theirs() {
    let mut server = Server::start_with(|config| config.server.max_sessions = 1).await;
    let mut first = Client::connect(&server).await;
    assert!(Client::connect_to(&server, "").await.is_err(), "it is full");
    server
        .reload(|config| {
            config.server.max_sessions = 2;
            config.server.max_message_bytes = 1024;
        })
        .await;
    assert_eq!((server.metric(TAKEN).await, server.metric(FAILED).await), (1.0, 0.0));
    let mut second = Client::connect(&server).await;
    assert!(Client::connect_to(&server, "").await.is_err(), "it is full again");
    let info: Value = serde_json::from_str(&server.get("/info").await.1).expect("JSON");
    assert_eq!(info["limits"]["max_sessions"], 2);
    let frame = pictures::gradient(320, 240, 1);
    assert!(frame.len() > 1024);
    second.send_frame(&frame).await;
    assert_eq!(second.expect_error().await, "message_too_large");
    first.send_until_analysed(&server, frame).await;
    // Fewer than there are: nobody is sent away.
    server.reload(|config| config.server.max_sessions = 1).await;
    drop(second);
    server.wait_for_metric("dactyl_sessions", |open| open == 1.0).await;
    assert!(Client::connect_to(&server, "").await.is_err());
    first.send_letter("A").await;
    first.expect_reset().await;
    drop(first);
    server.wait_for_metric("dactyl_sessions_free", |free| free == 1.0).await;
    Client::connect(&server).await;
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_gone_ends_its_sessions_and_no_others() {
    let files = Files::new(&[("ada", ""), ("grace", "")]);
    let mut server = Server::start_with(|config| files.ask_for_keys(config)).await;
    let mut ada = Client::connect_to(&server, "?key=ada").await.expect("let in");
    let mut grace = Client::connect_to(&server, "?key=grace").await.expect("let in");
    files.write(&[("grace", "max_sessions = 1"), ("joan", "")]);
    server.reload(|_| ()).await;
    assert_eq!(u16::from(ada.closed().await.code), 3000);
    grace.send_letter("A").await;
    grace.expect_reset().await;
    for (key, is_let_in) in [("ada", false), ("joan", true), ("grace", false)] {
        let opened = Client::connect_to(&server, &format!("?key={key}")).await;
        assert_eq!(opened.is_ok(), is_let_in, "{key}");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_files_leave_everything_as_it_was() {
    let files = Files::new(&[("ada", "")]);
    let mut server = Server::start_with(|config| files.ask_for_keys(config)).await;
    let mut session = Client::connect_to(&server, "?key=ada").await.expect("let in");
    let keys = files.keys_file();
    for (failures, wrong) in (1..).zip([
        &(|config: &mut dactyl_config::Config| config.tls.certificate = "/nowhere/chain.pem".to_owned())
            as &dyn Fn(&mut dactyl_config::Config),
        &|config| config.pipeline.allowed = vec!["nosuchpipeline".to_owned()],
        &|_| fs::write(&keys, "[keys.ada]\nsha256 = \"7\"\n").expect("written"),
        &|_| fs::remove_file(&keys).expect("removed"),
    ]) {
        server
            .reload(|config| {
                config.server.max_sessions = 1;
                wrong(config);
            })
            .await;
        assert_eq!((server.metric(FAILED).await, server.metric(TAKEN).await), (f64::from(failures), 0.0));
        session.send_letter("A").await;
        session.expect_reset().await;
        // More than one session, and with the key of before.
        Client::connect_to(&server, "?key=ada").await.expect("let in");
    }
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pipeline_file_that_has_changed_is_run_by_new_sessions() {
    let folder = tempfile::tempdir().expect("a folder");
    let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("../pipelines");
    for name in ["recognise.toml", "landmarks.toml"] {
        fs::copy(shipped.join(name), folder.path().join(name)).expect("copied");
    }
    let mut server = Server::start_with(|config| {
        config.pipeline.directory = folder.path().display().to_string();
        config.pipeline.allowed = Vec::new();
    })
    .await;
    let mut old = Client::connect(&server).await;
    let landmarks = fs::read_to_string(folder.path().join("landmarks.toml")).expect("read");
    fs::write(folder.path().join("recognise.toml"), &landmarks).expect("written");
    server.reload(|config| config.pipeline.allowed = vec!["landmarks".to_owned()]).await;
    assert_eq!(server.metric(TAKEN).await, 1.0);
    let frame = pictures::gradient(320, 240, 1);
    old.send_until_analysed(&server, frame.clone()).await;
    for query in ["", "?pipeline=landmarks"] {
        let mut new = Client::connect_to(&server, query).await.expect("let in");
        new.send_frame(&frame).await;
        assert_eq!(new.expect_error().await, "wrong_kind", "{query}");
    }
    // Readiness is asked of the pipeline that new sessions get.
    assert_eq!(server.get("/readyz").await.0, 200);
    fs::write(
        folder.path().join("recognise.toml"),
        "description = \"nothing\"\nlaunch = \"fakesrc ! fakesink\"\n",
    )
    .expect("written");
    server.reload(|_| ()).await;
    assert_eq!((server.metric(FAILED).await, server.metric("dactyl_last_reload_failed").await), (1.0, 1.0));
    assert_eq!(server.get("/readyz").await.0, 200);
    fs::write(folder.path().join("recognise.toml"), landmarks).expect("written");
    server.reload(|_| ()).await;
    assert_eq!((server.metric(FAILED).await, server.metric("dactyl_last_reload_failed").await), (1.0, 0.0));
    server.stop().await;
}
