//! Settings of the tracker.

/// What matters more: MediaPipe's landmarks, or time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Profile {
    /// Every step of MediaPipe in every frame.
    #[default]
    Exact,
    /// Hands and a face that keep their place are followed, and what rests is held now and then; see the module's
    /// documentation.
    Fast,
}

/// Settings of the tracker.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Options {
    /// What matters more.
    pub profile: Profile,
    /// Score from which a detected person counts, 0 to 1.
    pub min_detection_confidence: f32,
    /// Pose presence that a followed person must exceed, 0 to 1.
    pub min_tracking_confidence: f32,
}

impl Default for Options {
    fn default() -> Self {
        Self { profile: Profile::Exact, min_detection_confidence: 0.5, min_tracking_confidence: 0.5 }
    }
}
