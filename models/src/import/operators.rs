//! Each TFLite operator in terms of ONNX.

use super::Problem;
use super::compile::{Border, Compiler, Layout, Place, Result, Value, reshape};
use super::flatbuffer::Table;
use super::graph::dimensions;
use super::names::operator_name;
use super::onnx::AttributeProto;
use super::tflite::Operator;

/// Largest stride, dilation or window length that is believed.
const MAX_STEP: i32 = 1024;
/// With no more channels than this, an input image is convolved as one channel of `width * channels` columns.
const MAX_FLAT_CHANNELS: usize = 4;

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
            6 | 124 => self.same_constant(operator),
            9 => self.fully_connected(operator),
            14 => self.elementwise(operator, "Sigmoid"),
            17 => self.max_pool(operator),
            19 => self.elementwise(operator, "Relu"),
            21 => self.relu6(operator),
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
        let (first, second) = if self.constant(first).is_some() { (second, first) } else { (first, second) };
        let value = self.value(first)?;
        let (name, other) = if self.constant(second).is_some() {
            let (shape, elements) = self.floats(second)?;
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
            (self.channels_first(&value), self.graph.weights(&dims, &elements))
        } else {
            let other = self.value(second)?;
            if other.shape != value.shape {
                return Err(Problem::Damaged(format!(
                    "{:?} is added to {:?}: only equal shapes are supported",
                    other.shape, value.shape
                )));
            }
            (self.channels_first(&value), self.channels_first(&other))
        };
        let sum = self.graph.node("Add", &[&name, &other], Vec::new());
        let sum = self.activate(sum, activation);
        self.store_plain(operator, sum, value.shape, Layout::ChannelsFirst)
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

    fn convolution(&mut self, operator: &Operator<'_>, kind: Kind) -> Result<()> {
        let settings = settings(operator, kind.settings())?;
        let same = same_padding(&settings)?;
        let (stride_x, stride_y) = (settings.step(1)?, settings.step(2)?);
        let (activation, dilations) = match kind {
            Kind::Full => (3, [5, 4]),
            Kind::Depthwise => (4, [6, 5]),
        };
        let activation = Activation::read(&settings, activation)?;
        let dilation_y = settings.step_or(dilations[0], 1)?;
        let dilation_x = settings.step_or(dilations[1], 1)?;

        let value = self.value(input(operator, 0)?)?;
        let [batch, height, width, channels] = value.image()?;
        let (shape, weights) = self.floats(input(operator, 1)?)?;
        let &[outer, kernel_y, kernel_x, inner] = shape else {
            return Err(Problem::Damaged(format!("its weights have the shape {shape:?}")));
        };
        // Weights: output channel, row, column, input channel; depthwise 1, row, column, channel.
        let (filters, fits) = match kind {
            Kind::Full => (outer, inner == channels),
            Kind::Depthwise => (inner, outer == 1 && channels > 0 && inner.is_multiple_of(channels)),
        };
        if !fits {
            return Err(Problem::Damaged(format!(
                "weights of shape {shape:?} do not fit to {channels} channels"
            )));
        }
        let bias = match operator.inputs.get(2) {
            Some(&Some(bias)) => Some(self.floats(bias)?.1),
            _ => None,
        };
        if bias.as_ref().is_some_and(|bias| bias.len() != filters) {
            return Err(Problem::Damaged(format!("its bias is not of {filters} values")));
        }
        let (rows, above, below) = window(height, kernel_y, stride_y, dilation_y, same)?;
        let (columns, before, after) = window(width, kernel_x, stride_x, dilation_x, same)?;
        let output = vec![batch, rows, columns, filters];

        // A border of zeros is what the convolution's own padding adds.
        let border = value.border;
        let mut pads =
            [border.top + above, border.left + before, border.bottom + below, border.right + after];
        let bare = Value {
            border: Border::default(),
            shape: vec![
                batch,
                height - border.top - border.bottom,
                width - border.left - border.right,
                channels,
            ],
            ..value
        };
        let mut strides = [stride_y, stride_x];
        let mut kernel = [kernel_y, kernel_x];
        let flat = kind == Kind::Full
            && bare.layout == Layout::ChannelsLast
            && channels <= MAX_FLAT_CHANNELS
            && dilation_x == 1;
        let (image, dims, weights, groups) = if flat {
            // The channels of a pixel lie side by side, so the image as it is can be read as a picture of one channel
            // and `channels` times the columns, with weights just as they lie: no transpose.
            strides[1] *= channels;
            kernel[1] *= channels;
            pads[1] *= channels;
            pads[3] *= channels;
            let shape = [batch, 1, bare.shape[1], bare.shape[2] * channels];
            let image = reshape(&mut self.graph, &bare.name, &shape);
            (image, [filters, 1, kernel[0], kernel[1]], weights, 1)
        } else {
            let (inner, groups) = match kind {
                Kind::Full => (channels, 1),
                Kind::Depthwise => (1, channels),
            };
            let dims = [filters, inner, kernel_y, kernel_x];
            let weights = match kind {
                Kind::Full => channels_to_second(&weights, filters, kernel_y * kernel_x, channels),
                Kind::Depthwise => channels_to_second(&weights, 1, kernel_y * kernel_x, filters),
            };
            (self.channels_first(&bare), dims, weights, groups)
        };
        let name = self.conv(
            &image,
            &dims,
            &weights,
            bias.as_deref(),
            vec![
                AttributeProto::ints("kernel_shape", &dimensions(&kernel)),
                AttributeProto::ints("strides", &dimensions(&strides)),
                AttributeProto::ints("pads", &dimensions(&pads)),
                AttributeProto::ints("dilations", &dimensions(&[dilation_y, dilation_x])),
                AttributeProto::int("group", groups as i64),
            ],
        );
        let name = self.activate(name, activation);
        self.store_plain(operator, name, output, Layout::ChannelsFirst)
    }

    fn conv(
        &mut self,
        image: &str,
        dims: &[usize],
        weights: &[f32],
        bias: Option<&[f32]>,
        attributes: Vec<AttributeProto>,
    ) -> String {
        let weights = self.graph.weights(dims, weights);
        let mut inputs = vec![image, &weights];
        let bias = bias.map(|bias| self.graph.weights(&[bias.len()], bias));
        inputs.extend(bias.as_deref());
        self.graph.node("Conv", &inputs, attributes)
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

    fn same_constant(&mut self, operator: &Operator<'_>) -> Result<()> {
        let source = self.constant(input(operator, 0)?).ok_or_else(|| {
            Problem::Damaged("only constants may be stored as float16 or sparse".to_owned())
        })?;
        let [output] = operator.outputs.as_slice() else {
            return Err(Problem::Damaged("it must have one output".to_owned()));
        };
        let (from, to) = (&self.model.tensors[source].shape, &self.model.tensors[*output].shape);
        if from != to {
            return Err(Problem::Damaged(format!("it turns the shape {from:?} into {to:?}")));
        }
        self.places[*output] = Place::Constant(source);
        Ok(())
    }

    fn fully_connected(&mut self, operator: &Operator<'_>) -> Result<()> {
        let settings = settings(operator, 8)?;
        let activation = Activation::read(&settings, 0)?;
        if settings.i8(1)? != 0 {
            return Err(Problem::Damaged("its weights are in a shuffled format".to_owned()));
        }
        let value = self.value(input(operator, 0)?)?;
        let (shape, weights) = self.floats(input(operator, 1)?)?;
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
        let bias = match operator.inputs.get(2) {
            Some(&Some(bias)) => self.floats(bias)?.1,
            _ => vec![0.0; units],
        };
        if bias.len() != units {
            return Err(Problem::Damaged(format!("its bias is not of {units} values")));
        }
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
        let name = self.channels_first(&value);
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
        self.store_plain(operator, name, shape, Layout::ChannelsFirst)
    }

    fn elementwise(&mut self, operator: &Operator<'_>, onnx: &str) -> Result<()> {
        let value = self.value(input(operator, 0)?)?;
        let name = self.channels_first(&value);
        let name = self.graph.node(onnx, &[&name], Vec::new());
        self.store_plain(operator, name, value.shape, Layout::ChannelsFirst)
    }

    fn relu6(&mut self, operator: &Operator<'_>) -> Result<()> {
        let value = self.value(input(operator, 0)?)?;
        let name = self.channels_first(&value);
        let name = self.activate(name, Activation::Relu6);
        self.store_plain(operator, name, value.shape, Layout::ChannelsFirst)
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
            [_, 1, 1, _] if value.border == Border::default() => value.name.clone(),
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
        let name = self.channels_first(&value);
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
        self.store_plain(operator, name, shape, Layout::ChannelsFirst)
    }

    fn pad(&mut self, operator: &Operator<'_>) -> Result<()> {
        let value = self.value(input(operator, 0)?)?;
        let [batch, height, width, channels] = value.image()?;
        let pads = self
            .ints(input(operator, 1)?)?
            .into_iter()
            .map(|pad| usize::try_from(pad).ok().filter(|&pad| pad < 1 << 16))
            .collect::<Option<Vec<_>>>()
            .unwrap_or_default();
        let &[0, 0, top, bottom, left, right, 0, more] = pads.as_slice() else {
            return Err(Problem::Damaged(
                "only zeros round the image and after the channels are supported".to_owned(),
            ));
        };
        let shape = vec![batch, height + top + bottom, width + left + right, channels + more];
        if more == 0 {
            // Left to the convolutions that read it.
            let border = Border {
                top: value.border.top + top,
                left: value.border.left + left,
                bottom: value.border.bottom + bottom,
                right: value.border.right + right,
            };
            return self.store(operator, Value { shape, border, ..value });
        }
        if top + bottom + left + right > 0 {
            return Err(Problem::Damaged(
                "zeros round the image and after the channels at once are not supported".to_owned(),
            ));
        }
        let name = self.pick_channels(&value, channels, 0, channels + more);
        self.store_plain(operator, name, shape, Layout::ChannelsFirst)
    }

    /// Channels `first..` of an image as the first of `count` channels, zeros after the last one: a 1 x 1 convolution
    /// with a one for each channel that is kept. ONNX Runtime would leave its blocked layout for a Pad or a Slice.
    fn pick_channels(&mut self, value: &Value, channels: usize, first: usize, count: usize) -> String {
        let mut weights = vec![0.0; count * channels];
        for (row, channel) in (first..channels).enumerate().take(count) {
            weights[row * channels + channel] = 1.0;
        }
        let name = self.channels_first(value);
        let kernel = vec![AttributeProto::ints("kernel_shape", &[1, 1])];
        self.conv(&name, &[count, channels, 1, 1], &weights, None, kernel)
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
        let settings = settings(operator, 32)?;
        let (begin_mask, end_mask) = (settings.i32(0)?, settings.i32(1)?);
        if settings.i32(2)? != 0 || settings.i32(3)? != 0 || settings.i32(4)? != 0 || settings.bool(5)? {
            return Err(Problem::Damaged(
                "ellipses, new axes, dropped axes and offsets are not supported".to_owned(),
            ));
        }
        let value = self.value(input(operator, 0)?)?;
        let size = value.image()?;
        let begin = self.ints(input(operator, 1)?)?;
        let end = self.ints(input(operator, 2)?)?;
        let strides = self.ints(input(operator, 3)?)?;
        if begin.len() != 4 || end.len() != 4 || strides != [1; 4] {
            return Err(Problem::Damaged(format!(
                "the slice from {begin:?} to {end:?} in steps of {strides:?} is not supported, only steps of 1"
            )));
        }
        let (mut starts, mut ends) = ([0; 4], [0; 4]);
        let mut shape = Vec::new();
        for axis in 0..4 {
            let place = |masked: bool, at: i32, otherwise: usize| {
                if masked {
                    return otherwise;
                }
                let length = size[axis] as i64;
                let at = i64::from(at);
                let at = if at < 0 { at + length } else { at };
                at.clamp(0, length) as usize
            };
            starts[axis] = place(begin_mask & (1 << axis) != 0, begin[axis], 0);
            ends[axis] = place(end_mask & (1 << axis) != 0, end[axis], size[axis]);
            shape.push(ends[axis].saturating_sub(starts[axis]));
        }
        let [_, height, width, channels] = size;
        let name = if shape[1..3] == [height, width] && shape[0] == size[0] {
            self.pick_channels(&value, channels, starts[3], shape[3])
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

    /// `prelu(x) = a x + (1 - a) relu(x)`, each product a depthwise 1 x 1 convolution: ONNX Runtime has no PRelu in its
    /// blocked layout and would leave and enter it around each one. With no slope above 1, `(1 - a) relu(x)` is
    /// `relu((1 - a) x)`, and ONNX Runtime makes that one step.
    fn prelu(&mut self, operator: &Operator<'_>) -> Result<()> {
        let value = self.value(input(operator, 0)?)?;
        let [_, _, _, channels] = value.image()?;
        let (shape, slope) = self.floats(input(operator, 1)?)?;
        if slope.len() != channels || shape.last() != Some(&channels) {
            return Err(Problem::Damaged(format!(
                "slopes of shape {shape:?} are not one for each of {channels} channels"
            )));
        }
        let name = self.channels_first(&value);
        let rest: Vec<f32> = slope.iter().map(|slope| 1.0 - slope).collect();
        let positive = if rest.iter().all(|&rest| rest >= 0.0) {
            let scaled = self.scale_channels(&name, &rest);
            self.graph.node("Relu", &[&scaled], Vec::new())
        } else {
            let positive = self.graph.node("Relu", &[&name], Vec::new());
            self.scale_channels(&positive, &rest)
        };
        let negative = self.scale_channels(&name, &slope);
        let name = self.graph.node("Add", &[&negative, &positive], Vec::new());
        self.store_plain(operator, name, value.shape, Layout::ChannelsFirst)
    }

    fn scale_channels(&mut self, name: &str, factors: &[f32]) -> String {
        let channels = factors.len();
        self.conv(
            name,
            &[channels, 1, 1, 1],
            factors,
            None,
            vec![
                AttributeProto::ints("kernel_shape", &[1, 1]),
                AttributeProto::int("group", channels as i64),
            ],
        )
    }

    fn activate(&mut self, name: String, activation: Activation) -> String {
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

/// The two convolutions.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Every output channel reads every input channel.
    Full,
    /// Every output channel reads one input channel.
    Depthwise,
}

impl Kind {
    /// Which table of options it has.
    fn settings(self) -> u8 {
        match self {
            Self::Full => 1,
            Self::Depthwise => 2,
        }
    }
}

/// What an operator does to its result at the end.
#[derive(Clone, Copy)]
enum Activation {
    None,
    Relu,
    Relu6,
}

impl Activation {
    fn read(settings: &Settings<'_>, slot: usize) -> Result<Self> {
        match settings.i8(slot)? {
            0 => Ok(Self::None),
            1 => Ok(Self::Relu),
            3 => Ok(Self::Relu6),
            other => Err(Problem::Damaged(format!("the fused activation {other} is not supported"))),
        }
    }
}

/// The options of an operator; one without a table has all at their defaults.
struct Settings<'a>(Option<Table<'a>>);

/// The options, which must be the table that goes with the operator.
fn settings<'a>(operator: &Operator<'a>, kind: u8) -> Result<Settings<'a>> {
    if operator.options.is_some() && operator.options_kind != kind {
        return Err(Problem::Damaged(format!(
            "its options are of the kind {} instead of {kind}",
            operator.options_kind
        )));
    }
    Ok(Settings(operator.options))
}

impl Settings<'_> {
    fn i8(&self, slot: usize) -> Result<i8> {
        self.0.map_or(Ok(0), |table| table.i8(slot))
    }

    fn bool(&self, slot: usize) -> Result<bool> {
        self.0.map_or(Ok(false), |table| table.bool(slot))
    }

    fn i32(&self, slot: usize) -> Result<i32> {
        self.0.map_or(Ok(0), |table| table.i32_or(slot, 0))
    }

    fn step(&self, slot: usize) -> Result<usize> {
        self.step_or(slot, 0)
    }

    /// A stride, a dilation or a length: from 1 on.
    fn step_or(&self, slot: usize, default: i32) -> Result<usize> {
        let step = self.0.map_or(Ok(default), |table| table.i32_or(slot, default))?;
        if (1..=MAX_STEP).contains(&step) {
            Ok(step as usize)
        } else {
            Err(Problem::Damaged(format!("it has a stride, dilation or length of {step}")))
        }
    }
}

fn same_padding(settings: &Settings<'_>) -> Result<bool> {
    match settings.i8(0)? {
        0 => Ok(true),
        1 => Ok(false),
        other => Err(Problem::Damaged(format!("it has the unknown padding {other}"))),
    }
}

/// Length of the result of a sliding window, and the padding before and after: TensorFlow's SAME puts the odd one
/// after, VALID pads nothing.
fn window(
    length: usize,
    kernel: usize,
    stride: usize,
    dilation: usize,
    same: bool,
) -> Result<(usize, usize, usize)> {
    let reach = kernel
        .checked_sub(1)
        .map(|steps| steps * dilation + 1)
        .ok_or_else(|| Problem::Damaged("its window is empty".to_owned()))?;
    if same {
        let count = length.div_ceil(stride);
        let padding = (count.saturating_sub(1) * stride + reach).saturating_sub(length);
        return Ok((count, padding / 2, padding - padding / 2));
    }
    let room = length
        .checked_sub(reach)
        .ok_or_else(|| Problem::Damaged(format!("a window of {reach} does not fit into {length}")))?;
    Ok((room / stride + 1, 0, 0))
}

/// `outer x places x channels` to `outer x channels x places`.
fn channels_to_second(weights: &[f32], outer: usize, places: usize, channels: usize) -> Vec<f32> {
    let mut turned = Vec::with_capacity(weights.len());
    for block in weights.chunks_exact((places * channels).max(1)).take(outer) {
        for channel in 0..channels {
            turned.extend(block.iter().skip(channel).step_by(channels.max(1)));
        }
    }
    turned
}

fn input(operator: &Operator<'_>, index: usize) -> Result<usize> {
    operator.inputs.get(index).copied().flatten().ok_or_else(missing_input)
}

fn missing_input() -> Problem {
    Problem::Damaged("it lacks an input".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_padding_puts_the_odd_pixel_after() {
        assert_eq!(window(224, 3, 2, 1, true), Ok((112, 0, 1)));
        assert_eq!(window(7, 5, 1, 1, true), Ok((7, 2, 2)));
        assert_eq!(window(28, 5, 2, 1, true), Ok((14, 1, 2)));
        assert_eq!(window(8, 2, 2, 1, true), Ok((4, 0, 0)));
        assert_eq!(window(9, 3, 1, 2, true), Ok((9, 2, 2)));
    }

    #[test]
    fn valid_padding_pads_nothing() {
        assert_eq!(window(226, 3, 2, 1, false), Ok((112, 0, 0)));
        assert_eq!(window(3, 3, 3, 1, false), Ok((1, 0, 0)));
        assert!(window(2, 3, 1, 1, false).is_err());
        assert!(window(2, 0, 1, 1, false).is_err());
    }

    #[test]
    fn weights_are_turned_to_channels_first() {
        let weights = [1.0, 10.0, 2.0, 20.0, 3.0, 30.0, 4.0, 40.0];
        assert_eq!(channels_to_second(&weights, 2, 2, 2), [1.0, 2.0, 10.0, 20.0, 3.0, 4.0, 30.0, 40.0]);
    }
}
