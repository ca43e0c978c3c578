//! Whether a network's tensors are those of a classifier over a window, and what to do where they are not.

use crate::features::Layout;
use crate::metadata::Contract;
use crate::onnx_runtime::TensorInfo;

/// Compares inputs and outputs with what is described, and gives the lengths of the input's dimensions. Dimensions that a
/// network leaves open (-1) fit any length.
///
/// # Errors
/// What is wrong and how to mend it.
pub fn check(
    inputs: &[TensorInfo],
    outputs: &[TensorInfo],
    contract: &Contract,
) -> Result<Vec<usize>, String> {
    let lengths = check_input(one("input", inputs)?, contract)?;
    check_output(one("output", outputs)?, contract)?;
    Ok(lengths)
}

fn one<'a>(kind: &str, tensors: &'a [TensorInfo]) -> Result<&'a TensorInfo, String> {
    let [tensor] = tensors else {
        let names: Vec<&str> = tensors.iter().map(|tensor| tensor.name.as_str()).collect();
        return Err(format!(
            "it has {} {kind}s ({}); a classifier has one: export it without the others, such as an LSTM's states",
            tensors.len(),
            names.join(", ")
        ));
    };
    Ok(tensor)
}

fn check_input(input: &TensorInfo, contract: &Contract) -> Result<Vec<usize>, String> {
    let [batch, window, width] = [1, contract.window, contract.features.width()];
    let cure = match input.shape[..] {
        [has_batch, has_window, has_width] => {
            if !fits(has_batch, batch) {
                "export it for one window at a time, or with an open first dimension".to_owned()
            } else if !fits(has_width, width) {
                cure_for_width(has_width)
            } else if !fits(has_window, window) {
                format!("say `window` = {has_window} in its metadata and set letters.window = {has_window}")
            } else {
                return Ok(vec![batch, window, width]);
            }
        }
        // What knows no windows, such as scikit-learn, takes their rows one behind the other: the same values.
        [has_batch, values] if fits(has_batch, batch) => {
            if fits(values, window * width) {
                return Ok(vec![batch, window * width]);
            }
            format!(
                "train it on windows of {window} frames, {} values, or say another `window`",
                window * width
            )
        }
        _ => "export it so that it takes one window of frames, each a row of features".to_owned(),
    };
    Err(format!(
        "its input `{}` has the shape {}, but [1, {window}, {width}] is what is described (window {window}, features {}); \
         {cure}",
        input.name,
        shown(&input.shape),
        contract.features.as_str()
    ))
}

fn cure_for_width(width: i64) -> String {
    let layouts = Layout::NAMES.iter().filter_map(|name| Layout::from_name(name));
    match layouts.clone().find(|layout| fits(width, layout.width())) {
        Some(layout) => {
            format!(
                "say `features` = `{0}` in its metadata or set letters.features = \"{0}\"",
                layout.as_str()
            )
        }
        None => {
            let known: Vec<String> = layouts
                .map(|layout| format!("{} ({} values a frame)", layout.as_str(), layout.width()))
                .collect();
            format!("no features have {width} values a frame: train it on {}", known.join(" or "))
        }
    }
}

fn check_output(output: &TensorInfo, contract: &Contract) -> Result<(), String> {
    let classes = contract.labels.len();
    let cure = match output.shape[..] {
        [batch, has_classes] if fits(batch, 1) => {
            if fits(has_classes, classes) {
                return Ok(());
            }
            format!(
                "name a label for each of its {has_classes} outputs, in their order, in `labels` of its metadata or in \
                 letters.labels"
            )
        }
        [_, _] => "export it for one window at a time, or with an open first dimension".to_owned(),
        _ => "export it so that it gives one row of values for a window, not one for every frame".to_owned(),
    };
    Err(format!(
        "its output `{}` has the shape {}, but [1, {classes}] is what is described (labels: {classes}); {cure}",
        output.name,
        shown(&output.shape)
    ))
}

fn fits(has: i64, wanted: usize) -> bool {
    has < 0 || usize::try_from(has) == Ok(wanted)
}

/// A shape with `?` for open dimensions.
fn shown(shape: &[i64]) -> String {
    let lengths: Vec<String> =
        shape.iter().map(|length| if *length < 0 { "?".to_owned() } else { length.to_string() }).collect();
    format!("[{}]", lengths.join(", "))
}
