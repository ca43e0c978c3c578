//! Where a frame's CPU time goes: decoder, networks, and what is round them.

use anyhow::Result;

use super::bench::Bench;
use super::cpu::child;
use crate::analysis;
use crate::contender::Contender;
use crate::stages::Stages;
use crate::table::{Markdown, number};

pub(super) fn run(bench: &Bench) -> Result<String> {
    let frames = bench.either(20, 400);
    let mut text = String::new();
    for contender in bench.analysers() {
        let Contender::Ours { settings, .. } = &contender else { continue };
        for clip in &bench.clips {
            let stages: Stages = analysis::ask(&mut child("stages", clip, frames, settings)?)?;
            bench.say(&format!("{contender}, {}", clip.name));
            text.push_str(&format!("`{contender}`, {}:\n\n{}\n", clip.name, table(&stages)));
        }
    }
    text.push_str(
        "Means over the frames; a network's runs are those of the tracker in these frames. The rest of the tracker is what \
         it takes beyond them: crops, decoding of outputs, filters.\n",
    );
    Ok(text)
}

fn table(stages: &Stages) -> String {
    let total = stages.decode_ms + stages.tracker_ms;
    let row = |stage: &str, runs: Option<f64>, run: Option<f64>, least: Option<f64>, frame: f64| {
        let share = format!("{:.0} %", 100.0 * frame / total);
        vec![
            stage.to_owned(),
            number(runs, 2),
            number(run, 2),
            number(least, 2),
            number(Some(frame), 2),
            share,
        ]
    };
    let mut rows = vec![row("decoding and conversion", None, None, None, stages.decode_ms)];
    let mut inside = 0.0;
    for network in &stages.networks {
        let frame = network.runs * network.mean_ms;
        inside += frame;
        let (run, least) = (Some(network.mean_ms), Some(network.least_ms));
        rows.push(row(&network.name, Some(network.runs), run, least, frame));
    }
    rows.push(row("rest of the tracker", None, None, None, stages.tracker_ms - inside));
    rows.push(row("**inside the networks**", None, None, None, inside));
    rows.push(row("**frame**", None, None, None, total));
    let head = ["stage", "runs per frame", "mean run, ms", "least run, ms", "per frame, ms", "share"];
    Markdown { head: &head.map(str::to_owned), rows: &rows }.to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stages::NetworkTime;

    #[test]
    fn what_the_networks_do_not_take_is_the_rest() {
        let network =
            |name: &str, runs, mean_ms| NetworkTime { name: name.to_owned(), runs, mean_ms, least_ms: 1.0 };
        let stages = Stages {
            decode_ms: 2.0,
            tracker_ms: 18.0,
            networks: vec![network("pose", 1.0, 6.0), network("hand", 1.5, 4.0)],
        };
        assert_eq!(
            table(&stages),
            "| stage | runs per frame | mean run, ms | least run, ms | per frame, ms | share |\n\
             |---|---|---|---|---|---|\n\
             | decoding and conversion | - | - | - | 2.00 | 10 % |\n\
             | pose | 1.00 | 6.00 | 1.00 | 6.00 | 30 % |\n\
             | hand | 1.50 | 4.00 | 1.00 | 6.00 | 30 % |\n\
             | rest of the tracker | - | - | - | 6.00 | 30 % |\n\
             | **inside the networks** | - | - | - | 12.00 | 60 % |\n\
             | **frame** | - | - | - | 20.00 | 100 % |\n"
        );
    }
}
