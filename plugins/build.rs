//! Tells the plugin which version of GStreamer it is built for.

#![allow(clippy::print_stdout, reason = "a build script speaks to cargo there")]

fn main() -> Result<(), pkg_config::Error> {
    let gstreamer = pkg_config::Config::new().cargo_metadata(false).probe("gstreamer-1.0")?;
    println!("cargo::rustc-env=GSTREAMER_VERSION={}", gstreamer.version);
    Ok(())
}
