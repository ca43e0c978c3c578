//! `check --model`: every way in which somebody's own classifier can be wrong, and that the right ones are taken.

use std::fmt::Write;
use std::path::PathBuf;

use dactyl_onnx::{
    GraphProto, ModelProto, NodeProto, StringStringEntryProto, TensorProto, TypeProto, ValueInfoProto,
};
use dactyl_tests::recordings::shared;
use prost::Message;

use super::{Dir, dactyl, run};

/// Element type float64 in ONNX.
const DOUBLE: i32 = 11;
/// A dimension that the file leaves open.
const OPEN: i64 = 0;

/// A classifier that flattens its window, multiplies and adds, and what its file says about it.
#[derive(Clone)]
struct Model {
    input: Vec<i64>,
    output: Vec<i64>,
    /// Frames and values a frame that the weights are made for, and their bias, one per class.
    sizes: [i64; 2],
    bias: Vec<f32>,
    metadata: Vec<(&'static str, &'static str)>,
}

/// Two labels, 32 frames of `hand-1`, logits.
fn good() -> Model {
    Model {
        input: vec![1, 32, 210],
        output: vec![1, 2],
        sizes: [32, 210],
        bias: vec![0.5, -1.5],
        metadata: vec![
            ("labels", r#"["yes", "no"]"#),
            ("window", "32"),
            ("features", "hand-1"),
            ("output", "logits"),
        ],
    }
}

impl Model {
    fn say(mut self, key: &'static str, value: &'static str) -> Self {
        self.metadata.retain(|(known, _)| *known != key);
        self.metadata.push((key, value));
        self
    }

    fn unsaid(mut self) -> Self {
        self.metadata.clear();
        self
    }

    fn frames(mut self, window: i64, width: i64) -> Self {
        self.input = vec![1, window, width];
        self.sizes = [window, width];
        self
    }

    fn proto(&self) -> ModelProto {
        let classes = i64::try_from(self.bias.len()).unwrap();
        let values = self.sizes[0] * self.sizes[1];
        let weights = vec![0.0; usize::try_from(values * classes).unwrap()];
        let graph = GraphProto {
            name: "test".to_owned(),
            node: vec![
                NodeProto::new("Flatten", &["frames"], "values"),
                NodeProto::new("Gemm", &["values", "weights", "bias"], "scores"),
            ],
            initializer: vec![
                TensorProto::floats("weights", &[values, classes], &weights),
                TensorProto::floats("bias", &[classes], &self.bias),
            ],
            input: vec![ValueInfoProto::floats("frames", &self.input)],
            output: vec![ValueInfoProto::floats("scores", &self.output)],
        };
        ModelProto::new(graph, 13, self.metadata.iter().copied())
    }
}

/// A classifier whose one node turns its frames into its answer.
fn single(op_type: &str, input: &[i64], output: &[i64]) -> ModelProto {
    let mut proto = good().proto();
    let graph = proto.graph.as_mut().unwrap();
    graph.node = vec![NodeProto::new(op_type, &["frames"], "scores")];
    graph.initializer.clear();
    graph.input = vec![ValueInfoProto::floats("frames", input)];
    graph.output = vec![ValueInfoProto::floats("scores", output)];
    proto
}

fn in_double(mut proto: ModelProto) -> ModelProto {
    let graph = proto.graph.as_mut().unwrap();
    for value in graph.input.iter_mut().chain(&mut graph.output) {
        if let Some(TypeProto { tensor_type: Some(tensor) }) = &mut value.r#type {
            tensor.elem_type = DOUBLE;
        }
    }
    proto
}

/// A tensor whose values lie in another file, field numbers as in `onnx.proto`.
#[derive(Clone, PartialEq, Message)]
struct External {
    #[prost(int64, repeated, packed = "false", tag = "1")]
    dims: Vec<i64>,
    #[prost(int32, tag = "2")]
    data_type: i32,
    #[prost(string, tag = "8")]
    name: String,
    #[prost(message, repeated, tag = "13")]
    external_data: Vec<StringStringEntryProto>,
    #[prost(int32, tag = "14")]
    data_location: i32,
}

#[derive(Clone, PartialEq, Message)]
struct Initializers {
    #[prost(message, repeated, tag = "5")]
    initializer: Vec<External>,
}

#[derive(Clone, PartialEq, Message)]
struct Addition {
    #[prost(message, optional, tag = "7")]
    graph: Option<Initializers>,
}

/// Weights in a file beside the model, as PyTorch writes them by default, which has not been copied along.
fn without_weights(mut proto: ModelProto) -> Vec<u8> {
    proto.graph.as_mut().unwrap().initializer.remove(1);
    let location = StringStringEntryProto { key: "location".to_owned(), value: "signs.onnx.data".to_owned() };
    let bias = External {
        dims: vec![2],
        data_type: 1,
        name: "bias".to_owned(),
        external_data: vec![location],
        data_location: 1,
    };
    // What follows a message is merged into it.
    let addition = Addition { graph: Some(Initializers { initializer: vec![bias] }) };
    [proto.encode_to_vec(), addition.encode_to_vec()].concat()
}

fn with_state(mut proto: ModelProto) -> ModelProto {
    let graph = proto.graph.as_mut().unwrap();
    graph.input.push(ValueInfoProto::floats("state", &[1, 64]));
    proto
}

/// What `check` says of the letter model, and whether everything is in order.
fn check(dir: &Dir, model: &PathBuf, arguments: &[&str]) -> (String, bool) {
    // ONNX Runtime logs what fails, too.
    let (code, output, _log) = run(dactyl(["check", "--model"]).arg(model).args(arguments));
    let section = output.split("letter model\n").nth(1).unwrap().split("\npipelines").next().unwrap();
    let section = section.replace(dir.path().to_str().unwrap(), "DIR");
    (section, code == 0)
}

#[test]
fn every_classifier_that_cannot_be_used_is_refused_with_cause_and_cure() {
    let labelled = |labels| good().say("labels", labels).proto().encode_to_vec();
    let described = |model: Model| model.proto().encode_to_vec();
    let open = |model: Model| Model { input: vec![OPEN; 3], output: vec![OPEN; 2], ..model };
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("nothing is said", described(good().unsaid())),
        ("labels are missing", labelled(r#"["yes"]"#)),
        ("too many labels", labelled(r#"["yes", "no", "perhaps"]"#)),
        ("labels as plain text", labelled("yes, no")),
        ("labels that differ in case", labelled(r#"["Yes", "yes"]"#)),
        ("another window than configured", described(good().frames(30, 210).say("window", "30"))),
        ("another window than described", described(good().frames(30, 210))),
        ("a window that is no number", described(good().say("window", "thirty-two"))),
        ("unknown features", described(good().say("features", "mediapipe"))),
        ("the other features", described(good().frames(32, 1662))),
        ("features that nobody computes", described(good().frames(32, 258))),
        ("an unknown output", described(good().say("output", "scores"))),
        ("logits that are called probabilities", described(good().say("output", "probabilities"))),
        ("an output of NaN", described(Model { bias: vec![f32::NAN, 0.5], ..good() })),
        (
            "four windows at a time",
            described(Model { input: vec![4, 32, 210], output: vec![4, 2], ..good() }),
        ),
        ("a flat window of 30 frames", single("Identity", &[1, 6300], &[1, 6300]).encode_to_vec()),
        ("an answer for every frame", single("Identity", &[1, 32, 210], &[1, 32, 210]).encode_to_vec()),
        ("two inputs", with_state(good().proto()).encode_to_vec()),
        ("double precision", in_double(single("Identity", &[1, 32, 210], &[1, 32, 210])).encode_to_vec()),
        ("open dimensions and too many labels", described(open(good()).say("labels", r#"["a", "b", "c"]"#))),
        ("open dimensions and another window", described(open(good().frames(30, 210)))),
        ("weights in a file that is not there", without_weights(good().proto())),
        ("an operator that there is not", single("Recognise", &[1, 32, 210], &[1, 2]).encode_to_vec()),
        ("a file of text", b"version https://git-lfs.github.com/spec/v1".to_vec()),
        ("half a file", described(good())[..20_000].to_vec()),
        ("an empty file", Vec::new()),
    ];
    let dir = Dir::new();
    let mut said = String::new();
    for (name, bytes) in cases {
        let model = dir.file("signs.onnx", bytes);
        let (section, is_in_order) = check(&dir, &model, &[]);
        assert!(!is_in_order, "{name}: {section}");
        writeln!(said, "# {name}\n{section}\n").unwrap();
    }
    let (section, _) = check(&dir, &dir.path().join("nowhere.onnx"), &[]);
    writeln!(said, "# no file\n{section}").unwrap();
    insta::assert_snapshot!("classifiers_that_cannot_be_used", said);
}

#[test]
fn a_classifier_that_gives_nan_is_refused_by_check_and_at_the_start() {
    let Some(model) = shared("cases/nan.onnx") else { return };
    let problem = "nan.onnx: its output holds NaN or infinities: a window without a person gives [";
    let (section, is_in_order) = check(&Dir::new(), &model, &[]);
    assert!(!is_in_order && section.contains("WRONG") && section.contains(problem), "{section}");
    let (code, output, error) = run(dactyl(["serve", "--listen", "127.0.0.1:0", "--model"]).arg(&model));
    assert_eq!((code, output.as_str()), (1, ""), "{error}");
    assert!(error.contains(problem), "{error}");
}

#[test]
fn classifiers_with_open_dimensions_or_a_description_in_the_configuration_are_taken() {
    let labels = "letters.labels=[\"yes\", \"no\"]";
    let described = ["--set", labels, "--set", "letters.features=hand-1", "--set", "letters.output=logits"];
    let thirty = ["--set", "letters.window=30"];
    let common = good().frames(30, 1662).say("window", "30").say("features", "holistic-1662");
    let with_shapes = |input: &[i64], output: &[i64], model: Model| Model {
        input: input.to_vec(),
        output: output.to_vec(),
        ..model
    };
    let cases: Vec<(&str, Model, &[&str])> = vec![
        ("as described", good(), &[]),
        ("described by the configuration", good().unsaid(), &described),
        ("rows one behind the other", with_shapes(&[1, 6720], &[1, 2], good()), &[]),
        ("an open batch", with_shapes(&[OPEN, 30, 1662], &[OPEN, 2], common.clone()), &thirty),
        ("an open batch and window", with_shapes(&[OPEN, OPEN, 1662], &[OPEN, 2], common.clone()), &thirty),
        ("everything open", with_shapes(&[OPEN; 3], &[OPEN; 2], common), &thirty),
    ];
    let dir = Dir::new();
    let mut said = String::new();
    for (name, model, arguments) in cases {
        let file = dir.file("signs.onnx", model.proto().encode_to_vec());
        let (section, is_in_order) = check(&dir, &file, arguments);
        assert!(is_in_order, "{name}: {section}");
        writeln!(said, "# {name}\n{section}\n").unwrap();
    }
    insta::assert_snapshot!("classifiers_that_can_be_used", said);
}
