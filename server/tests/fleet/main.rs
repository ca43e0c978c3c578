//! Three real servers behind a real HAProxy or nginx, with the very files of `deploy/`, and learners who practise words while
//! servers are restarted, killed, frozen and filled.
//!
//! `DACTYL_FLEET=long` runs the same with more learners and the window of the model that ships, as `make fleet` does.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in its helpers too")]
#![expect(clippy::print_stdout, reason = "the counts are what it is run for")]

mod balancer;
mod classifier;
mod instance;
mod learner;
mod rotation;
mod soak;
mod tls;

use std::time::Duration;

use tokio::time::Instant;

use crate::balancer::{Haproxy, Nginx};
use crate::instance::{Fleet, Instance};
use crate::learner::{Class, Tally};

/// Most that a learner may wait for feedback, the refill of the window aside, when a server is restarted as it should be.
const PLANNED: Duration = Duration::from_secs(2);
/// The same where the server of a learner dies.
const KILLED: Duration = Duration::from_secs(5);
/// The same where it hangs.
const HUNG: Duration = Duration::from_secs(15);
/// Far longer than anything takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// How large a run is.
#[derive(Debug, Clone, Copy)]
struct Numbers {
    learners: usize,
    /// Frames a second of each.
    fps: u32,
    /// Frames in the classifier's window.
    window: usize,
    /// Answers to a letter after which a learner goes on to the next one.
    answers: usize,
}

fn numbers() -> Numbers {
    match std::env::var("DACTYL_FLEET").as_deref() {
        Ok("long") => Numbers { learners: 30, fps: 5, window: 32, answers: 20 },
        Ok(other) => panic!("DACTYL_FLEET={other:?}: there is only \"long\""),
        Err(_) => Numbers { learners: 9, fps: 3, window: 4, answers: 6 },
    }
}

/// Waits until something is so.
async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let begin = Instant::now();
    while !is_so().await {
        assert!(begin.elapsed() < PATIENCE, "never: {what}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn report(what: &str, tally: &Tally) {
    println!("{what}: {tally}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_behind_haproxy_costs_nobody_anything() {
    let mut fleet = Fleet::start(numbers(), &["server.drain_notice_ms=1500", "server.drain_ms=1000"]);
    let haproxy = Haproxy::start(&fleet).await;
    until("three servers are up", async || haproxy.count("UP") == 3).await;
    let class = Class::start(haproxy.door(), numbers());
    class.all_have_answers().await;
    for number in 0..3 {
        let sessions = fleet.instances[number].metric("dactyl_sessions");
        let moved = class.tally().interruptions;
        fleet.instances[number].signal("-TERM");
        until("the balancer knows", async || haproxy.status(number) == "DRAIN").await;
        // It goes on with its sessions although it takes no new ones: the balancer has not cut them.
        assert_eq!(fleet.instances[number].metric("dactyl_sessions"), sessions);
        assert_eq!(class.tally().interruptions, moved);
        until("its sessions have left one by one, and it has ended", async || {
            fleet.instances[number].has_ended()
        })
        .await;
        fleet.instances[number].start();
        until("it is up again", async || haproxy.status(number) == "UP").await;
    }
    class.all_have_answers().await;
    let tally = class.end().await;
    report("rolling restart behind HAProxy", &tally);
    assert!(tally.interruptions >= numbers().learners, "everybody was somewhere: {tally}");
    assert_eq!(tally.lost_more_than(PLANNED), 0, "{tally}");
    assert_eq!((tally.wrong, tally.refused), (0, 0), "{tally}");
    assert_eq!(fleet.refused(), 0, "sent to a server that was full or at its end");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_killed_or_hangs_costs_only_its_own_learners() {
    let mut fleet = Fleet::start(numbers(), &[]);
    let haproxy = Haproxy::start(&fleet).await;
    until("three servers are up", async || haproxy.count("UP") == 3).await;
    let class = Class::start(haproxy.door(), numbers());
    class.all_have_answers().await;

    let of_the_dead = fleet.instances[0].metric("dactyl_sessions") as usize;
    assert!(of_the_dead > 0);
    fleet.instances[0].signal("-KILL");
    until("its learners are elsewhere", async || class.tally().interruptions >= of_the_dead).await;
    class.all_have_answers().await;
    let tally = class.tally();
    report("killed", &tally);
    assert_eq!(tally.interruptions, of_the_dead, "{tally}");
    assert_eq!(tally.lost_more_than(KILLED), 0, "{tally}");
    assert!(fleet.instances[0].has_ended());
    fleet.instances[0].start();
    until("it is up again", async || haproxy.status(0) == "UP").await;

    let of_the_hung = fleet.instances[1].metric("dactyl_sessions") as usize;
    assert!(of_the_hung > 0);
    fleet.instances[1].signal("-STOP");
    until("the balancer knows", async || haproxy.status(1) == "DOWN").await;
    until("its learners are elsewhere", async || class.tally().interruptions >= of_the_dead + of_the_hung)
        .await;
    class.all_have_answers().await;
    fleet.instances[1].signal("-CONT");
    until("it is up again", async || haproxy.status(1) == "UP").await;
    let tally = class.end().await;
    report("killed and hung", &tally);
    assert_eq!(tally.interruptions, of_the_dead + of_the_hung, "{tally}");
    assert_eq!(tally.lost_more_than(HUNG), 0, "{tally}");
    assert!(tally.learners_lost_more_than(PLANNED) <= of_the_dead + of_the_hung, "{tally}");
    assert_eq!((tally.wrong, tally.refused), (0, 0), "{tally}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_server_gets_nobody_and_a_full_fleet_says_when_to_come_back() {
    // Nobody here sends a frame or answers a ping.
    let patient = ["server.max_sessions=2", "server.ping_timeout_s=3600", "server.first_frame_timeout_s=0"];
    let fleet = Fleet::start(numbers(), &patient);
    let haproxy = Haproxy::start(&fleet).await;
    until("three servers are up", async || haproxy.count("UP") == 3).await;
    let knows = |number: usize| {
        let sessions = fleet.instances[number].metric("dactyl_sessions") as u32;
        if sessions == 2 {
            haproxy.status(number) == "DRAIN"
        } else {
            haproxy.weight(number) == 100 - 50 * sessions
        }
    };
    // A server counts a session only after its client has heard that it is open.
    let count = || fleet.instances.iter().map(|one| one.metric("dactyl_sessions")).sum::<f64>() as usize;
    // Those who are there by another way than this balancer count too.
    let mut others = Vec::new();
    for _ in 0..2 {
        others.push(learner::connect_to(&fleet.instances[0]).await);
        until("the weight follows", async || count() == others.len() && knows(0)).await;
    }
    let mut open = Vec::new();
    for _ in 0..4 {
        open.push(haproxy.connect().await.unwrap());
        let is_counted = || count() == others.len() + open.len();
        until("the weights follow", async || is_counted() && knows(1) && knows(2)).await;
    }
    assert_eq!(fleet.refused(), 0, "sent to a full server");
    assert_eq!(haproxy.count("DRAIN"), 3);
    assert_eq!(haproxy.connect().await.map(drop).unwrap_err(), (503, Some("5".to_owned())));
    // Those who are in stay in.
    assert_eq!(count(), 6);
    drop(others);
    until("there is room again", async || haproxy.status(0) == "UP").await;
    haproxy.connect().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_server_keeps_its_learners_and_gets_fewer_new_ones() {
    let fleet = Fleet::start(numbers(), &[]);
    let haproxy = Haproxy::start(&fleet).await;
    until("three servers are up", async || haproxy.count("UP") == 3).await;
    let class = Class::start(haproxy.door(), numbers());
    class.all_have_answers().await;
    let slowed = fleet.instances[0].slow_down();
    let is_lighter = || haproxy.weight(0) + 30 <= haproxy.weight(1).min(haproxy.weight(2));
    until("it is known to be slow", async || is_lighter()).await;

    let sessions = || [0, 1, 2].map(|number: usize| fleet.instances[number].metric("dactyl_sessions"));
    let before = sessions();
    let mut new = Vec::new();
    for _ in 0..6 {
        new.push(haproxy.connect().await.unwrap());
    }
    let after = sessions();
    let [slow, others @ ..] = [0, 1, 2].map(|number: usize| after[number] - before[number]);
    println!("new sessions of a slow server: {slow}, of the others: {others:?}");
    assert!(others.iter().all(|other| slow < *other), "{before:?} {after:?}");

    class.all_have_answers().await;
    drop(slowed);
    until("it is known to be quick again", async || !is_lighter()).await;
    let tally = class.end().await;
    report("slow", &tally);
    assert_eq!((tally.interruptions, tally.wrong, tally.refused), (0, 0, 0), "{tally}");
}

#[tokio::test(flavor = "multi_thread")]
async fn nginx_passes_over_servers_that_drain_or_are_dead() {
    let mut fleet = Fleet::start(numbers(), &["server.drain_notice_ms=500", "server.drain_ms=1000"]);
    let nginx = Nginx::start(&fleet).await;
    let class = Class::start(nginx.door(), numbers());
    class.all_have_answers().await;
    fleet.instances[0].signal("-TERM");
    until("it has ended", async || fleet.instances[0].has_ended()).await;
    fleet.instances[0].start();
    class.all_have_answers().await;
    let tally = class.tally();
    report("restart behind nginx", &tally);
    assert_eq!(tally.lost_more_than(PLANNED), 0, "{tally}");

    let before = tally.interruptions;
    let of_the_dead = fleet.instances[1].metric("dactyl_sessions") as usize;
    fleet.instances[1].signal("-KILL");
    until("its learners are elsewhere", async || class.tally().interruptions >= before + of_the_dead).await;
    class.all_have_answers().await;
    let tally = class.end().await;
    report("restarted and killed behind nginx", &tally);
    assert_eq!(tally.interruptions, before + of_the_dead, "{tally}");
    assert_eq!(tally.lost_more_than(KILLED), 0, "{tally}");
    assert_eq!((tally.wrong, tally.refused), (0, 0), "{tally}");
}

/// What a balancer that passes TLS on unread needs: whose connection it is comes before the handshake.
#[tokio::test(flavor = "multi_thread")]
async fn the_proxy_protocol_comes_before_the_tls_handshake() {
    let folder = tempfile::tempdir().unwrap();
    let certificate = tls::certificate(folder.path());
    let server = Instance::alone(
        numbers(),
        &[
            "server.proxy_protocol=true",
            &format!("tls.certificate={}", certificate.chain.display()),
            &format!("tls.key={}", certificate.key.display()),
        ],
    );
    let header = b"PROXY TCP4 198.51.100.7 192.0.2.1 4711 443\r\n";
    let mut socket = learner::connect_with(server.address(), &certificate.trusted, header).await.unwrap();
    learner::reset(&mut socket, "A").await;
    let log = server.log();
    assert!(log.contains("client=198.51.100.7"), "{log}");
}
