//! GStreamer elements of Dactyl
