//! Every frame is accounted for.

use std::time::Duration;

use futures_util::StreamExt;

use crate::client::Client;
use crate::pictures::gradient;
use crate::server::Server;

/// Received, and what received frames ended as or still are.
async fn balance(server: &Server) -> (f64, f64) {
    let received = server.metric("dactyl_frames_received_total").await;
    let mut ended = 0.0;
    for name in [
        "dactyl_frames_analysed_total",
        "dactyl_frames_dropped_total",
        "dactyl_frames_cancelled_total",
        "dactyl_frames_in_flight",
    ] {
        ended += server.metric(name).await;
    }
    (received, ended)
}

#[tokio::test(flavor = "multi_thread")]
async fn received_frames_are_analysed_dropped_cancelled_or_in_flight() {
    let server = Server::start().await;
    let mut clients = Vec::new();
    for _ in 0..4 {
        clients.push(Client::connect(&server).await);
    }
    // Far more than can be analysed, with resets in between.
    for round in 0..60 {
        for client in &mut clients {
            client.send_frame(&gradient(320, 240, round)).await;
            if round % 10 == 9 {
                client.send_letter("A").await;
            }
        }
        tokio::time::sleep(Duration::from_millis(4)).await;
    }
    // Orderly: a socket that is dropped with answers unread takes back what the server has not read yet.
    for mut client in clients {
        client.socket.close(None).await.expect("an open socket");
        while client.socket.next().await.is_some() {}
    }
    server.wait_for_metric("dactyl_sessions", |sessions| sessions == 0.0).await;
    server.wait_for_metric("dactyl_frames_in_flight", |frames| frames == 0.0).await;
    let (received, ended) = balance(&server).await;
    assert_eq!(received, 240.0);
    assert_eq!(ended, received);
    assert!(server.metric("dactyl_frames_analysed_total").await > 0.0);
    assert!(server.metric("dactyl_frames_dropped_total{reason=\"busy\"}").await > 0.0);
    assert_eq!(server.metric("dactyl_frames_dropped_total{reason=\"decode\"}").await, 0.0);
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_metrics_are_there_at_zero_from_the_start() {
    let server = Server::start().await;
    for name in [
        "dactyl_sessions",
        "dactyl_frames_in_flight",
        "dactyl_frames_received_total",
        "dactyl_frames_dropped_total{reason=\"busy\"}",
        "dactyl_frames_dropped_total{reason=\"decode\"}",
        "dactyl_frames_analysed_total",
        "dactyl_frames_cancelled_total",
        "dactyl_feedback_sent_total",
        "dactyl_feedback_throttled_total",
        "dactyl_resets_total",
        "dactyl_bad_messages_total{code=\"bad_jpeg\"}",
    ] {
        assert_eq!(server.metric(name).await, 0.0, "{name}");
    }
    server.stop().await;
}
