//! The typed form of `default.toml`: one struct per section, one field per key, the same names.

use serde::{Deserialize, Serialize};

macro_rules! section {
    ($(#[$doc:meta])* $name:ident { $($(#[$field_doc:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
        #[serde(deny_unknown_fields)]
        pub struct $name { $($(#[$field_doc])* pub $field: $type,)* }
    };
}

macro_rules! choice {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $text:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize, Serialize)]
        pub enum $name { $($(#[$variant_doc])* #[serde(rename = $text)] $variant,)* }

        impl $name {
            /// The value as it is written in a configuration file.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }

            /// Every value, as it is written in a configuration file.
            pub const NAMES: &'static [&'static str] = &[$($text,)*];
        }
    };
}

section! {
    /// The whole configuration.
    Config {
        /// Sockets and their limits.
        server: Server,
        /// Whether the server speaks TLS itself.
        tls: Tls,
        /// Which pipeline file a session runs.
        pipeline: Pipeline,
        /// ONNX Runtime and how much of it runs at once.
        inference: Inference,
        /// Where fetched and imported networks are kept.
        models: Models,
        /// The tracker.
        holistic: Holistic,
        /// The classifier and its window.
        letters: Letters,
        /// The mean over the last distributions.
        smoothing: Smoothing,
        /// When a result is worth a message.
        feedback: Feedback,
        /// What is logged and how.
        log: Log,
    }
}

section! {
    /// `[server]`
    Server {
        /// Address of the WebSocket and of the HTTP pages, `host:port`.
        listen: String,
        /// Sessions at the same time.
        max_sessions: u32,
        /// Connections at the same time, sessions included.
        max_connections: u32,
        /// Connections of one address at the same time; 0 = as many as there are.
        max_connections_per_client: u32,
        /// Seconds for a TLS handshake and for a whole request to come.
        header_timeout_s: u32,
        /// Web origins besides the server's own that may connect.
        allowed_origins: Vec<String>,
        /// Largest message that is read as one, in bytes.
        max_message_bytes: u32,
        /// Largest message the transport takes at all, in bytes.
        transport_max_bytes: u32,
        /// Largest picture, width times height in pixels.
        max_pixels: u32,
        /// Scans of one JPEG.
        max_scans: u32,
        /// Frames per second and session.
        max_fps: u32,
        /// Consecutive bad messages after which the socket is closed.
        max_bad_messages: u32,
        /// Seconds without a frame or a letter after which a session is closed; 0 = never.
        idle_timeout_s: u32,
        /// Seconds between two pings to a client.
        ping_interval_s: u32,
        /// Seconds of silence after which a client is freed.
        ping_timeout_s: u32,
        /// Seconds after which a client that reads nothing is closed.
        slow_client_timeout_s: u32,
        /// Milliseconds that open sockets get to close at shutdown.
        shutdown_timeout_ms: u32,
    }
}

section! {
    /// `[tls]`
    Tls {
        /// Certificate chain, a PEM file; empty = no TLS.
        certificate: String,
        /// Private key of the certificate, a PEM file; empty = no TLS.
        key: String,
    }
}

section! {
    /// `[pipeline]`
    Pipeline {
        /// Pipeline file, without its `.toml`.
        name: String,
        /// Folder of pipeline files.
        directory: String,
        /// Pipelines that a client may ask for.
        allowed: Vec<String>,
    }
}

section! {
    /// `[inference]`
    Inference {
        /// Frames analysed at the same time; 0 = available cores.
        slots: u32,
        /// Unix niceness of the analysing threads, 0 to 19.
        niceness: u32,
        /// ONNX Runtime's shared library; empty = the one in `models.directory`.
        runtime: String,
    }
}

section! {
    /// `[models]`
    Models {
        /// Folder of the fetched and imported networks.
        directory: String,
    }
}

choice! {
    /// A group of networks of the tracker.
    Part {
        /// Body: 33 landmarks; the other two parts depend on it.
        Pose = "pose",
        /// Both hands: 21 landmarks each.
        Hands = "hands",
        /// Face: 468 landmarks.
        Face = "face",
    }
}

choice! {
    /// What matters more to the tracker.
    Profile {
        /// MediaPipe's landmarks.
        Exact = "exact",
        /// Time.
        Fast = "fast",
    }
}

choice! {
    /// Time base of the tracker's filters.
    TrackerClock {
        /// Presentation time of the frame.
        Pts = "pts",
        /// 33.333 ms a frame, whatever the frame's time.
        Fixed = "fixed",
    }
}

section! {
    /// `[holistic]`
    Holistic {
        /// What matters more.
        profile: Profile,
        /// Networks that run.
        parts: Vec<Part>,
        /// Score from which a detected person counts, 0 to 1.
        min_detection_confidence: f32,
        /// Pose presence from which a person is still followed, 0 to 1.
        min_tracking_confidence: f32,
        /// Time base of the smoothing filters.
        clock: TrackerClock,
        /// Post what was seen on the bus.
        post_messages: bool,
    }
}

choice! {
    /// Layout of a classifier's input rows.
    Features {
        /// As the model's metadata says.
        Auto = "auto",
        /// Shape and movement of the signing hand.
        Hand1 = "hand-1",
        /// Pose 33x4, face 468x3, left hand 21x3, right hand 21x3; zeros where absent.
        Holistic1662 = "holistic-1662",
    }
}

choice! {
    /// What a classifier's output means.
    Output {
        /// As the model's metadata says.
        Auto = "auto",
        /// Probabilities that sum to one.
        Probabilities = "probabilities",
        /// Logits, to be put through a softmax.
        Logits = "logits",
    }
}

section! {
    /// `[letters]`
    Letters {
        /// Classifier, ONNX.
        model: String,
        /// Frames in the rolling buffer.
        window: u32,
        /// Layout of the model's input rows.
        features: Features,
        /// Labels for a model without metadata.
        labels: Vec<String>,
        /// What the model's output means.
        output: Output,
        /// Share of the window without a hand above which the answer is "nothing", 0 to 1.
        nothing_share: f32,
        /// Post the window's fill and the best classes on the bus.
        post_messages: bool,
    }
}

section! {
    /// `[smoothing]`
    Smoothing {
        /// Distributions averaged.
        history: u32,
    }
}

choice! {
    /// Form of a payload.
    PayloadFormat {
        /// One JSON object.
        Json = "json",
        /// One JSON object and a line end.
        JsonLines = "json-lines",
        /// The letter alone.
        Letter = "letter",
    }
}

choice! {
    /// Time base of the throttle.
    ThrottleClock {
        /// The pipeline's running time when the result arrives.
        RunningTime = "running-time",
        /// The frame's presentation time.
        Pts = "pts",
    }
}

section! {
    /// `[feedback]`
    Feedback {
        /// Least time between two payloads, in milliseconds.
        min_interval_ms: u32,
        /// Change of the target's probability that is worth a payload, 0 to 1.
        min_change: f32,
        /// Send the 0 % payload on a reset.
        on_reset: bool,
        /// Form of a payload.
        format: PayloadFormat,
        /// Time base of `min_interval_ms`.
        clock: ThrottleClock,
    }
}

choice! {
    /// Form of a log line.
    LogFormat {
        /// For people.
        Text = "text",
        /// One JSON object a line.
        Json = "json",
    }
}

section! {
    /// `[log]`
    Log {
        /// Level or filter.
        level: String,
        /// Form of a line.
        format: LogFormat,
    }
}
