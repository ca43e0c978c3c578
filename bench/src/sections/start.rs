//! From the start of the process until it is ready, networks fetched before.

use anyhow::Result;

use super::bench::{Bench, start};
use crate::table::Comparison;

pub(super) fn run(bench: &Bench) -> Result<String> {
    let contenders = bench.servers();
    let mut table = Comparison::new(&contenders);
    bench.rounds(&contenders, |contender| {
        let seconds = start(bench, contender)?.start_time.as_secs_f64();
        table.enter("seconds", 2, contender, seconds);
        Ok(format!("{seconds:.2} s"))
    })?;
    Ok(format!(
        "{table}\nOurs until `/readyz` answers 200, with warm networks. MediaPipe's until its first socket is accepted, \
         with no network loaded.\n"
    ))
}
