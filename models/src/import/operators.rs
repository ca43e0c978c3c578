//! Each TFLite operator in terms of ONNX.

use super::compile::{Compiler, Layout, Value, reshape};
use super::convolution::Kind;
use super::graph::dimensions;
use super::onnx::AttributeProto;

use crate::tflite::settings::{
    Activation, Border, input, missing_input, pads, same_padding, settings, slice, window,
};
use crate::tflite::{Operator, Problem, Result, operator_name};

impl Compiler<'_, '_> {
    /// Translates one operator. All before it that matter have been translated.
    pub(super) fn operator(&mut self, position: usize, operator: &Operator<'_>) -> Result<()> {
        match operator.code {
            0 => self.add(operator),
            2 => self.concatenation(operator),
            3 => self.convolution(operator, Kind::Full),
            4 => self.convolution(operator, Kind::Depthwise),
            5 => self.depth_to_space(operator),
            // Float16 is widened and sparse weights are made dense when they are read.
            6 | 124 => self.constants.forward(operator),
            9 => self.fully_connected(operator),
            14 => self.logistic(operator),
            17 => self.max_pool(operator),
            19 => self.relu(operator, Activation::Relu),
            21 => self.relu(operator, Activation::Relu6),
            22 => self.reshape(operator),
            23 => self.resize_bilinear(operator),
            34 => self.pad(operator),
            40 => self.mean(operator),
            45 => self.strided_slice(operator),
            54 => self.prelu(operator),
            code => Err(Problem::UnknownOperator { position, operator: operator_name(code) }),
        }
    }

    fn add(&mut self, operator: &Operator<'_>) -> Result<()> {
        let activation = Activation::read(&settings(operator, 11)?, 0)?;
        let (first, second) = (input(operator, 0)?, input(operator, 1)?);
        // The order of the operands does not matter, so a constant comes second.
        let (first, second) = if self.constants.contains(first) { (second, first) } else { (first, second) };
        let value = self.value(first)?;
        let (name, other, spare) = if self.constants.contains(second) {
            let (shape, elements) = self.constants.floats(second)?;
            let channels = value.shape.last().copied().unwrap_or(1);
            if elements.len() != 1 && (elements.len() != channels || shape.last() != Some(&channels)) {
                return Err(Problem::Damaged(format!(
                    "a constant of shape {shape:?} is added to {:?}: only one value, or one for each channel, is supported",
                    value.shape
                )));
            }
            let dims = match value.shape.len() {
                4 => vec![elements.len(), 1, 1],
                _ => vec![elements.len()],
            };
            (self.channels_first(&value), self.graph.weights(&dims, &elements), 0)
        } else {
            let other = self.value(second)?;
            if other.shape != value.shape {
                return Err(Problem::Damaged(format!(
                    "{:?} is added to {:?}: only equal shapes are supported",
                    other.shape, value.shape
                )));
            }
            let spare = value.spare.max(other.spare);
            (self.with_spare(&value, spare)?, self.with_spare(&other, spare)?, spare)
        };
        let sum = self.graph.node("Add", &[&name, &other], Vec::new());
        let sum = self.activate(sum, activation);
        self.store_image(operator, sum, value.shape, spare)
    }

    fn concatenation(&mut self, operator: &Operator<'_>) -> Result<()> {
        let settings = settings(operator, 10)?;
        let activation = Activation::read(&settings, 1)?;
        let axis = settings.i32(0)?;
        let values = operator
            .inputs
            .iter()
            .map(|&tensor| self.value(tensor.ok_or_else(missing_input)?))
            .collect::<Result<Vec<_>>>()?;
        let first = values.first().ok_or_else(missing_input)?;
        let rank = first.shape.len();
        let axis = usize::try_from(if axis < 0 { axis + rank as i32 } else { axis })
            .ok()
            .filter(|&axis| axis < rank)
            .ok_or_else(|| Problem::Damaged(format!("it has no axis {axis}")))?;
        let mut shape = first.shape.clone();
        shape[axis] = 0;
        for value in &values {
            let fits = value.shape.len() == rank
                && (0..rank).all(|other| other == axis || value.shape[other] == shape[other]);
            if !fits {
                return Err(Problem::Damaged(format!(
                    "{:?} does not fit to {:?} along axis {axis}",
                    value.shape, first.shape
                )));
            }
            shape[axis] += value.shape[axis];
        }
        let axis = if rank == 4 { [0, 2, 3, 1][axis] } else { axis };
        let names: Vec<String> = values.iter().map(|value| self.channels_first(value)).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let joined = self.graph.node("Concat", &names, vec![AttributeProto::int("axis", axis as i64)]);
        let joined = self.activate(joined, activation);
        self.store_plain(operator, joined, shape, Layout::ChannelsFirst)
    }

    fn depth_to_space(&mut self, operator: &Operator<'_>) -> Result<()> {
        let block = settings(operator, 94)?.step(0)?;
        let value = self.value(input(operator, 0)?)?;
        let [batch, height, width, channels] = value.image()?;
        if !channels.is_multiple_of(block * block) {
            return Err(Problem::Damaged(format!(
                "{channels} channels do not make blocks of {block} x {block}"
            )));
        }
        let shape = vec![batch, height * block, width * block, channels / (block * block)];
        let name = self.channels_first(&value);
        let name = self.graph.node(
            "DepthToSpace",
            &[&name],
            vec![AttributeProto::int("blocksize", block as i64), AttributeProto::string("mode", "DCR")],
        );
        self.store_plain(operator, name, shape, Layout::ChannelsFirst)
    }

    fn fully_connected(&mut self, operator: &Operator<'_>) -> Result<()> {
        let settings = settings(operator, 8)?;
        let activation = Activation::read(&settings, 0)?;
        if settings.i8(1)? != 0 {
            return Err(Problem::Damaged("its weights are in a shuffled format".to_owned()));
        }
        let value = self.value(input(operator, 0)?)?;
        let (shape, weights) = self.constants.floats(input(operator, 1)?)?;
        let &[units, depth] = shape else {
            return Err(Problem::Damaged(format!("its weights have the shape {shape:?}")));
        };
        let count: usize = value.shape.iter().product();
        if depth == 0 || !count.is_multiple_of(depth) {
            return Err(Problem::Damaged(format!(
                "weights of shape {shape:?} do not fit to {:?}",
                value.shape
            )));
        }
        let bias = self.constants.bias(operator, units)?.unwrap_or_else(|| vec![0.0; units]);
        let rows = count / depth;
        let output = if settings.bool(2)? {
            let outer = value.shape.len().saturating_sub(1);
            value.shape[..outer].iter().copied().chain([units]).collect()
        } else {
            vec![rows, units]
        };
        let mut name = self.channels_last(&value);
        if value.shape != [rows, depth] {
            name = reshape(&mut self.graph, &name, &[rows, depth]);
        }
        let weights = self.graph.weights(&[units, depth], &weights);
        let bias = self.graph.weights(&[units], &bias);
        let mut name =
            self.graph.node("Gemm", &[&name, &weights, &bias], vec![AttributeProto::int("transB", 1)]);
        name = self.activate(name, activation);
        if output != [rows, units] {
            name = reshape(&mut self.graph, &name, &output);
        }
        self.store_plain(operator, name, output, Layout::ChannelsLast)
    }

    fn max_pool(&mut self, operator: &Operator<'_>) -> Result<()> {
        let settings = settings(operator, 5)?;
        let same = same_padding(&settings)?;
        let (stride_x, stride_y) = (settings.step(1)?, settings.step(2)?);
        let (window_x, window_y) = (settings.step(3)?, settings.step(4)?);
        let activation = Activation::read(&settings, 5)?;
        let value = self.value(input(operator, 0)?)?;
        let [batch, height, width, channels] = value.image()?;
        let (rows, above, below) = window(height, window_y, stride_y, 1, same)?;
        let (columns, before, after) = window(width, window_x, stride_x, 1, same)?;
        let name = self.channels_first_and_spare(&value);
        let name = self.graph.node(
            "MaxPool",
            &[&name],
            vec![
                AttributeProto::ints("kernel_shape", &dimensions(&[window_y, window_x])),
                AttributeProto::ints("strides", &dimensions(&[stride_y, stride_x])),
                AttributeProto::ints("pads", &dimensions(&[above, before, below, after])),
            ],
        );
        let name = self.activate(name, activation);
        let shape = vec![batch, rows, columns, channels];
        self.store_image(operator, name, shape, value.spare)
    }

    fn logistic(&mut self, operator: &Operator<'_>) -> Result<()> {
        let value = self.value(input(operator, 0)?)?;
        let name = self.channels_first(&value);
        let name = self.graph.node("Sigmoid", &[&name], Vec::new());
        self.store_plain(operator, name, value.shape, Layout::ChannelsFirst)
    }

    fn relu(&mut self, operator: &Operator<'_>, activation: Activation) -> Result<()> {
        let value = self.value(input(operator, 0)?)?;
        let name = self.channels_first_and_spare(&value);
        let name = self.activate(name, activation);
        self.store_image(operator, name, value.shape, value.spare)
    }

    fn reshape(&mut self, operator: &Operator<'_>) -> Result<()> {
        let [output] = operator.outputs.as_slice() else {
            return Err(Problem::Damaged("it must have one output".to_owned()));
        };
        // The wished shape stands in a tensor or in the options, maybe with a -1; the file's own result is the same.
        let shape = self.model.tensors[*output].shape.clone();
        let value = self.value(input(operator, 0)?)?;
        let (from, to) = (value.shape.iter().product::<usize>(), shape.iter().product::<usize>());
        if from != to {
            return Err(Problem::Damaged(format!("it turns the shape {:?} into {shape:?}", value.shape)));
        }
        let name = match value.shape.as_slice() {
            // Both layouts have the elements in the same order.
            [_, 1, 1, _] if value.border == Border::default() && value.spare == 0 => value.name.clone(),
            _ => self.channels_last(&value),
        };
        let name = reshape(&mut self.graph, &name, &shape);
        self.store_plain(operator, name, shape, Layout::ChannelsLast)
    }

    fn resize_bilinear(&mut self, operator: &Operator<'_>) -> Result<()> {
        let settings = settings(operator, 15)?;
        if settings.bool(2)? || !settings.bool(3)? {
            return Err(Problem::Damaged(
                "only half-pixel centres without aligned corners are supported".to_owned(),
            ));
        }
        let value = self.value(input(operator, 0)?)?;
        let [batch, height, width, channels] = value.image()?;
        let size = self.ints(input(operator, 1)?)?;
        let &[rows, columns] = size.as_slice() else {
            return Err(Problem::Damaged(format!("its size is {size:?}")));
        };
        let factor = |from: usize, to: i32| {
            usize::try_from(to)
                .ok()
                .filter(|&to| from > 0 && to > 0 && to.is_multiple_of(from))
                .map(|to| to / from)
                .ok_or_else(|| {
                    Problem::Damaged(format!(
                        "{from} rows or columns become {to}: only whole multiples are supported"
                    ))
                })
        };
        let (down, right) = (factor(height, rows)?, factor(width, columns)?);
        let name = self.channels_first_and_spare(&value);
        let scales = self.graph.weights(&[4], &[1.0, 1.0, down as f32, right as f32]);
        let name = self.graph.node(
            "Resize",
            &[&name, "", &scales],
            vec![
                AttributeProto::string("mode", "linear"),
                AttributeProto::string("coordinate_transformation_mode", "half_pixel"),
            ],
        );
        let shape = vec![batch, height * down, width * right, channels];
        self.store_image(operator, name, shape, value.spare)
    }

    fn pad(&mut self, operator: &Operator<'_>) -> Result<()> {
        let value = self.value(input(operator, 0)?)?;
        let [batch, height, width, channels] = value.image()?;
        let (more_border, more) = pads(&self.ints(input(operator, 1)?)?)?;
        let Border { top, left, bottom, right } = more_border;
        let shape = vec![batch, height + top + bottom, width + left + right, channels + more];
        if more == 0 {
            // Left to the convolutions that read it.
            let border = value.border + more_border;
            return self.store(operator, Value { shape, border, ..value });
        }
        if top + bottom + left + right > 0 {
            return Err(Problem::Damaged(
                "zeros round the image and after the channels at once are not supported".to_owned(),
            ));
        }
        if let Some(spare) = value.spare.checked_sub(more) {
            return self.store(operator, Value { shape, spare, ..value });
        }
        let count = self.image_channels(operator, channels + more);
        let name = self.pick_channels(&value, 0, count)?;
        self.store_image(operator, name, shape, count - channels - more)
    }

    fn mean(&mut self, operator: &Operator<'_>) -> Result<()> {
        let keep = settings(operator, 27)?.bool(0)?;
        let value = self.value(input(operator, 0)?)?;
        let [batch, _, _, channels] = value.image()?;
        let axes = self.ints(input(operator, 1)?)?;
        if axes != [1, 2] {
            return Err(Problem::Damaged(format!(
                "the mean over axes {axes:?} is not supported, only over rows and columns"
            )));
        }
        let name = self.channels_first(&value);
        let name = self.graph.node("GlobalAveragePool", &[&name], Vec::new());
        if keep {
            let shape = vec![batch, 1, 1, channels];
            return self.store_plain(operator, name, shape, Layout::ChannelsFirst);
        }
        let shape = vec![batch, channels];
        let name = reshape(&mut self.graph, &name, &shape);
        self.store_plain(operator, name, shape, Layout::ChannelsLast)
    }

    fn strided_slice(&mut self, operator: &Operator<'_>) -> Result<()> {
        let value = self.value(input(operator, 0)?)?;
        let size = value.image()?;
        let list = |index| self.ints(input(operator, index)?);
        let ranges = slice(operator, size, &list(1)?, &list(2)?, &list(3)?)?;
        let (starts, ends) = (ranges.clone().map(|range| range.start), ranges.clone().map(|range| range.end));
        let shape = ranges.map(|range| range.len()).to_vec();
        let [_, height, width, _] = size;
        let name = if shape[1..3] == [height, width] && shape[0] == size[0] {
            self.pick_channels(&value, starts[3], shape[3])?
        } else {
            let name = self.channels_first(&value);
            let starts = self.graph.ints(&dimensions(&starts));
            let ends = self.graph.ints(&dimensions(&ends));
            // Axes in TFLite's order, by their place in ONNX's.
            let axes = self.graph.ints(&[0, 2, 3, 1]);
            self.graph.node("Slice", &[&name, &starts, &ends, &axes], Vec::new())
        };
        self.store_plain(operator, name, shape, Layout::ChannelsFirst)
    }

    pub(super) fn activate(&mut self, name: String, activation: Activation) -> String {
        match activation {
            Activation::None => name,
            Activation::Relu => self.graph.node("Relu", &[&name], Vec::new()),
            Activation::Relu6 => {
                let (low, high) = (self.graph.scalar(0.0), self.graph.scalar(6.0));
                self.graph.node("Clip", &[&name, &low, &high], Vec::new())
            }
        }
    }
}
