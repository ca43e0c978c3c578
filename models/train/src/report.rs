//! The tables and pictures of the model card, from what was measured on left-out signers.

use std::collections::BTreeMap;
use std::fmt::Write;

use crate::data::{J, LETTERS, Z, name};
use crate::measure::{FalseLetters, HISTORIES, Measured, OTHER_WEIGHTS, Thrift, Told, VIEWS};

/// What one signer got, mean over seeds.
struct Line {
    signer: String,
    letters: usize,
    /// Share of still letters that are right.
    right: f32,
    /// The worst and the best seed.
    range: [usize; 2],
    /// Share of right answers, mean over letters.
    answers: f32,
    /// Probability of the right letter, mean over letters.
    probability: f32,
    /// Wrong letters as `M as N`, with the share of seeds.
    wrong: Vec<(String, f32)>,
}

/// The whole report on models of the alphabet as Markdown, but for [`others`]. One entry per seed, each with the signers in the
/// same order.
pub fn markdown(seeds: &[Vec<Measured>]) -> Result<String, std::fmt::Error> {
    let seeds = &with_letters(seeds);
    let mut text = people(seeds)?;
    recall(&mut text, seeds)?;
    reliability(&mut text, seeds)?;
    smoother(&mut text, seeds)?;
    throttle(&mut text, seeds)?;
    Ok(text)
}

/// The part of the report that tells of every signer: letters, then movements, then both at other rates and mirrored.
pub fn people(seeds: &[Vec<Measured>]) -> Result<String, std::fmt::Error> {
    let seeds = &with_letters(seeds);
    let mut text = String::new();
    signers(&mut text, seeds)?;
    movements(&mut text, seeds)?;
    views(&mut text, seeds)?;
    Ok(text)
}

/// What is taken for a letter though it is none, signer by signer, and what `letters.other_weight` would change; empty if nobody
/// shows such.
pub fn others(seeds: &[Vec<Measured>]) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    let all = |of: &dyn Fn(&Measured) -> Vec<FalseLetters>| -> Vec<FalseLetters> {
        seeds.iter().flatten().flat_map(of).collect()
    };
    if all(&|one| one.others.clone()).is_empty() {
        return Ok(text);
    }
    writeln!(
        text,
        "| left-out signer | no letter | shown as | taken for a letter | for which |\n|---|---|---|---|---|"
    )?;
    for index in 0..seeds.first().map_or(0, Vec::len) {
        for (place, clip) in seeds[0][index].others.iter().enumerate() {
            let of: Vec<&FalseLetters> = seeds.iter().map(|seed| &seed[index].others[place]).collect();
            let mut letters: Vec<usize> = of.iter().flat_map(|one| one.letters.iter().copied()).collect();
            letters.sort_unstable();
            letters.dedup();
            let letters: Vec<String> = letters.into_iter().map(shown).collect();
            writeln!(
                text,
                "| {} | {} | {} | {:.0} % | {} |",
                seeds[0][index].signer,
                clip.label,
                if clip.stretches == 1 {
                    "a film".to_owned()
                } else {
                    format!("{} pictures", clip.stretches)
                },
                100.0 * mean_share(&of),
                letters.join(" ")
            )?;
        }
    }
    writeln!(
        text,
        "\n| `letters.other_weight` | still letters right | probability of the right letter | clips taken for a letter | for a given target, mean over targets |\n|---|---|---|---|---|"
    )?;
    let with_letters = with_letters(seeds);
    for (index, weight) in OTHER_WEIGHTS.into_iter().enumerate() {
        let people: Vec<_> = with_letters.iter().flatten().map(|one| &one.weighings[index]).collect();
        let mean = |of: &dyn Fn(&crate::measure::Weighing) -> f32| {
            people.iter().map(|one| of(one)).sum::<f32>() / people.len().max(1) as f32
        };
        let others = all(&|one| one.weighings[index].others.clone());
        let held: f32 = others.iter().map(|one| one.held as f32 / one.stretches.max(1) as f32).sum();
        writeln!(
            text,
            "| {weight} | {:.1} % | {:.2} | {:.1} % | {:.2} % |",
            100.0 * mean(&|one| one.right.0 as f32 / one.right.1.max(1) as f32),
            mean(&|one| one.probability / one.right.1.max(1) as f32),
            100.0 * mean_share(&others.iter().collect::<Vec<_>>()),
            100.0 * held / (LETTERS * others.len().max(1)) as f32
        )?;
    }
    writeln!(text)?;
    Ok(text)
}

fn mean_share(clips: &[&FalseLetters]) -> f32 {
    clips.iter().map(|clip| clip.share()).sum::<f32>() / clips.len().max(1) as f32
}

/// Without those who show no letters.
fn with_letters(seeds: &[Vec<Measured>]) -> Vec<Vec<Measured>> {
    let shows = |one: &&Measured| !one.letters.is_empty();
    seeds.iter().map(|seed| seed.iter().filter(shows).cloned().collect()).collect()
}

/// A letter's label; the index behind them is none of them.
fn shown(letter: usize) -> String {
    if letter < LETTERS { name(letter).to_string() } else { "none".to_owned() }
}

fn lines(seeds: &[Vec<Measured>]) -> Vec<Line> {
    let count = seeds.first().map_or(0, Vec::len);
    let mut lines: Vec<Line> = (0..count)
        .map(|index| {
            let of: Vec<&Measured> = seeds.iter().map(|seed| &seed[index]).collect();
            let runs = of.len() as f32;
            let right = |one: &&Measured| one.right().0;
            let letters = of[0].counted().len();
            let mean = |value: fn(&Told) -> f32| {
                let sum: f32 = of.iter().flat_map(|one| one.counted()).map(value).sum();
                sum / (runs * letters as f32)
            };
            let mut wrong: Vec<(String, f32)> = Vec::new();
            for told in of.iter().flat_map(|one| one.counted()).filter(|told| !told.is_right()) {
                let pair = format!("{} as {}", name(told.letter), shown(told.winner()));
                match wrong.iter_mut().find(|(known, _)| *known == pair) {
                    Some((_, share)) => *share += 1.0 / runs,
                    None => wrong.push((pair, 1.0 / runs)),
                }
            }
            wrong.sort_by(|a, b| a.0.cmp(&b.0));
            Line {
                signer: of[0].signer.clone(),
                letters,
                right: of.iter().map(right).sum::<usize>() as f32 / (runs * letters as f32),
                range: [of.iter().map(right).min().unwrap_or(0), of.iter().map(right).max().unwrap_or(0)],
                answers: mean(Told::share),
                probability: mean(Told::probability),
                wrong,
            }
        })
        .collect();
    lines.sort_by(|a, b| a.right.total_cmp(&b.right).then_with(|| a.signer.cmp(&b.signer)));
    lines
}

fn signers(text: &mut String, seeds: &[Vec<Measured>]) -> std::fmt::Result {
    let lines = lines(seeds);
    writeln!(
        text,
        "| left-out signer | still letters right (least and most) | right answers | probability of the right letter | wrong letters (share of the seeds) |"
    )?;
    writeln!(text, "|---|---|---|---|---|")?;
    for line in &lines {
        let wrong: Vec<String> =
            line.wrong.iter().map(|(pair, share)| format!("{pair} {:.0} %", 100.0 * share)).collect();
        writeln!(
            text,
            "| {} | {:.1} % ({} and {} of {}) | {:.0} % | {:.2} | {} |",
            line.signer,
            100.0 * line.right,
            line.range[0],
            line.range[1],
            line.letters,
            100.0 * line.answers,
            line.probability,
            wrong.join(", ")
        )?;
    }
    let mean = |of: fn(&Line) -> f32| lines.iter().map(of).sum::<f32>() / lines.len().max(1) as f32;
    writeln!(
        text,
        "| **mean over signers** | **{:.1} %** | **{:.0} %** | **{:.2}** | |\n",
        100.0 * mean(|line| line.right),
        100.0 * mean(|line| line.answers),
        mean(|line| line.probability)
    )
}

/// As filmed, and each of [`VIEWS`].
fn shown_as() -> impl Iterator<Item = (&'static str, Option<usize>)> {
    let views = VIEWS.into_iter().enumerate().map(|(index, (name, _))| (name, Some(index)));
    std::iter::once(("as filmed", None)).chain(views)
}

fn letters_shown(one: &Measured, view: Option<usize>) -> &[Told] {
    view.map_or(&one.letters, |view| &one.views[view])
}

fn movements(text: &mut String, seeds: &[Vec<Measured>]) -> std::fmt::Result {
    writeln!(
        text,
        "| movement | right in seeds: {} | share of answers | probability |\n|---|---|---|---|",
        shown_as().map(|(name, _)| name).collect::<Vec<_>>().join(", ")
    )?;
    for index in 0..seeds.first().map_or(0, Vec::len) {
        for letter in [J, Z] {
            let of = |(_, view)| -> Vec<&Told> {
                let all = seeds.iter().flat_map(|seed| letters_shown(&seed[index], view));
                all.filter(|told| told.letter == letter).collect()
            };
            let views: Vec<Vec<&Told>> = shown_as().map(of).collect();
            let seeds_of = views[0].len();
            if seeds_of == 0 {
                continue;
            }
            let right = |told: &[&Told]| told.iter().filter(|told| told.is_right()).count().to_string();
            let mean = |told: &[&Told], of: fn(&Told) -> f32| {
                told.iter().map(|one| of(one)).sum::<f32>() / told.len() as f32
            };
            let each = |of: &dyn Fn(&[&Told]) -> String| -> String {
                views.iter().map(|told| of(told)).collect::<Vec<_>>().join(", ")
            };
            writeln!(
                text,
                "| {} {} | {} of {seeds_of} | {} % | {} |",
                seeds[0][index].signer,
                name(letter),
                each(&right),
                each(&|told| format!("{:.0}", 100.0 * mean(told, Told::share))),
                each(&|told| format!("{:.2}", mean(told, Told::probability)))
            )?;
        }
    }
    let path = |kind: usize| {
        let pairs = seeds.iter().flatten().map(|one| one.paths[kind]);
        pairs.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1))
    };
    for (kind, what) in [
        "synthesised J",
        "synthesised Z",
        "held I that is not called J",
        "held index finger that is not called Z",
    ]
    .into_iter()
    .enumerate()
    {
        let (right, all) = path(kind);
        writeln!(text, "| {what}, {all} windows | | {:.1} % | |", percent(right, all))?;
    }
    let held: Vec<&Told> = seeds.iter().flatten().flat_map(|one| &one.held).collect();
    let still = held.iter().filter(|told| told.winner() != told.letter).count();
    writeln!(
        text,
        "| filmed J and Z without movement, {} clips, that are not called so | | {:.1} % | |",
        held.len(),
        percent(still, held.len())
    )?;
    writeln!(text)
}

fn recall(text: &mut String, seeds: &[Vec<Measured>]) -> std::fmt::Result {
    let confusion = confusion(seeds);
    writeln!(text, "| letter | right answers | most often taken for |\n|---|---|---|")?;
    let mut letters: Vec<usize> =
        (0..LETTERS).filter(|letter| confusion[*letter].iter().sum::<f32>() > 0.0).collect();
    letters.sort_by(|a, b| confusion[*a][*a].total_cmp(&confusion[*b][*b]));
    for letter in letters {
        let mut others: Vec<usize> =
            (0..=LETTERS).filter(|other| *other != letter && confusion[letter][*other] >= 0.01).collect();
        others.sort_by(|a, b| confusion[letter][*b].total_cmp(&confusion[letter][*a]));
        let others: Vec<String> = others
            .into_iter()
            .take(3)
            .map(|other| format!("{} {:.0} %", shown(other), 100.0 * confusion[letter][other]))
            .collect();
        writeln!(
            text,
            "| {} | {:.0} % | {} |",
            name(letter),
            100.0 * confusion[letter][letter],
            others.join(", ")
        )?;
    }
    writeln!(text)
}

/// Rows: what was shown; columns: share of answers, mean over signers and seeds; the last column is none of the letters.
pub fn confusion(seeds: &[Vec<Measured>]) -> Vec<Vec<f32>> {
    let mut shares = vec![vec![0.0f32; LETTERS + 1]; LETTERS];
    let mut counts = vec![0.0f32; LETTERS];
    for told in seeds.iter().flatten().flat_map(|one| &one.letters) {
        counts[told.letter] += 1.0;
        for (share, won) in shares[told.letter].iter_mut().zip(&told.won) {
            *share += *won as f32 / told.answers.max(1) as f32;
        }
    }
    for (row, count) in shares.iter_mut().zip(counts) {
        for share in row {
            *share /= count.max(1.0);
        }
    }
    shares
}

fn reliability(text: &mut String, seeds: &[Vec<Measured>]) -> std::fmt::Result {
    writeln!(
        text,
        "| `target_arg_prob` | mean | the target was shown | share of answers |\n|---|---|---|---|"
    )?;
    let bins = seeds.first().and_then(|seed| seed.first()).map_or(0, |one| one.reliability.len());
    let sum = |bin: usize| {
        seeds.iter().flatten().fold((0, 0.0, 0), |sum, one| {
            let (count, probability, shown) = one.reliability[bin];
            (sum.0 + count, sum.1 + probability, sum.2 + shown)
        })
    };
    let all: usize = (0..bins).map(|bin| sum(bin).0).sum();
    let mut error = 0.0;
    for bin in 0..bins {
        let (count, probability, shown) = sum(bin);
        let mean = probability / count.max(1) as f64;
        error += (mean - shown as f64 / count.max(1) as f64).abs() * count as f64 / all.max(1) as f64;
        writeln!(
            text,
            "| {:.1} to {:.1} | {mean:.2} | {:.0} % | {:.1} % |",
            bin as f32 / bins as f32,
            (bin + 1) as f32 / bins as f32,
            percent(shown, count),
            percent(count, all)
        )?;
    }
    writeln!(text, "\nExpected calibration error over all targets: {:.3}.\n", error)
}

fn views(text: &mut String, seeds: &[Vec<Measured>]) -> std::fmt::Result {
    writeln!(
        text,
        "| shown | still letters right, mean over signers | movements right | wrong and right as filmed (cases) |\n|---|---|---|---|"
    )?;
    let all: Vec<&Measured> = seeds.iter().flatten().collect();
    for (shown_as, view) in shown_as() {
        let mut share = 0.0;
        let mut moving = (0, 0);
        let mut wrong: BTreeMap<String, usize> = BTreeMap::new();
        for one in &all {
            let letters = letters_shown(one, view);
            let counted = one.counted_of(letters);
            let right = counted.iter().filter(|told| told.is_right()).count();
            share += right as f32 / counted.len().max(1) as f32;
            for told in letters.iter().filter(|told| !told.is_still()) {
                moving = (moving.0 + usize::from(told.is_right()), moving.1 + 1);
            }
            for told in counted.into_iter().filter(|told| !told.is_right()) {
                let filmed = one.letters.iter().find(|filmed| filmed.letter == told.letter);
                if filmed.is_some_and(Told::is_right) {
                    let pair = format!("{} as {}", name(told.letter), shown(told.winner()));
                    *wrong.entry(pair).or_default() += 1;
                }
            }
        }
        let wrong: Vec<String> = wrong.into_iter().map(|(pair, cases)| format!("{pair} {cases}")).collect();
        writeln!(
            text,
            "| {shown_as} | {:.1} % | {} of {} | {} |",
            100.0 * share / all.len().max(1) as f32,
            moving.0,
            moving.1,
            wrong.join(", ")
        )?;
    }
    let mut waited: Vec<usize> = seeds
        .iter()
        .flatten()
        .flat_map(Measured::counted)
        .flat_map(|told| told.waited.iter().copied())
        .collect();
    waited.sort_unstable();
    let at = |share: f32| {
        waited
            .get(((waited.len() as f32 * share) as usize).min(waited.len().max(1) - 1))
            .copied()
            .unwrap_or(0)
    };
    writeln!(
        text,
        "\nAnswers before the right letter first wins, once the window is full: median {}, 90th percentile {}, 95th {}.\n",
        at(0.5),
        at(0.9),
        at(0.95)
    )
}

fn smoother(text: &mut String, seeds: &[Vec<Measured>]) -> std::fmt::Result {
    writeln!(
        text,
        "| `smoothing.history` | still letters right | changes of the letter per second | frames until a new letter wins | changes with a third letter in front | answers with a third letter per change |\n|---|---|---|---|---|---|"
    )?;
    for (index, history) in HISTORIES.into_iter().enumerate() {
        let all: Vec<_> = seeds.iter().flatten().map(|one| &one.histories[index]).collect();
        let right = all.iter().map(|one| one.right as f32 / one.letters.max(1) as f32).sum::<f32>()
            / all.len().max(1) as f32;
        let seconds: f32 = all.iter().map(|one| one.seconds).sum();
        let sum = |of: fn(&crate::measure::Steadiness) -> usize| all.iter().map(|one| of(one)).sum::<usize>();
        writeln!(
            text,
            "| {history} | {:.1} % | {:.2} | {:.1} | {:.0} % | {:.1} |",
            100.0 * right,
            sum(|one| one.changes) as f32 / seconds.max(f32::MIN_POSITIVE),
            sum(|one| one.frames_to_win) as f32 / sum(|one| one.arrived).max(1) as f32,
            percent(sum(|one| one.false_transitions), sum(|one| one.transitions)),
            sum(|one| one.false_wins) as f32 / sum(|one| one.transitions).max(1) as f32
        )?;
    }
    writeln!(text)
}

fn throttle(text: &mut String, seeds: &[Vec<Measured>]) -> std::fmt::Result {
    writeln!(
        text,
        "| `feedback.min_interval_ms` | `feedback.min_change` | payloads per second | mean error of what was last told |\n|---|---|---|---|"
    )?;
    for index in 0..seeds.first().and_then(|seed| seed.first()).map_or(0, |one| one.throttles.len()) {
        let all: Vec<&Thrift> = seeds.iter().flatten().map(|one| &one.throttles[index]).collect();
        let seconds: f32 = all.iter().map(|one| one.seconds).sum();
        let frames: usize = all.iter().map(|one| one.frames).sum();
        let error: f64 = all.iter().map(|one| one.error).sum();
        writeln!(
            text,
            "| {} | {} | {:.1} | {:.3} |",
            all[0].min_interval,
            all[0].min_change,
            all.iter().map(|one| one.payloads).sum::<usize>() as f32 / seconds.max(f32::MIN_POSITIVE),
            error / frames.max(1) as f64
        )?;
    }
    writeln!(text)
}

fn percent(part: usize, whole: usize) -> f32 {
    100.0 * part as f32 / whole.max(1) as f32
}

/// A confusion matrix as SVG: rows what was shown, columns what won, darker is more.
pub fn picture(confusion: &[Vec<f32>]) -> Result<String, std::fmt::Error> {
    const CELL: usize = 22;
    const EDGE: usize = 46;
    let side = EDGE + CELL * LETTERS + 8;
    let mut svg = String::new();
    writeln!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {side} {side}\" width=\"{side}\" height=\"{side}\" font-family=\"sans-serif\" font-size=\"12\" text-anchor=\"middle\" role=\"img\">"
    )?;
    writeln!(
        svg,
        "<title>Confusion matrix: rows are letters shown by signers that the model has not seen, columns the letter that won; numbers are per cent of answers</title>"
    )?;
    writeln!(svg, "<rect width=\"{side}\" height=\"{side}\" fill=\"#fff\"/>")?;
    let middle = EDGE + CELL * LETTERS / 2;
    writeln!(svg, "<text x=\"{middle}\" y=\"14\">letter that won</text>")?;
    writeln!(svg, "<text transform=\"translate(14 {middle}) rotate(-90)\">letter shown</text>")?;
    for letter in 0..LETTERS {
        let place = EDGE + CELL * letter + CELL / 2;
        writeln!(svg, "<text x=\"{place}\" y=\"{}\">{}</text>", EDGE - 8, name(letter))?;
        writeln!(svg, "<text x=\"{}\" y=\"{}\">{}</text>", EDGE - 10, place + 4, name(letter))?;
    }
    for (row, shares) in confusion.iter().enumerate() {
        for (column, share) in shares.iter().enumerate().take(LETTERS) {
            let percent = (100.0 * share).round();
            if percent < 1.0 {
                continue;
            }
            let (x, y) = (EDGE + CELL * column, EDGE + CELL * row);
            let colour = if row == column { "#1f6f54" } else { "#b3261e" };
            // Small shares stay visible.
            let strength = share.sqrt();
            writeln!(
                svg,
                "<rect x=\"{x}\" y=\"{y}\" width=\"{CELL}\" height=\"{CELL}\" fill=\"{colour}\" fill-opacity=\"{strength:.2}\"/>"
            )?;
            let ink = if strength > 0.6 { "#fff" } else { "#000" };
            writeln!(
                svg,
                "<text x=\"{}\" y=\"{}\" font-size=\"10\" fill=\"{ink}\">{percent}</text>",
                x + CELL / 2,
                y + CELL / 2 + 4
            )?;
        }
    }
    writeln!(
        svg,
        "<path d=\"M{EDGE} {EDGE}h{0}v{0}h-{0}z\" fill=\"none\" stroke=\"#888\"/>",
        CELL * LETTERS
    )?;
    writeln!(svg, "</svg>")?;
    Ok(svg)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data;

    fn told(is_right: bool) -> Told {
        let mut won = vec![0; LETTERS + 1];
        won[if is_right { J } else { 8 }] = 2;
        Told { letter: J, won, sum: vec![0.5; LETTERS], answers: 2, waited: Vec::new() }
    }

    #[test]
    fn a_movement_is_told_of_at_every_rate() {
        let seed = |right: [bool; 4]| {
            let [filmed, views @ ..] = right.map(told);
            let views = views.map(|told| vec![told]);
            vec![Measured {
                signer: "one".to_owned(),
                labels: data::alphabet(),
                letters: vec![filmed],
                held: Vec::new(),
                views: views.to_vec(),
                reliability: Vec::new(),
                histories: Vec::new(),
                throttles: Vec::new(),
                others: Vec::new(),
                weighings: Vec::new(),
                beginnings: Vec::new(),
                paths: [(0, 0); 4],
            }]
        };
        let text = people(&[seed([true, true, false, false]), seed([true, false, false, true])]).unwrap();
        let expected = "| one J | 2, 1, 0, 1 of 2 | 100, 50, 0, 50 % | 0.25, 0.25, 0.25, 0.25 |";
        assert!(text.contains(expected), "{text}");
        for (name, right) in [("as filmed", 2), ("at 15 frames a second", 1), ("at 10 frames a second", 0)] {
            let expected = format!("| {name} | 0.0 % | {right} of 2 |  |");
            assert!(text.contains(&expected), "{expected} in {text}");
        }
    }
}
