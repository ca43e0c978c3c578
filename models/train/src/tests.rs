//! Small trainings, and what they must be true to.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use dactyl_holistic::Cancel;
use dactyl_holistic::keypoints::{Keypoints, LEFT_HAND, RIGHT_HAND};
use dactyl_letters::features::{hand_1_rows, shape};
use dactyl_letters::{Classifier, Overrides};
use dactyl_tests::recordings::shared;
use gstdactyl::models;
use indicatif::ProgressBar;

use crate::checkpoint::Learner;
use crate::data::{self, Clip, D, Data, Hand, I, J, Kind, LETTERS, OTHER, OtherSign, Signer, Z};
use crate::evaluation::HeldOut;
use crate::export;
use crate::hands_file::{self, Handedness};
use crate::keypoint_file;
use crate::landmark_table::Row;
use crate::loso;
use crate::measure::{self, Told};
use crate::network::{Network, Part, Sizes};
use crate::recipe::{Recipe, Schedule};
use crate::signs::Signs;
use crate::training;
use crate::windows::{Examples, FRAMES, People, Windows};

/// A hand whose fingers are curled as `letter` says; every letter differs.
fn hand(letter: usize, person: f32) -> Hand {
    std::array::from_fn(|index| {
        if index == 0 {
            return [0.0, 0.0, 0.0];
        }
        let finger = (index - 1) / 4;
        let joint = ((index - 1) % 4) as f32;
        let curl = if (letter >> finger) & 1 == 1 { 0.9 } else { 0.05 };
        let spread = (finger as f32 - 2.0) * (0.3 + 0.02 * person);
        let angle = spread + curl * joint;
        [(4.0 + joint) * angle.sin(), -(4.0 + joint) * angle.cos(), 0.1 * joint]
    })
}

fn signer(name: &str, letters: &[usize], person: f32) -> Signer {
    let clips = letters
        .iter()
        .map(|&letter| Clip {
            letter,
            kind: Kind::Still,
            frames: vec![Some(hand(letter, person)); 40],
            other: Vec::new(),
            ordered: true,
        })
        .collect();
    Signer { name: name.to_owned(), clips, ..Signer::default() }
}

/// The same, who also shows a hand that is no letter.
fn signer_with_other(name: &str, letters: &[usize], person: f32) -> Signer {
    let mut signer = signer(name, letters, person);
    let clip = Clip {
        letter: OTHER,
        kind: Kind::Still,
        frames: vec![Some(hand(26, person)); 40],
        other: Vec::new(),
        ordered: true,
    };
    signer.others = vec![OtherSign { label: "a rock".to_owned(), clip }];
    signer
}

fn letters(signers: Vec<Signer>) -> Data {
    Data { labels: data::alphabet(), signers }
}

#[test]
fn windows_are_seeded_finite_and_of_probability_one() {
    let everybody = [signer("one", &[0, 3, 7, 8], 0.0), signer("two", &[0, 3, 7, 8], 1.0)];
    let (mut first, mut same, mut other) =
        (Windows::new(&everybody, 1), Windows::new(&everybody, 1), Windows::new(&everybody, 2));
    let mut differs = false;
    for _ in 0..300 {
        let [a, b, c] = [first.draw(), same.draw(), other.draw()];
        assert_eq!(a.hands, b.hands);
        assert_eq!(a.target, b.target);
        differs |= a.hands != c.hands;
        assert_eq!(a.hands.len(), FRAMES);
        assert!(a.hands.iter().flatten().flatten().flatten().all(|value| value.is_finite()));
        assert!((a.target.iter().sum::<f32>() - 1.0).abs() < 1e-5);
    }
    assert!(differs);
}

#[test]
fn hands_that_show_no_letter_leave_the_examples_of_letters_as_they_are() {
    let (shown, others) = ([0, 3, 7, 8], signer_with_other("one", &[0, 3, 7, 8], 0.0));
    let with = [others, signer("two", &shown, 1.0)];
    let without = [signer("one", &shown, 0.0), signer("two", &shown, 1.0)];
    let (mut with, mut without) = (Windows::new(&with, 1), Windows::new(&without, 1));
    for _ in 0..200 {
        let (a, b) = (with.draw_still().unwrap(), without.draw_still().unwrap());
        assert_eq!((a.hand, a.letter), (b.hand, b.letter));
        assert_eq!(with.draw().hands, without.draw().hands);
    }
    assert!(without.draw_other().is_none());
    let others: Vec<_> = (0..200).filter_map(|_| with.draw_other()).collect();
    assert!(others.len() > 100, "{}", others.len());
    for other in others {
        assert!(other.hand.iter().flatten().all(|value| value.is_finite()));
        assert!(other.near.count() < 2, "nobody could learn from it");
    }
}

#[test]
fn drawn_letters_move_and_held_shapes_are_neither_j_nor_z() {
    let everybody = [signer("one", &[I, D], 0.0)];
    let mut windows = Windows::new(&everybody, 3);
    let (mut moved, mut held) = (0, 0);
    for _ in 0..400 {
        let example = windows.draw();
        let is_drawn = example.target[J] == 1.0 || example.target[Z] == 1.0;
        assert!(is_drawn || (example.target[J] == 0.0 && example.target[Z] == 0.0));
        if is_drawn {
            // Nobody shows the other letters whose hands Z is drawn with.
            assert!(example.hands.iter().flatten().count() > 8);
            moved += 1;
        } else {
            held += 1;
        }
    }
    assert!(moved > 10 && held > 100, "{moved} and {held}");
}

#[test]
fn a_held_d_was_called_z_because_single_pictures_were_taught_as_z() {
    let everybody = [signer("one", &[I, D], 0.0)];
    let mut windows = Windows::new(&everybody, 4);
    let mut drawn = [0; LETTERS];
    for _ in 0..200 {
        drawn[windows.draw_still().unwrap().letter] += 1;
    }
    assert_eq!(drawn[Z], 0);
    assert!([I, D, J].iter().all(|letter| drawn[*letter] > 30), "{drawn:?}");
}

fn small() -> Recipe {
    Recipe {
        frame: Schedule { steps: 40, batch: 32, learning_rate: 8e-3 },
        window: Schedule { steps: 40, batch: 16, learning_rate: 2e-2 },
        look_every: 20,
        sizes: Sizes { readers: 2, wide: 32, narrow: 24, hidden: 16, classes: LETTERS, other_readers: 0 },
        ..Recipe::default()
    }
}

#[test]
fn a_small_training_learns_and_one_that_was_killed_learns_the_same() {
    let shown = [0, 5, 10, 17, 21];
    let everybody = letters(vec![signer("one", &shown, 0.0), signer("two", &shown, 1.0)]);
    let stranger = [signer("three", &shown, 0.5)];
    let recipe = small();
    let folder = tempfile::tempdir().unwrap();
    let train = |out: &Path| {
        training::train(&everybody, &stranger, &recipe, out, &ProgressBar::hidden()).unwrap();
        training::open(out).unwrap()
    };
    let whole = train(&folder.path().join("whole"));
    let fresh = Network::new(recipe.sizes, recipe.seed).unwrap();
    let judges = HeldOut::new(&stranger, &everybody.labels);
    let before = judges.score(&fresh, Part::Window, 1.0).unwrap().unwrap();
    let after = judges.score(&whole.1, Part::Window, 1.0).unwrap().unwrap();
    assert!(after.signers[0].loss < before.signers[0].loss - 0.5, "{before}; {after}");
    assert!(after.signers[0].still.0 >= 4, "{after}");

    // Killed in either half: what the look before left behind is all there is to go on from.
    for killed_at in [1, 3] {
        let out = folder.path().join(format!("killed at look {killed_at}"));
        learn_until(killed_at, &everybody, &judges, &recipe, &out);
        assert!(!out.join(training::RUN).exists());
        let resumed = train(&out);
        assert_eq!(whole.0.kept, resumed.0.kept);
        for tensor in ["shape.mean", "wide.weight", "letter.bias", "lstm.recurrent", "output.bias"] {
            assert_eq!(whole.1.values(tensor).unwrap(), resumed.1.values(tensor).unwrap(), "{tensor}");
        }
    }
}

/// A training that dies at a look, counted from 0.
fn learn_until(killed_at: usize, data: &Data, judges: &HeldOut, recipe: &Recipe, out: &Path) {
    let looks = AtomicUsize::new(0);
    let look = |network: &Network, part| {
        anyhow::ensure!(looks.fetch_add(1, Ordering::Relaxed) < killed_at, "killed");
        judges.score(network, part, 1.0)
    };
    let network = Network::new(recipe.sizes, recipe.seed).unwrap();
    let mut learners = [Learner { network, strangers: People::default() }];
    let killed = training::learn(data, &mut learners, &look, recipe, out, &ProgressBar::hidden());
    assert_eq!(killed.unwrap_err().to_string(), "killed");
}

#[test]
fn an_unfinished_training_of_another_kind_is_not_continued() {
    let everybody = letters(vec![signer("one", &[0, 5], 0.0)]);
    let recipe = small();
    let folder = tempfile::tempdir().unwrap();
    learn_until(1, &everybody, &HeldOut::new(&[], &everybody.labels), &recipe, folder.path());
    let refused = |data: &Data, recipe: &Recipe| {
        let error = training::train(data, &[], recipe, folder.path(), &ProgressBar::hidden()).unwrap_err();
        assert!(error.to_string().contains("another recipe, other labels"), "{error}");
    };
    refused(&everybody, &Recipe { dropout: 0.5, ..recipe.clone() });
    let mut renamed = everybody;
    renamed.labels.reverse();
    refused(&renamed, &recipe);
}

#[test]
fn a_left_out_signer_is_a_stranger_to_the_network_that_is_measured_on_them() {
    // The first two agree; the third shows the same two shapes the other way round.
    let mut contrary = signer("three", &[0, 5], 0.0);
    contrary.clips.iter_mut().for_each(|clip| clip.letter = 5 - clip.letter);
    let everybody = letters(vec![signer("one", &[0, 5], 0.0), signer("two", &[0, 5], 0.2), contrary]);
    let folder = tempfile::tempdir().unwrap();
    loso::train(&everybody, &[vec![1], vec![2]], &small(), folder.path(), &ProgressBar::hidden()).unwrap();
    assert!(!folder.path().join("seed-1/one").exists(), "nobody asked to leave them out");
    let left_out = [&everybody.signers[1], &everybody.signers[2]];
    let measured = loso::measure_all(&left_out, small().seed, 1.0, folder.path()).unwrap();
    let right: Vec<usize> =
        measured.iter().map(|one| one.letters.iter().filter(|told| told.is_right()).count()).collect();
    assert_eq!(right[1], 0, "nobody else shows them so");
    let (run, _) = training::open(&folder.path().join("seed-1/three")).unwrap();
    assert_eq!(run.trained_on, ["one", "two"]);
}

#[test]
fn an_exported_model_answers_as_the_trainer_does() {
    let sizes = Sizes { readers: 3, wide: 20, narrow: 12, hidden: 9, classes: LETTERS, other_readers: 0 };
    let mut network = Network::new(sizes, 5).unwrap();
    // Windows of real people where they are at hand.
    let everybody = match shared("data/letters") {
        Some(letters) => data::read(&letters, None, &[]).unwrap().signers,
        None => vec![signer("one", &[0, 3, 7, 8], 0.0)],
    };
    let mut windows = Windows::new(&everybody, 6);
    let shapes: Vec<f32> =
        (0..200).filter_map(|_| windows.draw_still()).flat_map(|still| shape(&still.hand)).collect();
    network.scale_to(&shapes).unwrap();
    let contract = export::contract(data::alphabet());
    let notes = BTreeMap::from([("accuracy".to_owned(), "not measured".to_owned())]);
    for temperature in [1.0, 1.6] {
        let file = export::onnx(&network, &contract, temperature, &notes).unwrap();
        let classifier = Arc::new(
            Classifier::from_bytes(
                &models::onnx_runtime().unwrap(),
                "exported",
                &file,
                &Overrides::default(),
            )
            .unwrap(),
        );
        assert_eq!(classifier.contract(), &contract);
        assert_eq!(classifier.metadata().get("accuracy").map(String::as_str), Some("not measured"));
        let mut windows = Windows::new(&everybody, 7);
        for _ in 0..50 {
            let rows = hand_1_rows(&windows.draw().hands);
            let ours = network.probabilities(&rows, FRAMES, temperature).unwrap();
            let theirs = classifier.classify(&rows, &Cancel::new()).unwrap();
            for (a, b) in ours[0].iter().zip(&theirs) {
                assert!((a - b).abs() < 1e-4, "{a} and {b}");
            }
        }
    }
}

/// A hand that shows no letter is told apart by what the probabilities lack to 1, in the trainer and in the exported file; a
/// training that was killed while it learnt that learns the same.
#[test]
fn a_model_of_people_who_show_other_hands_knows_such_hands() {
    let shown = [0, 5, 10, 17, 21];
    let everybody =
        letters(vec![signer_with_other("one", &shown, 0.0), signer_with_other("two", &shown, 1.0)]);
    let mut recipe = small();
    recipe.other = Schedule { steps: 60, batch: 64, learning_rate: 8e-3 };
    recipe.sizes = Sizes { other_readers: 2, ..recipe.sizes };
    let folder = tempfile::tempdir().unwrap();
    let train = |out: &Path| {
        training::train(&everybody, &[], &recipe, out, &ProgressBar::hidden()).unwrap();
        training::open(out).unwrap()
    };
    let (run, network) = train(&folder.path().join("whole"));
    assert_eq!(run.kept, [40, 40, 60]);
    let out = folder.path().join("killed");
    // Two looks at each of the parts before.
    learn_until(5, &everybody, &HeldOut::new(&[], &everybody.labels), &recipe, &out);
    let (_, resumed) = train(&out);
    for tensor in ["output.bias", "other.wide.weight", "other.letter.bias"] {
        assert_eq!(network.values(tensor).unwrap(), resumed.values(tensor).unwrap(), "{tensor}");
    }

    let file = export::onnx(&network, &export::contract(run.labels), 1.0, &BTreeMap::new()).unwrap();
    let runtime = models::onnx_runtime().unwrap();
    let classifier =
        Arc::new(Classifier::from_bytes(&runtime, "others", &file, &Overrides::default()).unwrap());
    let mut windows = Windows::new(&everybody.signers, 7);
    let mut differs = false;
    for _ in 0..50 {
        let rows = hand_1_rows(&windows.draw().hands);
        let ours = network.probabilities(&rows, FRAMES, 1.0).unwrap();
        let theirs = classifier.classify(&rows, &Cancel::new()).unwrap();
        for (a, b) in ours[0].iter().zip(&theirs) {
            assert!((a - b).abs() < 1e-4, "{a} and {b}");
        }
        differs |= theirs.iter().sum::<f32>() < 0.99;
    }
    assert!(differs, "some hand is less than sure to show a letter");
    let stranger = signer_with_other("three", &shown, 0.5);
    let measured = measure::measure(&classifier, &stranger, 0).unwrap();
    assert_eq!(measured.others[0].with_any, 0, "{measured}");
    assert!(measured.right().0 >= 4, "{measured}");
}

/// From a folder of keypoints with labels of its own to a model that says them.
#[test]
fn signs_that_are_no_letters_are_learnt_exported_and_answered() {
    let folder = tempfile::tempdir().unwrap();
    let labels = ["thank you", "hello", "no"];
    let mut clips = Vec::new();
    for (number, label) in labels.into_iter().enumerate() {
        for take in 0..2 {
            let mut clip = keypoint_file::Clip::new(label, [640, 480]);
            for frame in 0..40 {
                let shape = hand(5 + 9 * number, 0.2 * take as f32);
                let mut keypoints = Keypoints::absent();
                for (landmark, point) in keypoints.part_mut(LEFT_HAND).iter_mut().zip(shape) {
                    let [x, y, _] = point.map(|value| value * 8.0);
                    *landmark = [(300.0 - x + frame as f32) / 640.0, (240.0 + y) / 480.0, 0.0, 0.0];
                }
                clip.push(&keypoints, false);
            }
            clips.push(clip);
        }
    }
    for name in ["me", "somebody-else"] {
        keypoint_file::write(&folder.path().join(format!("full/{name}.npz")), &clips).unwrap();
    }

    let mut data = data::read(folder.path(), None, &[]).unwrap();
    assert_eq!(data.labels, ["hello", "no", "thank you"]);
    assert!(data.signers.iter().all(|signer| signer.clips.len() == 6));
    let stranger = data.signers.split_off(1);
    let recipe = Recipe { sizes: Sizes { classes: 3, ..small().sizes }, ..small() };
    let run = training::train(&data, &stranger, &recipe, folder.path(), &ProgressBar::hidden()).unwrap();
    assert_eq!(run.score.unwrap().signers[0].moving, (3, 3));

    let (run, network) = training::open(folder.path()).unwrap();
    let file =
        export::onnx(&network, &export::contract(run.labels), run.temperature, &BTreeMap::new()).unwrap();
    let classifier = Arc::new(
        Classifier::from_bytes(&models::onnx_runtime().unwrap(), "signs", &file, &Overrides::default())
            .unwrap(),
    );
    assert_eq!(classifier.labels(), ["hello", "no", "thank you"]);
    let mut windows = Signs::new(&data, 7);
    for _ in 0..50 {
        let rows = hand_1_rows(&windows.draw().hands);
        let ours = network.probabilities(&rows, FRAMES, run.temperature).unwrap();
        let theirs = classifier.classify(&rows, &Cancel::new()).unwrap();
        for (a, b) in ours[0].iter().zip(&theirs) {
            assert!((a - b).abs() < 1e-4, "{a} and {b}");
        }
    }
    let measured = measure::measure(&classifier, &stranger[0], 0).unwrap();
    assert_eq!(measured.right(), (3, 3), "{measured}");
    for view in &measured.views {
        assert_eq!(view.len(), 3, "{measured}");
        assert!(view.iter().all(|told| told.answers > 1), "{measured}");
    }
    assert!(measured.to_string().contains("thank you wins"), "{measured}");
}

#[test]
fn clips_are_numbered_as_another_model_numbers_their_labels() {
    let labels =
        |labels: &[&str]| -> Vec<String> { labels.iter().map(|label| (*label).to_owned()).collect() };
    let everybody =
        Data { labels: labels(&["a", "b", "c"]), signers: vec![signer("one", &[0, 1, 2, 1], 0.0)] };
    let relabelled = everybody.relabelled(&labels(&["c", "d", "b"]));
    assert_eq!(relabelled.labels, ["c", "d", "b"]);
    let clips = relabelled.signers[0].clips.iter();
    assert_eq!(clips.map(|clip| clip.letter).collect::<Vec<_>>(), [2, 0, 2]);
}

#[test]
fn exchanged_letters_are_put_right() {
    let Some(letters) = shared("data/letters") else { return };
    let everybody = data::read(&letters, None, &[]).unwrap().signers;
    // How far the ring fingertip is from the wrist, where the middle one is 1: median over a letter's hands.
    let ring = |name: &str, letter: usize| {
        let signer = everybody.iter().find(|signer| signer.name == name).unwrap();
        let hands = signer.clips.iter().filter(|clip| clip.letter == letter).flat_map(|clip| &clip.frames);
        let far = |hand: &Hand, tip: usize| (hand[tip][0] - hand[0][0]).hypot(hand[tip][1] - hand[0][1]);
        let mut ratios: Vec<f32> = hands.flatten().map(|hand| far(hand, 16) / far(hand, 12)).collect();
        ratios.sort_by(f32::total_cmp);
        ratios[ratios.len() / 2]
    };
    let [m, n] = [12, 13];
    for name in ["kevinjosethomas", "t32rahman", "Hands4All"] {
        assert!(ring(name, m) > 0.8, "three fingers over the thumb in the M of {name}");
        assert!(ring(name, n) < 0.7, "two fingers over the thumb in the N of {name}");
    }
}

#[test]
fn a_hand_under_several_labels_of_signn_is_read_under_none() {
    let folder = tempfile::tempdir().unwrap();
    let row = |label: &str, x: f32| Row {
        label: label.to_owned(),
        hand: std::array::from_fn(|point| [x * point as f32, point as f32, 0.0]),
        film: None,
    };
    let rows = [row("A", 0.1), row("A", 0.2), row("A", 0.2), row("B", 0.1), row("B", 0.3)];
    let file = folder.path().join("hands/SigNN.npz");
    hands_file::write(&file, &rows, 1.0, Handedness::Right).unwrap();
    let signers = data::read(folder.path(), None, &[]).unwrap().signers;
    let pictures = signers[0].clips.iter().map(|clip| (clip.letter, clip.frames.len()));
    assert_eq!(pictures.collect::<Vec<_>>(), [(0, 2), (1, 1)], "0.1 stands under A and B");
}

#[test]
fn what_is_no_letter_is_read_beside_the_alphabet_alone() {
    let folder = tempfile::tempdir().unwrap();
    let row = |label: &str| Row { label: label.to_owned(), hand: hand(3, 0.0), film: None };
    let write = |place: &str, rows: &[Row]| {
        hands_file::write(&folder.path().join(place), rows, 1.0, Handedness::Right).unwrap();
    };
    let alphabet: Vec<Row> = data::alphabet().iter().map(|letter| row(letter)).collect();
    write("hands/me.npz", &alphabet);
    write("other/me_other.npz", &[row("an open hand"), row("an open hand"), row("a rock")]);
    write("other/Mrunalisa.npz", &[row("D5"), row("D9")]);
    let data = data::read(folder.path(), None, &[]).unwrap();
    let shown: Vec<(&str, Vec<(&str, usize)>)> = (data.signers.iter())
        .map(|signer| {
            let others = signer.others.iter();
            (signer.name.as_str(), others.map(|one| (one.label.as_str(), one.clip.frames.len())).collect())
        })
        .collect();
    let [me, other] = &shown[..] else { panic!("{shown:?}") };
    assert_eq!(me, &("me", vec![("a rock", 1), ("an open hand", 2)]));
    assert_eq!(other, &("Mrunalisa", vec![("D5", 1)]), "D9 has the shape of F");
    assert!(data.knows_others() && data.labels.len() == LETTERS);
    assert_eq!(data::read(folder.path(), None, &["Mrunalisa".to_owned()]).unwrap().signers.len(), 1);

    write("hands/me.npz", &alphabet[..3]);
    let error = format!("{:#}", data::read(folder.path(), None, &[]).unwrap_err());
    assert!(error.contains("beside all letters A to Z alone"), "{error}");
}

#[test]
fn one_s_own_recording_of_j_is_its_movement() {
    let folder = tempfile::tempdir().unwrap();
    let clips: Vec<_> = data::alphabet()
        .iter()
        .map(|letter| {
            let mut clip = keypoint_file::Clip::new(letter, [640, 480]);
            let mut keypoints = Keypoints::absent();
            keypoints.part_mut(RIGHT_HAND).fill([0.5; 4]);
            clip.push(&keypoints, false);
            clip
        })
        .collect();
    keypoint_file::write(&folder.path().join("full/me.npz"), &clips).unwrap();
    let signers = data::read(folder.path(), None, &[]).unwrap().signers;
    let of = |letter: usize| -> Vec<Kind> {
        signers[0].clips.iter().filter(|clip| clip.letter == letter).map(|clip| clip.kind).collect()
    };
    assert_eq!((of(0), of(J), of(Z)), (vec![Kind::Still], vec![Kind::Moving], vec![Kind::Moving]));
}

#[test]
fn the_sets_are_read_without_wrong_labels() {
    let Some(letters) = shared("data/letters") else { return };
    let everybody = data::read(&letters, None, &[]).unwrap().signers;
    assert_eq!(everybody.len(), 16);
    let without = data::read(&letters, None, &["gunsai75".to_owned()]).unwrap().signers;
    assert_eq!(without.len(), 15);
    assert!(without.iter().all(|signer| signer.name != "gunsai75"));
    let of = |name: &str, letter: usize| -> Vec<Kind> {
        let signer = everybody.iter().find(|signer| signer.name == name).unwrap();
        signer.clips.iter().filter(|clip| clip.letter == letter).map(|clip| clip.kind).collect()
    };
    assert_eq!(of("Hands4All", 10), []);
    assert_eq!(of("Hands4All", J), []);
    assert_eq!(of("Mrunalisa", J), []);
    assert_eq!(of("prestonglee", 10), []);
    assert_eq!(of("Mrunalisa", Z), [Kind::Moving]);
    assert_eq!(of("Meyyappan-Dm", J), [Kind::Moving]);
    assert_eq!(of("Lolzorus", J), [Kind::HeldShape]);
    assert_eq!(of("kevinjosethomas", J), [Kind::Moving]);
    assert_eq!(of("DavidLee", Z), [Kind::HeldShape]);
    assert_eq!(of("DavidLee", 0), [Kind::Still]);
    let others = |name: &str| everybody.iter().find(|signer| signer.name == name).unwrap().others.len();
    assert_eq!(["Lolzorus", "Mrunalisa", "PredaAlin", "DavidLee"].map(others), [1, 10, 3, 0]);
    // Left hands are turned into right ones: the palm of B shows to the camera in every set.
    for signer in &everybody {
        let hands: Vec<_> = signer
            .clips
            .iter()
            .filter(|clip| clip.letter == 1)
            .flat_map(|clip| clip.frames.iter().flatten())
            .collect();
        let right = hands
            .iter()
            .filter(|hand| {
                let [wrist, index, little] = [hand[0], hand[5], hand[17]];
                let area = (index[0] - wrist[0]) * (little[1] - wrist[1])
                    - (index[1] - wrist[1]) * (little[0] - wrist[0]);
                area < 0.0
            })
            .count();
        assert!(right * 5 >= hands.len() * 4, "{}: {right} of {}", signer.name, hands.len());
        // Equal units in x and y: a palm is somewhat longer than wide.
        let across = |hand: &Hand, from: usize, to: usize| {
            (hand[to][0] - hand[from][0]).hypot(hand[to][1] - hand[from][1])
        };
        let mut widths: Vec<f32> =
            hands.iter().map(|hand| across(hand, 5, 17) / across(hand, 0, 9)).collect();
        widths.sort_by(f32::total_cmp);
        let width = widths[widths.len() / 2];
        assert!((0.48..0.72).contains(&width), "{}: {width}", signer.name);
    }
}

/// What strangers may expect stands in the model card: there networks are measured on people left out of their training.
#[test]
fn the_shipped_model_knows_the_letters_of_a_signer_it_has_seen() {
    let Some(letters) = shared("data/letters") else { return };
    let model = Path::new(env!("CARGO_MANIFEST_DIR")).join("../weights/letters.onnx");
    let classifier = Arc::new(
        Classifier::from_file(&models::onnx_runtime().unwrap(), &model, &Overrides::default()).unwrap(),
    );
    let everybody = data::read(&letters, None, &[]).unwrap().signers;
    let trained_on = &classifier.metadata()["training_data"];
    assert!(everybody.iter().all(|signer| trained_on.contains(&signer.name)), "{trained_on}");
    let signer = everybody.iter().find(|signer| signer.name == "gunsai75").unwrap();
    let measured = measure::measure(&classifier, signer, 0).unwrap();
    let still: Vec<&Told> = measured.letters.iter().filter(|told| told.is_still()).collect();
    assert_eq!(still.len(), 24);
    let right = still.iter().filter(|told| told.is_right()).count();
    let probability = still.iter().map(|told| told.probability()).sum::<f32>() / 24.0;
    let (low, pairs) = measured.low_pairs();
    assert!(right >= 23, "{measured}");
    assert!(probability >= 0.88, "{measured}");
    assert!(low * 50 >= pairs * 49, "{measured}");
}
