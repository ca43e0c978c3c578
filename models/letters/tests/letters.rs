//! The way from keypoints to distributions, with ONNX Runtime: the shipped model, small models made here, wrong ones.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use dactyl_holistic::keypoints::{Keypoints, LEFT_HAND, RIGHT_HAND};
use dactyl_letters::metadata::key;
use dactyl_letters::{
    Cancel, Classifier, ClassifierError, Contract, LIBRARY_NAME, Layout, Meaning, MetadataError, OnnxRuntime,
    Overrides, PictureSize, Recognizer, RunError,
};
use dactyl_onnx::{GraphProto, INT64, Message, ModelProto, NodeProto, TensorProto, ValueInfoProto};
use proptest::prelude::*;

const PICTURE: PictureSize = PictureSize { width: 640, height: 480 };

fn runtime() -> OnnxRuntime {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../.cache/models");
    OnnxRuntime::load(&models.join(LIBRARY_NAME)).expect("set-up fetches ONNX Runtime: run make test")
}

/// A classifier whose answer is `bias`, whatever it sees: flatten, times zero, plus `bias`.
fn constant(input: &[i64], bias: &[f32], metadata: &BTreeMap<String, String>) -> Vec<u8> {
    let values: i64 = input.iter().product();
    let classes = bias.len() as i64;
    let zeros = vec![0.0; (values * classes) as usize];
    let graph = GraphProto {
        name: "constant".into(),
        node: vec![
            NodeProto::new("Flatten", &["rows"], "flat"),
            NodeProto::new("Gemm", &["flat", "weight", "bias"], "scores"),
        ],
        initializer: vec![
            TensorProto::floats("weight", &[values, classes], &zeros),
            TensorProto::floats("bias", &[classes], bias),
        ],
        input: vec![ValueInfoProto::floats("rows", input)],
        output: vec![ValueInfoProto::floats("scores", &[1, classes])],
    };
    ModelProto::new(graph, 17, metadata.clone()).encode_to_vec()
}

fn contract(window: usize, features: Layout, output: Meaning) -> Contract {
    Contract { labels: ["yes", "no", "thank you"].map(str::to_owned).to_vec(), window, features, output }
}

fn shape(contract: &Contract) -> [i64; 3] {
    [1, contract.window as i64, contract.features.width() as i64]
}

fn load(bytes: &[u8], overrides: &Overrides) -> Result<Classifier, ClassifierError> {
    Classifier::from_bytes(&runtime(), "test.onnx", bytes, overrides)
}

/// An open hand at a place of the picture, as the tracker would give it.
fn with_hand(part: std::ops::Range<usize>, x: f32, y: f32) -> Keypoints {
    let mut keypoints = Keypoints::absent();
    for (index, point) in keypoints.part_mut(part).iter_mut().enumerate() {
        let finger = index.div_ceil(4) as f32;
        let joint = ((index + 3) % 4) as f32 + 1.0;
        let along = if index == 0 { 0.0 } else { joint };
        *point = [x + 0.01 * (finger - 3.0) * along, y - 0.03 * along, 0.0, 0.0];
    }
    keypoints
}

fn small() -> Arc<Classifier> {
    let contract = contract(4, Layout::Hand1, Meaning::Probabilities);
    let file = constant(&shape(&contract), &[0.5, 0.25, 0.125], &contract.properties());
    Arc::new(load(&file, &Overrides::default()).expect("a good model: run make test for ONNX Runtime"))
}

#[test]
fn the_shipped_model_fills_its_window_and_then_answers_every_frame() {
    let classifier = Arc::new(shipped());
    let letters: Vec<String> = (b'A'..=b'Z').map(|letter| char::from(letter).to_string()).collect();
    assert_eq!(classifier.labels(), letters);
    assert_eq!(classifier.window(), 32);
    let mut recognizer = Recognizer::new(classifier, 0.5);
    let cancel = Cancel::new();
    for round in 0..2 {
        for frame in 1..=40 {
            let answer = recognizer.push(&with_hand(RIGHT_HAND, 0.5, 0.5), PICTURE, &cancel).unwrap();
            assert_eq!(answer.is_some(), frame >= 32, "frame {frame} of round {round}");
            assert_eq!(recognizer.fill(), (frame.min(32), 32));
            if let Some(distribution) = answer {
                assert_eq!(distribution.len(), 26);
                // What is missing to 1: that the hand shows no letter.
                assert!(distribution.iter().sum::<f32>() < 1.0 + 1e-4);
                assert!(distribution.iter().all(|probability| (0.0..=1.0).contains(probability)));
            }
        }
        recognizer.clear();
        assert_eq!(recognizer.fill(), (0, 32));
    }
}

#[test]
fn the_first_frame_stands_for_those_that_a_window_lacks() {
    let classifier = Arc::new(shipped());
    let cancel = Cancel::new();
    let frame = |number: u8| with_hand(RIGHT_HAND, 0.5 + 0.002 * f32::from(number), 0.5);
    let mut early = Recognizer::new(Arc::clone(&classifier), 0.5);
    early.set_min_window(8, &[]);
    for round in 0..2 {
        for number in 0..40 {
            let answer = early.push(&frame(number), PICTURE, &cancel).unwrap();
            assert_eq!(early.fill(), (usize::from(number + 1).min(8), 8));
            let mut whole = Recognizer::new(Arc::clone(&classifier), 0.5);
            let mut expected = None;
            for other in (i16::from(number) - 31)..=i16::from(number) {
                let shown = frame(u8::try_from(other.max(0)).unwrap());
                expected = whole.push(&shown, PICTURE, &cancel).unwrap();
            }
            assert_eq!(answer, expected.filter(|_| number >= 7), "frame {number} of round {round}");
        }
        early.clear();
    }
}

#[test]
fn a_sign_that_moves_is_told_from_the_whole_window_alone() {
    let moving = ["thank you".to_owned(), "not a label".to_owned()];
    let frames_until_answer = |bias: [f32; 3], target: Option<&str>| {
        let contract = contract(4, Layout::Hand1, Meaning::Probabilities);
        let file = constant(&shape(&contract), &bias, &contract.properties());
        let mut recognizer = Recognizer::new(Arc::new(load(&file, &Overrides::default()).unwrap()), 0.5);
        recognizer.set_min_window(2, &moving);
        recognizer.set_target(target);
        let hand = with_hand(RIGHT_HAND, 0.5, 0.5);
        1 + (0..9)
            .find(|_| recognizer.push(&hand, PICTURE, &Cancel::new()).unwrap().is_some())
            .expect("an answer")
    };
    let still = [0.5, 0.25, 0.125];
    for target in [None, Some("yes"), Some("not a label")] {
        assert_eq!(frames_until_answer(still, target), 2, "{target:?}");
    }
    assert_eq!(frames_until_answer(still, Some("Thank You")), 4, "it is asked for");
    assert_eq!(frames_until_answer([0.25, 0.125, 0.5], Some("yes")), 4, "it is the best");
}

#[test]
fn a_left_hand_in_a_mirrored_picture_is_the_same_letter() {
    let classifier = Arc::new(shipped());
    let cancel = Cancel::new();
    let run = |keypoints: &Keypoints| {
        let mut recognizer = Recognizer::new(Arc::clone(&classifier), 0.5);
        let mut last = None;
        for _ in 0..32 {
            last = recognizer.push(keypoints, PICTURE, &cancel).unwrap();
        }
        last.expect("the window is full")
    };
    let right = with_hand(RIGHT_HAND, 0.4, 0.6);
    let mut left = Keypoints::absent();
    for (to, from) in left.part_mut(LEFT_HAND).iter_mut().zip(right.part(RIGHT_HAND)) {
        *to = [1.0 - from[0], from[1], from[2], from[3]];
    }
    for (a, b) in run(&right).iter().zip(run(&left)) {
        assert!((a - b).abs() < 1e-3, "{a} and {b}");
    }
}

#[test]
fn a_cancelled_push_says_so_and_keeps_the_frame() {
    let mut recognizer = Recognizer::new(small(), 0.5);
    let cancel = Cancel::new();
    cancel.cancel();
    for _ in 0..3 {
        assert!(recognizer.push(&with_hand(RIGHT_HAND, 0.5, 0.5), PICTURE, &cancel).unwrap().is_none());
    }
    let error = recognizer.push(&with_hand(RIGHT_HAND, 0.5, 0.5), PICTURE, &cancel).unwrap_err();
    assert!(matches!(error, RunError::Cancelled(_)));
    assert_eq!(recognizer.fill(), (4, 4));
}

#[test]
fn the_odds_of_no_label_can_be_changed_while_a_stream_runs() {
    let mut recognizer = Recognizer::new(small(), 0.5);
    let cancel = Cancel::new();
    let mut push = |weight: Option<f32>| {
        weight.into_iter().for_each(|weight| recognizer.set_other_weight(weight));
        recognizer.push(&with_hand(RIGHT_HAND, 0.5, 0.5), PICTURE, &cancel).unwrap()
    };
    assert!((0..3).all(|_| push(None).is_none()));
    // The classifier leaves 0.125 to hands that show none of its labels: odds of 1 to 7.
    assert_eq!(push(None).unwrap(), [0.5, 0.25, 0.125]);
    assert_eq!(push(Some(9.0)).unwrap(), [0.25, 0.125, 0.0625]);
    let sum: f32 = push(Some(0.0)).unwrap().iter().sum();
    assert!((sum - 1.0).abs() < 1e-6, "{sum}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Every frame counts, hand or not; nothing is said before the window is full; nothing is seen where too few hands
    /// are; and a cleared recogniser knows nothing of what was.
    #[test]
    fn the_answer_depends_on_the_last_window_only(
        frames in prop::collection::vec(prop::bool::weighted(0.5), 0..30),
        cleared_at in 0usize..30,
        nothing_share in 0.0f32..=1.0,
    ) {
        let classifier = small();
        let window = classifier.window();
        let mut recognizer = Recognizer::new(classifier, nothing_share);
        let cancel = Cancel::new();
        let mut held: Vec<bool> = Vec::new();
        for (index, has_hand) in frames.into_iter().enumerate() {
            if index == cleared_at {
                recognizer.clear();
                held.clear();
            }
            let keypoints = if has_hand { with_hand(LEFT_HAND, 0.5, 0.5) } else { Keypoints::absent() };
            held.push(has_hand);
            let answer = recognizer.push(&keypoints, PICTURE, &cancel).unwrap();
            if held.len() < window {
                prop_assert_eq!(answer, None);
                continue;
            }
            let without = held[held.len() - window..].iter().filter(|hand| !**hand).count() as f32;
            let expected = if without > nothing_share * window as f32 {
                vec![0.0; 3]
            } else {
                vec![0.5, 0.25, 0.125]
            };
            prop_assert_eq!(answer, Some(expected));
        }
    }
}

#[test]
fn a_model_without_metadata_is_described_by_the_configuration() {
    let contract = contract(5, Layout::Holistic1662, Meaning::Logits);
    let file = constant(&shape(&contract), &[0.0, 0.0, 2f32.ln()], &BTreeMap::new());
    let error = load(&file, &Overrides::default()).unwrap_err();
    assert!(
        matches!(error, ClassifierError::Metadata { source: MetadataError::Missing { .. }, .. }),
        "{error}"
    );

    let overrides = Overrides {
        labels: contract.labels.clone(),
        window: Some(contract.window),
        features: Some(contract.features),
        output: Some(contract.output),
    };
    let classifier = Arc::new(load(&file, &overrides).expect("is described"));
    let mut recognizer = Recognizer::new(classifier, 0.5);
    let mut last = None;
    for _ in 0..5 {
        last = recognizer.push(&with_hand(RIGHT_HAND, 0.5, 0.5), PICTURE, &Cancel::new()).unwrap();
    }
    let distribution = last.expect("the window is full");
    for (probability, expected) in distribution.iter().zip([0.25, 0.25, 0.5]) {
        assert!((probability - expected).abs() < 1e-6, "{distribution:?}");
    }
}

#[test]
fn tensors_that_do_not_fit_the_description_are_named() {
    let good = contract(4, Layout::Hand1, Meaning::Probabilities);
    let [_, window, width] = shape(&good);
    for input in
        [vec![1, window + 1, width], vec![1, window, width - 1], vec![1, window * width + 1], vec![1, width]]
    {
        let file = constant(&input, &[0.5, 0.25, 0.25], &good.properties());
        let error = load(&file, &Overrides::default()).unwrap_err();
        assert!(matches!(error, ClassifierError::Shape { .. }), "{error}");
        assert!(
            error.to_string().contains("rows")
                && error.to_string().contains(&format!("[1, {window}, {width}]"))
        );
    }
    // Four outputs for three labels.
    let file = constant(&shape(&good), &[0.25; 4], &good.properties());
    let error = load(&file, &Overrides::default()).unwrap_err().to_string();
    assert!(error.contains("scores") && error.contains("[1, 3]"), "{error}");

    let mut properties = good.properties();
    properties.insert(key::FEATURES.to_owned(), "mediapipe".to_owned());
    let file = constant(&shape(&good), &[0.5, 0.25, 0.25], &properties);
    let error = load(&file, &Overrides::default()).unwrap_err().to_string();
    assert!(error.contains("hand-1 or holistic-1662"), "{error}");
}

/// A classifier of three labels whose answer is an operator's on sums of its window's values: `weights` name the value, the
/// label and the factor, `bias` is added.
fn of_sums(contract: &Contract, weights: &[(usize, usize, f32)], bias: &[f32; 3], op: NodeProto) -> Vec<u8> {
    let file = constant(&shape(contract), bias, &contract.properties());
    let mut model = ModelProto::decode(&file[..]).unwrap();
    let graph = model.graph.as_mut().unwrap();
    let values = contract.window * contract.features.width();
    let mut matrix = vec![0.0; values * 3];
    for (value, label, factor) in weights {
        matrix[value * 3 + label] = *factor;
    }
    graph.initializer[0] = TensorProto::floats("weight", &[values as i64, 3], &matrix);
    graph.node[1] = NodeProto::new("Gemm", &["flat", "weight", "bias"], "sums");
    graph.node.push(op);
    model.encode_to_vec()
}

#[test]
fn a_classifier_that_gives_no_numbers_is_refused() {
    let refused = |file: &[u8], window: &str| {
        let error = load(file, &Overrides::default()).unwrap_err();
        assert!(matches!(error, ClassifierError::Output { .. }), "{error}");
        let error = error.to_string();
        let cause = format!("test.onnx: its output holds NaN or infinities: {window} gives [");
        assert!(error.starts_with(&cause), "{window}: {error}");
    };
    for features in [Layout::Hand1, Layout::Holistic1662] {
        for output in [Meaning::Probabilities, Meaning::Logits] {
            let contract = contract(4, features, output);
            for value in [f32::NAN, f32::INFINITY] {
                let file = constant(&shape(&contract), &[0.5, value, 0.0], &contract.properties());
                refused(&file, "a window without a person");
            }
        }
        // Nothing divided by nothing.
        let contract = contract(4, features, Meaning::Logits);
        let first = [(0, 0, 1.0), (0, 1, 1.0), (0, 2, 1.0)];
        let divide = NodeProto::new("Div", &["sums", "sums"], "scores");
        refused(&of_sums(&contract, &first, &[0.0; 3], divide), "a window without a person");
        // The root of what is negative as soon as the first value, the presence of a hand or the x of the nose, is above 0.25.
        let root = || NodeProto::new("Sqrt", &["sums"], "scores");
        refused(&of_sums(&contract, &[(0, 0, -1.0)], &[0.25; 3], root()), "a window of a waving hand");
    }
    // The roots of a depth and of its opposite: one of them is negative, unless the depth is 0.
    let contract = contract(4, Layout::Holistic1662, Meaning::Logits);
    let depth = Layout::Holistic1662.width() - 1;
    let root = NodeProto::new("Sqrt", &["sums"], "scores");
    let both = [(depth, 0, 1.0), (depth, 1, -1.0)];
    refused(&of_sums(&contract, &both, &[0.0; 3], root), "a window of landmarks at random places");
}

#[test]
fn a_logit_of_negative_infinity_is_a_label_that_never_comes() {
    let contract = contract(4, Layout::Hand1, Meaning::Logits);
    let file = constant(&shape(&contract), &[0.0, f32::NEG_INFINITY, 0.0], &contract.properties());
    let classifier = load(&file, &Overrides::default()).expect("a good model");
    let rows = vec![0.0; 4 * Layout::Hand1.width()];
    assert_eq!(classifier.classify(&rows, &Cancel::new()).unwrap(), [0.5, 0.0, 0.5]);
}

/// As skl2onnx writes scikit-learn's classifiers: windows whose rows lie one behind the other, and the label of the
/// likeliest class beside the probabilities.
fn of_scikit_learn(contract: &Contract, has_probabilities: bool) -> Vec<u8> {
    let values = contract.window as i64 * contract.features.width() as i64;
    let file = constant(&[1, values], &[0.5, 0.25, 0.125], &contract.properties());
    let mut model = ModelProto::decode(&file[..]).unwrap();
    let graph = model.graph.as_mut().unwrap();
    graph.node.push(NodeProto::new("ArgMax", &["scores"], "label"));
    let mut label = ValueInfoProto::floats("label", &[1, 3]);
    label.r#type.as_mut().unwrap().tensor_type.as_mut().unwrap().elem_type = INT64;
    graph.output.insert(0, label);
    graph.output.truncate(if has_probabilities { 2 } else { 1 });
    model.encode_to_vec()
}

#[test]
fn the_float_output_of_a_scikit_learn_classifier_is_taken() {
    let contract = contract(5, Layout::Hand1, Meaning::Probabilities);
    let file = of_scikit_learn(&contract, true);
    let classifier = Arc::new(load(&file, &Overrides::default()).expect("a good model"));
    let mut recognizer = Recognizer::new(classifier, 0.5);
    let mut last = None;
    for _ in 0..5 {
        last = recognizer.push(&with_hand(RIGHT_HAND, 0.5, 0.5), PICTURE, &Cancel::new()).unwrap();
    }
    assert_eq!(last.expect("the window is full"), [0.5, 0.25, 0.125]);

    let error = load(&of_scikit_learn(&contract, false), &Overrides::default()).unwrap_err().to_string();
    assert!(error.contains("`label` is a tensor of"), "{error}");
}

#[test]
fn what_is_no_model_is_refused_with_its_name() {
    let error = load(b"not a model", &Overrides::default()).unwrap_err();
    assert!(matches!(error, ClassifierError::Load(_)) && error.to_string().contains("test.onnx"), "{error}");
    let error =
        Classifier::from_file(&runtime(), Path::new("absent.onnx"), &Overrides::default()).unwrap_err();
    assert!(error.to_string().starts_with("absent.onnx can't be read"), "{error}");
}

/// A classifier of many layers that all have the same weights: slow, but small as a file.
fn deep(layers: usize) -> Vec<u8> {
    const WIDTH: i64 = 512;
    let contract = contract(4, Layout::Hand1, Meaning::Logits);
    let mut model =
        ModelProto::decode(&*constant(&shape(&contract), &[0.5, 0.25, 0.125], &contract.properties()))
            .expect("a model");
    let graph = model.graph.as_mut().expect("a graph");
    let widths = [4 * Layout::Hand1.width() as i64, WIDTH, WIDTH, 3];
    let zeros = |index: usize| vec![0.01; (widths[index] * widths[index + 1]) as usize];
    graph.initializer = vec![
        TensorProto::floats("first", &widths[..2], &zeros(0)),
        TensorProto::floats("same", &widths[1..3], &zeros(1)),
        TensorProto::floats("last", &widths[2..], &zeros(2)),
    ];
    graph.node.truncate(1);
    graph.node.push(NodeProto::new("MatMul", &["flat", "first"], "layer0"));
    for layer in 0..layers {
        let [before, product, after] =
            [format!("layer{layer}"), format!("product{layer}"), format!("layer{}", layer + 1)];
        graph.node.push(NodeProto::new("MatMul", &[&before, "same"], &product));
        graph.node.push(NodeProto::new("Tanh", &[&product], &after));
    }
    graph.node.push(NodeProto::new("MatMul", &[&format!("layer{layers}"), "last"], "scores"));
    model.encode_to_vec()
}

#[test]
fn a_run_of_onnx_runtime_in_flight_is_ended_from_another_thread_and_the_next_is_whole() {
    let costly = load(&deep(400), &Overrides::default()).expect("a good model");
    let rows = vec![0.1; costly.window() * costly.contract().features.width()];
    let cancel = Cancel::new();
    let begin = std::time::Instant::now();
    let expected = costly.classify(&rows, &cancel).expect("runs");
    let whole = begin.elapsed();
    let mut ended = 0;
    for round in 0..20 {
        let result = std::thread::scope(|scope| {
            let run = scope.spawn(|| costly.classify(&rows, &cancel));
            std::thread::sleep(whole.mul_f64(f64::from(round % 5) / 10.0));
            cancel.cancel();
            run.join().expect("no panic")
        });
        match result {
            Ok(answer) => assert_eq!(answer, expected),
            Err(RunError::Cancelled(_)) => ended += 1,
            Err(error) => panic!("{error}"),
        }
        cancel.rearm();
    }
    assert!(ended > 5, "only {ended} of 20 runs were ended");
    assert_eq!(costly.classify(&rows, &cancel).expect("runs"), expected);
}

fn shipped() -> Classifier {
    Classifier::embedded(&runtime(), &Overrides::default()).expect("a good model")
}
