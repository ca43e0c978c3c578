//! What is said when another letter is seen: one sentence for each pair that is confused, and nothing that no longer holds.

use std::collections::BTreeSet;

use serde_json::json;

use super::browser::{opened, run};

/// Letters of which each can be taken for each other one.
const ALIKE: [&str; 6] = ["MNSTAE", "KUVRH", "PQG", "DXZ", "IJ", "COE"];

/// Pairs of letter shown and letter that won, of the model card's confusion matrix: its squares off the diagonal.
fn confused() -> BTreeSet<(char, char)> {
    let svg = include_str!("../../../../models/weights/confusion.svg");
    let letter = |at: &str| {
        char::from(b'A' + u8::try_from((at.parse::<usize>().expect("a place") - 46) / 22).expect("a letter"))
    };
    svg.lines()
        .filter(|line| line.starts_with("<rect x=") && line.contains("fill=\"#b3261e\""))
        .map(|line| {
            let values: Vec<&str> = line.split('"').collect();
            (letter(values[3]), letter(values[1]))
        })
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_pair_that_is_confused_has_a_sentence_of_its_own() {
    let mut pairs = confused();
    assert!(pairs.len() >= 60, "{pairs:?}");
    assert!(pairs.contains(&('S', 'T')) && pairs.contains(&('Z', 'D')));
    for alike in ALIKE {
        let all = alike.chars().flat_map(|wanted| alike.chars().map(move |seen| (wanted, seen)));
        pairs.extend(all.filter(|(wanted, seen)| wanted != seen));
    }
    let (server, browser) = opened().await;
    let sentences = run(
        &browser,
        "const { hintFor } = await import('/web/text.js');
         const letters = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZ'];
         return letters.flatMap((wanted) => letters.map((seen) => [wanted, seen, hintFor(wanted, seen) ?? '']));",
    )
    .await;
    let sentences: Vec<(char, char, String)> = serde_json::from_value(sentences).expect("a table");
    let said = |wanted, seen| {
        let found = sentences.iter().find(|(a, b, _)| (*a, *b) == (wanted, seen));
        found.map_or("", |(_, _, sentence)| sentence.as_str())
    };
    let silent: Vec<_> = pairs.iter().filter(|(wanted, seen)| said(*wanted, *seen).is_empty()).collect();
    assert!(silent.is_empty(), "{silent:?}");
    for (wanted, seen, sentence) in &sentences {
        assert!(
            sentence.is_empty() || (wanted != seen && sentence.ends_with('.')),
            "{wanted}{seen}: {sentence}"
        );
    }
    // What is wrong differs, and so does what is said.
    for (one, other) in [
        (('T', 'S'), ('S', 'T')),
        (('U', 'R'), ('R', 'U')),
        (('M', 'T'), ('N', 'T')),
        (('K', 'V'), ('K', 'P')),
    ] {
        assert_ne!(said(one.0, one.1), said(other.0, other.1));
    }
    assert!(said('J', 'I').starts_with("Move"), "{}", said('J', 'I'));
    assert!(said('Z', 'D').starts_with("Move"), "{}", said('Z', 'D'));
    println!(
        "{} pairs need a sentence, {} have one",
        pairs.len(),
        sentences.iter().filter(|(_, _, one)| !one.is_empty()).count()
    );
    server.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hint_goes_as_soon_as_something_else_is_seen() {
    let (server, browser) = opened().await;
    let seen = run(
        &browser,
        "const { PracticeView } = await import('/web/practice.js');
         const { handOf } = await import('/web/compare.js');
         const after = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
         const hint = () => document.getElementById('hint').textContent;
         const client = { practise() {} };
         const settings = { speed: 'quick', list: 'alphabet', ownList: '', hand: 'right', mirrored: false, view: 'picture' };
         const [statistics, session, celebration] = [{ won() {}, skipped() {} }, { won() {}, skipped() {} }, { won() {} }];
         const view = new PracticeView({ client, settings, statistics, session, celebration, labels: ['S', 'B'], packs: {} });
         view.begin();
         const plain = hint();
         const look = async (letter) => {
             view.feedback({ letter, probability: 0 });
             await after(1000);
             view.compare(handOf(letter));
             return hint();
         };
         const looks = { plain, T: await look('T'), again: await look('T') };
         view.feedback({ letter: 'O', probability: 0 });
         looks.changed = hint();
         view.compare(handOf('O'));
         looks.tooSoon = hint();
         looks.O = await look('O');
         view.feedback({ letter: 'S', probability: 0.3 });
         looks.right = hint();
         await look('B');
         view.forget();
         looks.gone = hint();
         return looks;",
    )
    .await;
    let plain = &seen["plain"];
    assert!(plain.as_str().is_some_and(|text| text.starts_with("A fist")), "{seen}");
    let said = |name: &str, letter: &str, part: &str| {
        let text = seen[name].as_str().unwrap_or_default();
        assert!(
            text.starts_with(&format!("This looks like {letter}.")) && text.contains(part),
            "{name}: {seen}"
        );
    };
    said("T", "T", "Pull the thumb out from between the fingers");
    said("again", "T", "Pull the thumb out");
    said("O", "O", "Close the hand to a fist");
    for name in ["changed", "tooSoon", "right", "gone"] {
        assert_eq!(&seen[name], plain, "{name}: {seen}");
    }
    assert_ne!(seen["plain"], json!(""));
    server.stop().await;
}
