//! Every key of the configuration: name, type, default, range and meaning, each declared here and nowhere else.
//!
//! The structs of [`Config`], [`KEYS`] with its ranges and its nearest names, `default.toml`, the tables of
//! `docs/configuration.md`, the help of the command line and the properties of the elements are made from it. After a
//! change, `make keys` writes the two files anew.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::declaration::{Choice, Declaration, Key, Setting};

/// Declares sections of keys: `name: type = default, what it may be set to;`.
///
/// The first line of a key's comment is one whole sentence that can stand alone; more may follow it after an empty line.
macro_rules! sections {
    ($(
        $(#[doc = $section_doc:literal])+
        $section:ident: $Section:ident {
            $($(#[doc = $doc:literal])+ $name:ident: $type:ty = $default:expr $(, $allowed:expr)?;)+
        }
    )+) => {
        /// The whole configuration.
        #[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
        #[serde(deny_unknown_fields)]
        pub struct Config { $($(#[doc = $section_doc])+ pub $section: $Section,)+ }

        impl Config {
            /// The values of `default.toml`.
            pub fn builtin() -> Self {
                Self { $($section: $Section { $($name: Setting::new($section::$name().default),)+ },)+ }
            }
        }

        $(
            $(#[doc = $section_doc])+
            #[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
            #[serde(deny_unknown_fields)]
            pub struct $Section { $($(#[doc = $doc])+ pub $name: $type,)+ }

            $(#[doc = $section_doc])+
            pub mod $section {
                use super::*;

                $(
                    $(#[doc = $doc])+
                    pub const fn $name() -> Declaration<$type> {
                        Declaration {
                            path: concat!(stringify!($section), ".", stringify!($name)),
                            text: concat!($($doc, "\n"),+),
                            default: $default,
                            allowed: ($($allowed)?),
                            of: |config| &config.$section.$name,
                        }
                    }
                )+
            }
        )+

        /// Every key, in the order of `default.toml`.
        pub static KEYS: LazyLock<Vec<Key>> = LazyLock::new(|| vec![$($($section::$name().into(),)+)+]);

        /// Every section and what it is about, in the order of `default.toml`.
        pub const SECTIONS: &[(&str, &str)] = &[$((stringify!($section), concat!($($section_doc, "\n"),+)),)+];
    };
}

/// Declares the values of a key that has only these, with what each one means. The type is an enumeration of GLib too,
/// by the name behind it, so that it can be the type of an element's property.
macro_rules! choice {
    ($(#[$doc:meta])* $name:ident, $glib_name:literal { $($variant:ident = $text:literal, $meaning:literal;)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, Serialize)]
        #[cfg_attr(feature = "glib", derive(glib::Enum), enum_type(name = $glib_name))]
        pub enum $name {
            $(
                #[doc = $meaning]
                #[serde(rename = $text)]
                #[cfg_attr(feature = "glib", enum_value(name = $meaning, nick = $text))]
                $variant,
            )+
        }

        impl Choice for $name {
            const WORDS: &'static [(&'static str, &'static str)] = &[$(($text, $meaning)),+];

            fn word(self) -> &'static str {
                match self { $(Self::$variant => $text,)+ }
            }
        }
    };
}

sections! {
    /// Sockets and their limits.
    server: Server {
        /// Address of the WebSocket and of the HTTP pages; port 0 takes a free one.
        ///
        /// A name, such as `localhost`, stands for all of its addresses.
        listen: String = "127.0.0.1:8080", "host:port";
        /// Sessions at the same time; more get HTTP 503 before the upgrade.
        max_sessions: u32 = 64, 1..=10_000;
        /// Sessions of one client at the same time; 0 means as many as there are.
        ///
        /// A client is a key or the subject of a token, which may name another number, and an address without either. 0 is
        /// right where a whole school comes from one address. Of IPv6 the network of 64 bits counts as one.
        max_sessions_per_client: u32 = 0, 0..=10_000;
        /// Connections at the same time, sessions included; more are closed at once. More than `max_sessions`.
        max_connections: u32 = 4096, 16..=1_000_000;
        /// Connections of one address at the same time; 0 means as many as there are.
        ///
        /// 0 is right where a whole school comes from one address. Of IPv6 the network of 64 bits counts as an address.
        max_connections_per_client: u32 = 0, 0..=1_000_000;
        /// Seconds for a TLS handshake, and for a whole request to come.
        ///
        /// They are counted from the connection's beginning or from the answer to the request before.
        header_timeout_s: u32 = 10, 1..=3600;
        /// Proxies in front of the server, whose header `X-Forwarded-For` is believed.
        ///
        /// They are no clients themselves where connections and sessions are counted.
        trusted_proxies: Vec<String> = &[], "addresses, or networks such as 10.0.0.0/8";
        /// Whether the connections of trusted proxies begin with a header of the PROXY protocol, version 1 or 2.
        ///
        /// It comes before the TLS handshake. All of them must send it then; nobody else may.
        proxy_protocol: bool = false;
        /// Names under which the server's own pages may open a WebSocket.
        ///
        /// Without any these are its addresses, `localhost`, this machine's host name and the names of its certificate,
        /// since any web page can have a name that stands for this machine's address.
        names: Vec<String> = &[], "host names";
        /// Web origins besides the server's own that may open a WebSocket, such as `"https://learn.example.org"`.
        ///
        /// `"file://"` is that of packaged apps, `"null"` that of sandboxed pages and local files. There are no wildcards.
        /// Native clients send no origin and are always let in.
        allowed_origins: Vec<String> = &[], "scheme://host, scheme://host:port, file:// or null";
        /// Largest message that is read as one, in bytes; a larger one is answered with an error.
        max_message_bytes: u32 = 2_097_152, 1024..=16_777_216;
        /// Largest message that is taken at all, in bytes; a larger one closes the socket with 1009.
        transport_max_bytes: u32 = 4_194_304, 65_536..=268_435_456;
        /// Largest picture, width times height in pixels, as the header of the JPEG says.
        max_pixels: u32 = 2_073_600, 1..=100_000_000;
        /// Scans of one JPEG; a progressive picture of thousands of scans would hold a core for seconds.
        ///
        /// Browsers send one, ordinary progressive files have 10.
        max_scans: u32 = 16, 1..=1000;
        /// Frames per second and session that are looked at, and letters likewise; more count as bad messages.
        max_fps: u32 = 120, 1..=1000;
        /// Frames per second of all sessions of one client together; 0 means as many as each session may send.
        ///
        /// Clients are those of `max_sessions_per_client`, and a key or a token may name another number.
        max_fps_per_client: u32 = 0, 0..=100_000;
        /// Bad messages without an analysed frame or a letter between them that close the socket with 1008.
        max_bad_messages: u32 = 50, 1..=1_000_000;
        /// Seconds for the first frame or letter of a session, without which it is closed with 1000; 0 means never.
        first_frame_timeout_s: u32 = 30, 0..=86_400;
        /// Seconds without any frame or letter after which a session is closed with 1000; 0 means never.
        idle_timeout_s: u32 = 300, 0..=86_400;
        /// Seconds, up to a quarter less, after which a session is sent to another server with 1001; 0 means never.
        ///
        /// It ends with its next letter or pause, when nothing is lost, or a minute later. Long sessions do not fill old
        /// servers then while new ones stay empty.
        max_session_age_s: u32 = 0, 0..=86_400;
        /// Seconds between two pings to a client.
        ping_interval_s: u32 = 5, 1..=3600;
        /// Seconds without a message or a pong after which a client is freed; more than `ping_interval_s`.
        ping_timeout_s: u32 = 10, 2..=3600;
        /// Seconds after which a client is closed that takes no answer, or answers no ping: it does not read.
        slow_client_timeout_s: u32 = 10, 1..=3600;
        /// Milliseconds after SIGTERM in which the open sessions go on and new ones are refused, so that balancers notice.
        drain_notice_ms: u32 = 0, 0..=600_000;
        /// Milliseconds after that over which the open sessions are closed one after the other, idle ones first.
        ///
        /// Their clients then do not all come to another server in one moment. ctrl-C never drains.
        drain_ms: u32 = 0, 0..=3_600_000;
        /// Seconds after SIGTERM at which a drain ends in any case; 0 means when the two before are over.
        drain_timeout_s: u32 = 0, 0..=86_400;
        /// Milliseconds that open sockets have to close on ctrl-C or SIGTERM.
        shutdown_timeout_ms: u32 = 4000, 100..=60_000;
    }

    /// What operators and their machines ask for, apart from what learners do.
    admin: Admin {
        /// Address of `/metrics` and `/readyz`, which `server.listen` then does not answer; empty means that it does.
        ///
        /// Plain HTTP, for a network that learners do not reach. `/healthz` is answered on both.
        listen: String = "", "host:port";
        /// Address that tells HAProxy's agent-check in one line how much is free; empty means none.
        agent_listen: String = "", "host:port";
    }

    /// Whether the server speaks TLS itself.
    tls: Tls {
        /// Certificate chain for `https://` and `wss://`, a PEM file; empty means plain HTTP.
        certificate: String = "", "a file";
        /// Private key of that certificate, a PEM file; empty means plain HTTP.
        key: String = "", "a file";
    }

    /// Who may open a session. Without a file here anybody who reaches the server may.
    auth: Auth {
        /// Keys that let a client in, a TOML file that holds their SHA-256; empty means none.
        keys_file: String = "", "a file";
        /// What the tokens (JWT) that let a client in are signed with; empty means that no token is taken.
        ///
        /// A public key in PEM, a set of keys (JWKS), or the secret of HS256.
        jwt_key_file: String = "", "a file";
        /// Algorithm with which tokens are signed; one that is signed with another is refused, whatever it says of itself.
        jwt_algorithm: JwtAlgorithm = JwtAlgorithm::Rs256;
        /// Audience (`aud`) that a token must name; empty means that it need not.
        jwt_audience: String = "", "a text";
        /// Issuer (`iss`) that a token must name; empty means that it need not.
        jwt_issuer: String = "", "a text";
    }

    /// Which pipeline a session runs.
    pipeline: Pipeline {
        /// Pipeline that sessions run: the name of its file without `.toml`.
        name: String = "recognise", "a name";
        /// Folder of pipeline files.
        directory: String = "pipelines", "a folder";
        /// Pipelines that a client may ask for with `?pipeline=NAME`, besides the one that sessions run.
        ///
        /// The practice page asks for `landmarks` where a learner chooses that pictures stay on the device. As long as this is the
        /// default, it counts only if the folder has that file.
        allowed: Vec<String> = &["landmarks"], "names";
    }

    /// How much is analysed at once, and with what.
    inference: Inference {
        /// Frames analysed at the same time, by all sessions together; 0 means as many as there are cores.
        ///
        /// Never more than the cores that this process may use.
        slots: u32 = 0, 0..=1024;
        /// Unix niceness of the analysing threads, so that sockets and decoders on the same cores go first.
        ///
        /// A new letter is then answered at once under load too. With 0 they do not give way.
        niceness: u32 = 5, 0..=19;
        /// Shared library of ONNX Runtime; empty means the one that set-up unpacked into `models.directory`.
        ///
        /// One of version 1.29 or later is taken only where ORT_DISABLE_TELEMETRY=1 is in the environment: it tells its
        /// maker about its use.
        runtime: String = "", "a file";
    }

    /// The networks of the tracker.
    models: Models {
        /// Folder of the fetched networks.
        directory: String = ".cache/models", "a folder";
    }

    /// The tracker, element `holistic-keypoints`.
    holistic: Holistic {
        /// What matters more: MediaPipe's landmarks, or time.
        ///
        /// How the two differ stands in `models/holistic/README.md`.
        profile: Profile = Profile::Exact;
        /// Networks that run; keypoints of parts left out are NaN, and `pose` may not be left out.
        parts: Vec<Part> = &[Part::Pose, Part::Hands, Part::Face];
        /// Whether a hand is found without a body too, where nobody is seen: close to the camera, or on a phone.
        ///
        /// MediaPipe Holistic finds none then. Frames with a person are the same either way; one without takes longer. Without
        /// the part `hands` nothing looks for one.
        hands_alone: bool = true;
        /// Score from which a detected person counts.
        min_detection_confidence: f32 = 0.5, 0.0..=1.0;
        /// Presence of the pose from which a tracked person is still followed.
        min_tracking_confidence: f32 = 0.5, 0.0..=1.0;
        /// Time that the smoothing filters live in.
        clock: TrackerClock = TrackerClock::Pts;
        /// Whether each frame posts an element message with the parts seen and their landmarks.
        post_messages: bool = false;
    }

    /// The classifier and its window of frames, element `lstm-classifier`.
    letters: Letters {
        /// Letter model, an ONNX file; the default one is part of the program.
        model: String = "models/weights/letters.onnx", "a file";
        /// Number of frames in the rolling buffer; the model's own metadata wins, and a mismatch is an error.
        window: u32 = 32, 1..=1024;
        /// What a row of the model's input holds, for a model without metadata.
        features: Features = Features::Auto;
        /// Labels in the order of the model's outputs, for a model without metadata.
        labels: Vec<String> = &[], "texts";
        /// What the model gives out, for a model without metadata.
        output: Output = Output::Auto;
        /// Share of the window's frames without a hand above which the answer is nothing.
        nothing_share: f32 = 0.5, 0.0..=1.0;
        /// Labels whose signs move: they are never told from less than the whole window, whatever a client asks for.
        moving: Vec<String> = &["J", "Z"], "texts";
        /// Factor of the odds that a hand shows none of the model's letters; 0 gives every hand a letter.
        ///
        /// 1 is as the built-in model learnt it, of as many hands without a letter as with one; who practises mostly
        /// shows letters. More catches more hands that show none, and loses letters: `models/weights/README.md` has
        /// the figures. Models that know no such hands do not change.
        other_weight: f32 = 0.3, 0.0..=1000.0;
        /// Whether each frame posts an element message with the window's fill and the best classes.
        post_messages: bool = false;
    }

    /// The mean over the last distributions, element `temporal-smoother`.
    smoothing: Smoothing {
        /// Number of distributions that are averaged; 1 passes each one on as it is.
        history: u32 = 5, 1..=1000;
    }

    /// When a result is worth a message, element `feedback-throttle`.
    feedback: Feedback {
        /// Least time between two payloads in milliseconds; 0 means none.
        min_interval_ms: u32 = 80, 0..=60_000;
        /// Change of the target's probability above which a result is worth a payload; with 0 every result is.
        min_change: f32 = 0.03, 0.0..=1.0;
        /// Whether a letter-target event is answered with a payload of 0 % at once.
        ///
        /// The server sends that event with every new letter.
        on_reset: bool = true;
        /// What a payload looks like.
        ///
        /// The server needs `json`, and the pipelines that ship set it.
        format: PayloadFormat = PayloadFormat::Json;
        /// Time in which min-interval is counted.
        clock: ThrottleClock = ThrottleClock::RunningTime;
    }

    /// What is logged and how.
    log: Log {
        /// What is logged: `error`, `warn`, `info`, `debug`, `trace`, or a filter such as `info,dactyl::session=debug`.
        level: String = "info", "a level or a filter";
        /// Form of a log line.
        format: LogFormat = LogFormat::Text;
    }
}

choice! {
    /// How a token is signed.
    JwtAlgorithm, "GstDactylJwtAlgorithm" {
        Hs256 = "HS256", "A secret that whoever signs shares with the server";
        Rs256 = "RS256", "RSA of 2048 bits or more";
        Es256 = "ES256", "ECDSA on the curve P-256";
    }
}

choice! {
    /// What matters more to the tracker.
    Profile, "GstDactylTrackerProfile" {
        Exact = "exact", "MediaPipe's landmarks";
        Fast = "fast", "Nearly the same landmarks in two thirds to three quarters of the time";
    }
}

choice! {
    /// A group of networks of the tracker.
    Part, "GstDactylPart" {
        Pose = "pose", "Body, 33 landmarks; the other two depend on it";
        Hands = "hands", "Both hands, 21 landmarks each";
        Face = "face", "Face, 468 landmarks";
    }
}

choice! {
    /// Time base of the tracker's filters.
    TrackerClock, "GstDactylTrackerClock" {
        Pts = "pts", "Presentation time of the frame";
        Fixed = "fixed", "33.333 ms a frame, as MediaPipe's Python";
    }
}

choice! {
    /// Layout of a classifier's input rows.
    Features, "GstDactylFeatures" {
        Auto = "auto", "As the model's metadata says";
        Hand1 = "hand-1", "Shape and movement of the signing hand";
        Holistic1662 = "holistic-1662", "Pose 33x4, face 468x3, left hand 21x3, right hand 21x3";
    }
}

choice! {
    /// What a classifier's output means.
    Output, "GstDactylClassifierOutput" {
        Auto = "auto", "As the model's metadata says";
        Probabilities = "probabilities", "Probabilities that sum to one";
        Logits = "logits", "Logits, to be put through a softmax";
    }
}

choice! {
    /// Form of a payload.
    PayloadFormat, "GstDactylPayloadFormat" {
        Json = "json", "One JSON object";
        JsonLines = "json-lines", "One JSON object and a line end";
        Letter = "letter", "The letter alone";
    }
}

choice! {
    /// Time base of the throttle.
    ThrottleClock, "GstDactylThrottleClock" {
        RunningTime = "running-time", "Running time at which a result arrives (live)";
        Pts = "pts", "Presentation time of the frame (files)";
    }
}

choice! {
    /// Form of a log line.
    LogFormat, "GstDactylLogFormat" {
        Text = "text", "A line for people";
        Json = "json", "One JSON object a line";
    }
}
