//! The keys of a client's messages, and how words of its own are sent back.

/// The key of a frame in a client's message.
pub(super) const JPEG_BLOB: &str = "jpeg_blob";
/// The key of a frame's landmarks in a client's message, in place of the frame itself.
pub(super) const LANDMARKS: &str = "landmarks";
/// The keys of the size of the picture that the landmarks were found in.
pub(super) const WIDTH: &str = "width";
pub(super) const HEIGHT: &str = "height";
/// The key of a letter in a client's message.
pub(super) const NEW_LETTER: &str = "new_letter";

/// At most `most` characters of `text`, marked where cut: what is sent back must not grow with what came.
pub(super) fn brief(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}
