//! From the operators of a TFLite file to the steps of a run and the pictures between them.

use std::ops::Range;

use crate::dense::Dense;
use crate::depthwise::Depthwise;
use crate::epilogue::{Activation, Epilogue};
use crate::image::Image;
use crate::pool::{MaxPool, Mean};
use crate::problem::{Problem, Result};
use crate::rearrange::{Crop, DepthToSpace};
use crate::resize::Resize;
use crate::sum::Sum;
use crate::tflite::{
    Constants, FusedActivation, Model, Op, Operator, Padding, SliceMasks, Windows, elements, pads, slice,
    window,
};

/// One layer.
#[derive(Debug)]
pub(super) enum Step {
    Dense(Dense),
    Depthwise(Depthwise),
    Sum(Sum),
    MaxPool(MaxPool),
    Mean(Mean),
    Resize(Resize),
    Crop(Crop),
    DepthToSpace(DepthToSpace),
}

impl Step {
    /// The picture that it makes.
    pub(super) fn output(&self) -> usize {
        match self {
            Self::Dense(step) => step.output,
            Self::Depthwise(step) => step.output,
            Self::Sum(step) => step.output,
            Self::MaxPool(step) => step.output,
            Self::Mean(step) => step.output,
            Self::Resize(step) => step.output,
            Self::Crop(step) => step.output,
            Self::DepthToSpace(step) => step.output,
        }
    }

    /// The pictures that it reads.
    pub(super) fn inputs(&self) -> [Option<usize>; 2] {
        match self {
            Self::Dense(step) => [Some(step.input), step.epilogue.residual],
            Self::Depthwise(step) => [Some(step.input), None],
            Self::Sum(step) => [Some(step.input), step.other],
            Self::MaxPool(step) => [Some(step.input), None],
            Self::Mean(step) => [Some(step.input), None],
            Self::Resize(step) => [Some(step.input), None],
            Self::Crop(step) => [Some(step.input), None],
            Self::DepthToSpace(step) => [Some(step.input), None],
        }
    }

    /// What a convolution reads of its input.
    pub(super) fn window(&self) -> Option<Window> {
        match self {
            Self::Dense(step) => Some(step.window()),
            Self::Depthwise(step) => Some(step.window()),
            _ => None,
        }
    }

    /// Values of its weights.
    fn weights(&self) -> usize {
        match self {
            Self::Dense(step) => step.weights(),
            Self::Depthwise(step) => step.weights(),
            _ => 0,
        }
    }

    /// What it does to its sums, if more can be appended to it.
    fn open_epilogue(&mut self) -> Option<&mut Epilogue> {
        let epilogue = match self {
            Self::Dense(step) => &mut step.epilogue,
            Self::Depthwise(step) => &mut step.epilogue,
            _ => return None,
        };
        matches!(epilogue.then, Activation::None).then_some(epilogue)
    }
}

/// What a row of a convolution's result reads.
#[derive(Clone, Copy, Debug)]
pub(super) struct Window {
    /// Rows.
    pub(super) rows: usize,
    /// Rows from one window to the next.
    pub(super) down: usize,
    /// Rows above the picture at which the first window begins.
    pub(super) above: usize,
    pub(super) depthwise: bool,
}

/// What an output's values are: pictures one after the other, pixel by pixel.
#[derive(Debug)]
pub(super) struct Output {
    pub(super) pictures: Vec<usize>,
    /// Whether the logistic function is applied to them.
    pub(super) logistic: bool,
}

/// Values of the pictures within a strip, so that they stay in a core's own cache, with the weights beside them.
const STRIP: usize = 40_000;

/// Most steps of a strip.
pub(super) const LONGEST_STRIP: usize = 8;

/// Steps that run together.
#[derive(Debug)]
pub(super) struct Strip {
    pub(super) steps: Range<usize>,
    /// Rows of the last one's picture that are made at a time.
    pub(super) rows: usize,
}

/// A network as steps.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) images: Vec<Image>,
    /// The pictures of the network's inputs.
    pub(super) inputs: Vec<usize>,
    pub(super) steps: Vec<Step>,
    /// The steps in turn: those of a strip each make what the next one reads, some rows at a time.
    pub(super) strips: Vec<Strip>,
    pub(super) outputs: Vec<Output>,
    /// Values that all pictures take together.
    pub(super) values: usize,
}

impl Plan {
    /// Plans what the outputs that are not pruned need, for vectors of `lanes` values.
    pub(super) fn new(model: &Model<'_>, pruned: &[usize], lanes: usize) -> Result<Self> {
        let outputs = model.kept_outputs(pruned)?;
        let needed = model.needed_operators(&outputs);
        let mut readers = vec![0; model.tensors.len()];
        let reading = model.operators.iter().zip(&needed).filter(|(_, needed)| **needed);
        for &tensor in reading.flat_map(|(operator, _)| operator.inputs.iter().flatten()).chain(&outputs) {
            readers[tensor] += 1;
        }
        let mut planner = Planner {
            model,
            constants: Constants::new(model),
            lanes,
            readers,
            images: Vec::new(),
            steps: Vec::new(),
            values: model.tensors.iter().map(|_| Value::Nothing).collect(),
        };
        let inputs =
            model.inputs.iter().map(|&tensor| planner.network_input(tensor)).collect::<Result<_>>()?;
        for (position, operator) in model.operators.iter().enumerate().filter(|(at, _)| needed[*at]) {
            planner
                .operator(position, operator)
                .map_err(|problem| problem.in_operator(position, &operator.name))?;
        }
        let outputs = outputs.iter().map(|&tensor| planner.network_output(tensor)).collect::<Result<_>>()?;
        let Planner { images, steps, .. } = planner;
        let mut plan = Self { images, inputs, steps, strips: Vec::new(), outputs, values: 0 };
        plan.cut_strips();
        plan.place_images();
        elements(&[plan.values])
            .ok_or_else(|| Problem::Damaged("its pictures are beyond all reason".to_owned()))?;
        Ok(plan)
    }

    /// Has convolutions that follow each other run together, some rows at a time, where the pictures between them are too
    /// large for a core's own cache.
    fn cut_strips(&mut self) {
        let mut readers = vec![0; self.images.len()];
        let outputs = self.outputs.iter().flat_map(|output| output.pictures.iter().copied());
        for image in self.steps.iter().flat_map(|step| step.inputs().into_iter().flatten()).chain(outputs) {
            readers[image] += 1;
        }
        // What only one step reads is made right before it.
        for at in (0..self.steps.len()).rev() {
            let made = |image: usize| self.steps.iter().position(|step| step.output() == image);
            if let Some(image) = self.steps[at].inputs()[0].filter(|&image| readers[image] == 1)
                && let Some(from) = made(image)
            {
                let step = self.steps.remove(from);
                self.steps.insert(at - 1, step);
            }
        }
        let mut start = 0;
        while start < self.steps.len() {
            let mut end = start + 1;
            while end < self.steps.len().min(start + LONGEST_STRIP)
                && self.steps[end - 1].window().is_some()
                && self.steps[end].window().is_some_and(|window| window.rows == 1 || window.depthwise)
                && self.steps[end].inputs()[0] == Some(self.steps[end - 1].output())
                && readers[self.steps[end - 1].output()] == 1
                && self.images[self.steps[end - 1].output()].len() > STRIP
            {
                end += 1;
            }
            let rows = self.strip(start..end);
            let height = |at: usize| self.images[self.steps[at].output()].height;
            if rows < height(end - 1) {
                self.strips.push(Strip { steps: start..end, rows });
            } else {
                let alone = (start..end).map(|at| Strip { steps: at..at + 1, rows: height(at) });
                self.strips.extend(alone);
            }
            start = end;
        }
    }

    /// Chooses how many rows at a time a strip's last picture is made, and keeps only as many of the others as that needs.
    fn strip(&mut self, steps: Range<usize>) -> usize {
        let height = self.images[self.steps[steps.end - 1].output()].height;
        // The pictures but the last one, with the rows between the first and the last that are needed at a time.
        let kept = |rows: usize| -> Vec<(usize, usize)> {
            let mut needed = rows;
            let inner = steps.clone().skip(1).rev().filter_map(|at| {
                let window = self.steps[at].window()?;
                needed = (needed - 1) * window.down + window.rows;
                Some((self.steps[at - 1].output(), needed))
            });
            inner.collect()
        };
        let values = |kept: &[(usize, usize)]| -> usize {
            kept.iter()
                .map(|&(image, rows)| {
                    let image = &self.images[image];
                    rows.min(image.rows()) * image.row() * image.planes()
                })
                .sum()
        };
        let rows = (1..=height).rev().find(|&rows| values(&kept(rows)) <= STRIP).unwrap_or(1);
        // Every strip reads the weights again; without strips, the pictures between are written and read again.
        let weights: usize = self.steps[steps.clone()].iter().map(Step::weights).sum();
        if (height.div_ceil(rows) - 1) * weights > 2 * values(&kept(height)) {
            return height;
        }
        for (image, rows) in kept(rows) {
            let image = &mut self.images[image];
            image.kept = Some(rows).filter(|&rows| rows < image.rows());
        }
        rows
    }

    /// Gives each picture a place that no other one takes from the step that makes it to the last one that reads it. The
    /// largest go first, each as far in front as it fits: so layers of a kind use the same values in turn, which the
    /// caches still hold.
    fn place_images(&mut self) {
        let mut uses: Vec<Option<Range<usize>>> = vec![None; self.images.len()];
        let mut use_of = |image: usize, steps: Range<usize>| {
            let known = uses[image].clone().unwrap_or(steps.clone());
            uses[image] = Some(known.start.min(steps.start)..known.end.max(steps.end));
        };
        for &image in &self.inputs {
            use_of(image, 0..1);
        }
        for strip in &self.strips {
            // All pictures of a strip are in use until its end.
            for step in &self.steps[strip.steps.clone()] {
                for image in step.inputs().into_iter().flatten().chain([step.output()]) {
                    use_of(image, strip.steps.clone());
                }
            }
        }
        for &image in self.outputs.iter().flat_map(|output| &output.pictures) {
            use_of(image, self.steps.len()..self.steps.len() + 1);
        }
        let mut order: Vec<usize> = (0..self.images.len()).collect();
        order.sort_by_key(|&image| std::cmp::Reverse(self.images[image].len()));
        let mut placed: Vec<(Range<usize>, Range<usize>)> = Vec::new();
        for image in order {
            let Some(steps) = uses[image].clone() else { continue };
            let length = self.images[image].len();
            let mut taken: Vec<Range<usize>> = placed
                .iter()
                .filter(|(other, _)| other.start < steps.end && steps.start < other.end)
                .map(|(_, place)| place.clone())
                .collect();
            taken.sort_by_key(|place| place.start);
            let mut first = 0;
            for place in taken {
                if first + length <= place.start {
                    break;
                }
                first = first.max(place.end);
            }
            self.images[image].first = first;
            self.values = self.values.max(first + length);
            placed.push((steps, first..first + length));
        }
    }
}

/// What stands for a tensor.
#[derive(Clone, Debug)]
enum Value {
    /// Not computed (yet), or a constant.
    Nothing,
    /// A picture; zeros round it and after its channels that the tensor has and the picture has not.
    Picture { image: usize, border: Padding, more_channels: usize },
    /// Pictures one after the other in another shape: good for outputs only.
    Joined { pictures: Vec<usize>, logistic: bool },
}

struct Planner<'m, 'a> {
    model: &'m Model<'a>,
    constants: Constants<'m, 'a>,
    lanes: usize,
    /// By tensor, how many operators and outputs read it.
    readers: Vec<usize>,
    images: Vec<Image>,
    steps: Vec<Step>,
    /// By tensor.
    values: Vec<Value>,
}

impl Planner<'_, '_> {
    fn network_input(&mut self, tensor: usize) -> Result<usize> {
        let &[1, height, width, channels] = self.model.tensors[tensor].shape.as_slice() else {
            return Err(Problem::Damaged("its input is not one picture".to_owned()));
        };
        let image = self.image([height, width, channels], channels)?;
        self.values[tensor] = Value::Picture { image, border: Padding::default(), more_channels: 0 };
        Ok(image)
    }

    fn network_output(&self, tensor: usize) -> Result<Output> {
        let (pictures, logistic) = self.joined(tensor)?;
        Ok(Output { pictures, logistic })
    }

    fn operator(&mut self, position: usize, operator: &Operator) -> Result<()> {
        match &operator.op {
            Op::Add { activation } => self.add(operator, *activation),
            Op::Concatenation { axis, activation } => self.concatenation(operator, *axis, *activation),
            Op::Conv2d { windows, activation } => self.convolution(operator, *windows, *activation),
            Op::DepthwiseConv2d { windows, activation } => {
                self.depthwise_convolution(operator, *windows, *activation)
            }
            Op::DepthToSpace { block } => self.depth_to_space(operator, *block),
            // Float16 is widened and sparse weights are made dense when they are read.
            Op::Dequantize | Op::Densify => self.constants.forward(operator),
            Op::FullyConnected { activation } => self.fully_connected(operator, *activation),
            Op::Logistic => self.logistic(operator),
            Op::MaxPool2d { windows, kernel, activation } => {
                self.max_pool(operator, *windows, *kernel, *activation)
            }
            Op::Mean => self.mean(operator),
            Op::Pad => self.pad(operator),
            Op::Prelu => self.prelu(operator),
            Op::Relu => self.activation(operator, activation(FusedActivation::Relu)),
            Op::Relu6 => self.activation(operator, activation(FusedActivation::Relu6)),
            Op::Reshape => self.reshape(operator),
            Op::ResizeBilinear => self.resize_bilinear(operator),
            Op::StridedSlice(masks) => self.strided_slice(operator, *masks),
            Op::Unknown(name) => Err(Problem::UnknownOperator { position, operator: name.clone() }),
        }
    }

    fn convolution(&mut self, operator: &Operator, windows: Windows, fused: FusedActivation) -> Result<()> {
        let (shape, weights) = self.constants.floats(operator.input(1)?)?;
        let &[filters, rows, columns, channels] = shape else {
            return Err(Problem::Damaged(format!("its weights have the shape {shape:?}")));
        };
        let stride = windows.stride;
        let windows = self.windows(operator, [rows, columns], windows)?;
        if channels != self.images[windows.input].channels {
            return Err(Problem::Damaged(format!("weights of shape {shape:?} do not fit to its input")));
        }
        let bias = self.constants.bias(operator, filters)?.unwrap_or_else(|| vec![0.0; filters]);
        let image = self.picture([windows.size[0], windows.size[1], filters])?;
        self.steps.push(Step::Dense(Dense::new(
            self.lanes,
            [windows.input, image],
            &weights,
            [rows, columns, channels],
            self.images[windows.input].block,
            &bias,
            [stride, windows.pads],
            Epilogue::new(activation(fused)),
        )));
        self.store_picture(operator, image)
    }

    fn depthwise_convolution(
        &mut self,
        operator: &Operator,
        windows: Windows,
        fused: FusedActivation,
    ) -> Result<()> {
        let (shape, weights) = self.constants.floats(operator.input(1)?)?;
        let &[1, rows, columns, channels] = shape else {
            return Err(Problem::Damaged(format!("its weights have the shape {shape:?}")));
        };
        let stride = windows.stride;
        let windows = self.windows(operator, [rows, columns], windows)?;
        self.whole_vectors(windows.input)?;
        if channels != self.images[windows.input].channels {
            return Err(Problem::Damaged(format!(
                "weights of shape {shape:?}: only one output channel for each input channel is supported"
            )));
        }
        let bias = self.constants.bias(operator, channels)?.unwrap_or_else(|| vec![0.0; channels]);
        let image = self.picture([windows.size[0], windows.size[1], channels])?;
        let layer = Depthwise::new(
            self.lanes,
            [windows.input, image],
            &weights,
            [rows, columns],
            &bias,
            [stride, windows.pads],
            Epilogue::new(activation(fused)),
        );
        let layer = layer.ok_or_else(|| {
            Problem::Damaged(format!("windows of {rows} x {columns} are not supported, only of 1, 3 and 5"))
        })?;
        self.steps.push(Step::Depthwise(layer));
        self.store_picture(operator, image)
    }

    /// How the windows of a convolution lie in its input.
    fn windows(
        &mut self,
        operator: &Operator,
        kernel: [usize; 2],
        Windows { padding, stride, dilation }: Windows,
    ) -> Result<PlacedWindows> {
        if dilation != [1, 1] {
            return Err(Problem::Damaged("dilation is not supported".to_owned()));
        }
        let tensor = operator.input(0)?;
        let Value::Picture { image, border, more_channels: 0 } = self.values[tensor] else {
            return Err(self.no_picture(tensor));
        };
        let Image { height, width, .. } = self.images[image];
        let (rows, above, below) =
            window(border.top + height + border.bottom, kernel[0], stride[0], 1, padding)?;
        let (columns, before, after) =
            window(border.left + width + border.right, kernel[1], stride[1], 1, padding)?;
        let pads = [border.top + above, border.left + before];
        let own = &mut self.images[image].border;
        own.top = own.top.max(pads[0]);
        own.left = own.left.max(pads[1]);
        own.bottom = own.bottom.max(border.bottom + below);
        own.right = own.right.max(border.right + after);
        Ok(PlacedWindows { input: image, size: [rows, columns], pads })
    }

    fn fully_connected(&mut self, operator: &Operator, fused: FusedActivation) -> Result<()> {
        let source = self.plain(operator.input(0)?)?;
        let (shape, weights) = self.constants.floats(operator.input(1)?)?;
        let Image { height: 1, width: 1, channels, block, .. } = self.images[source] else {
            return Err(Problem::Damaged("its input is not one row of values".to_owned()));
        };
        let &[units, depth] = shape else {
            return Err(Problem::Damaged(format!("its weights have the shape {shape:?}")));
        };
        if depth != channels {
            return Err(Problem::Damaged(format!("weights of shape {shape:?} do not fit to its input")));
        }
        let bias = self.constants.bias(operator, units)?.unwrap_or_else(|| vec![0.0; units]);
        let image = self.picture([1, 1, units])?;
        self.steps.push(Step::Dense(Dense::new(
            self.lanes,
            [source, image],
            &weights,
            [1, 1, channels],
            block,
            &bias,
            [[1, 1], [0, 0]],
            Epilogue::new(activation(fused)),
        )));
        self.store_picture(operator, image)
    }

    fn add(&mut self, operator: &Operator, fused: FusedActivation) -> Result<()> {
        let then = activation(fused);
        let tensors = [operator.input(0)?, operator.input(1)?];
        let mut pictures = Vec::new();
        for tensor in tensors {
            match self.values[tensor] {
                Value::Picture { image, border, more_channels } if border == Padding::default() => {
                    self.whole_vectors(image)?;
                    let Image { height, width, channels, .. } = self.images[image];
                    pictures.push((tensor, image, more_channels, [height, width, channels + more_channels]));
                }
                _ => return Err(self.no_picture(tensor)),
            }
        }
        // The one with all channels first.
        pictures.sort_by_key(|&(_, _, more_channels, _)| more_channels);
        let [(first, first_image, 0, size), (second, second_image, more, other_size)] = pictures[..] else {
            return Err(Problem::Damaged("both of its inputs lack channels".to_owned()));
        };
        if size != other_size {
            return Err(Problem::Damaged("only pictures of the same size are added".to_owned()));
        }
        // A convolution whose result goes nowhere else adds the other picture itself. It may have to wait for it.
        let candidates = [(first, first_image, second_image, 0), (second, second_image, first_image, more)];
        for (tensor, image, other, lacking) in candidates {
            let Some(place) = self.only_reader_of(tensor, image).filter(|_| lacking == 0) else { continue };
            if let Step::Dense(layer) = &mut self.steps[place]
                && layer.epilogue.residual.is_none()
            {
                layer.epilogue.residual = Some(other);
                layer.epilogue.then = then;
                let step = self.steps.remove(place);
                self.steps.push(step);
                return self.store_picture(operator, image);
            }
        }
        let image = self.picture(size)?;
        self.steps.push(Step::Sum(Sum {
            input: first_image,
            other: Some(second_image),
            output: image,
            then,
        }));
        self.store_picture(operator, image)
    }

    fn activation(&mut self, operator: &Operator, then: Activation) -> Result<()> {
        let tensor = operator.input(0)?;
        let source = self.plain(tensor)?;
        if let Some(place) = self.only_reader_of(tensor, source)
            && let Some(epilogue) = self.steps[place].open_epilogue()
        {
            epilogue.then = then;
            return self.store_picture(operator, source);
        }
        let Image { height, width, channels, .. } = self.images[source];
        let image = self.picture([height, width, channels])?;
        self.steps.push(Step::Sum(Sum { input: source, other: None, output: image, then }));
        self.store_picture(operator, image)
    }

    fn prelu(&mut self, operator: &Operator) -> Result<()> {
        let source = self.plain(operator.input(0)?)?;
        let Image { channels, .. } = self.images[source];
        let (shape, mut slopes) = self.constants.floats(operator.input(1)?)?;
        if slopes.len() != channels || shape.last() != Some(&channels) {
            return Err(Problem::Damaged(format!(
                "slopes of shape {shape:?} are not one for each of {channels} channels"
            )));
        }
        slopes.resize(channels.next_multiple_of(self.lanes), 0.0);
        self.activation(operator, Activation::Prelu(slopes))
    }

    /// The convolution that makes a picture, if nothing but one operator reads the tensor.
    fn only_reader_of(&mut self, tensor: usize, image: usize) -> Option<usize> {
        let place = self.steps.iter().position(|step| step.output() == image)?;
        let open = self.readers[tensor] == 1 && self.steps[place].open_epilogue().is_some();
        open.then_some(place)
    }

    fn max_pool(
        &mut self,
        operator: &Operator,
        Windows { padding, stride, .. }: Windows,
        kernel: [usize; 2],
        fused: FusedActivation,
    ) -> Result<()> {
        let source = self.plain(operator.input(0)?)?;
        let Image { height, width, channels, .. } = self.images[source];
        let (rows, above, below) = window(height, kernel[0], stride[0], 1, padding)?;
        let (columns, before, after) = window(width, kernel[1], stride[1], 1, padding)?;
        if above + below + before + after > 0 || fused != FusedActivation::None {
            return Err(Problem::Damaged(
                "only windows in the picture, as they are, are supported".to_owned(),
            ));
        }
        let image = self.picture([rows, columns, channels])?;
        self.steps.push(Step::MaxPool(MaxPool {
            input: source,
            output: image,
            window: kernel,
            steps: stride,
        }));
        self.store_picture(operator, image)
    }

    fn mean(&mut self, operator: &Operator) -> Result<()> {
        let source = self.plain(operator.input(0)?)?;
        let axes = self.model.tensors[operator.input(1)?].ints()?;
        if axes != [1, 2] {
            return Err(Problem::Damaged(format!(
                "the mean over axes {axes:?} is not supported, only over rows and columns"
            )));
        }
        let image = self.picture([1, 1, self.images[source].channels])?;
        self.steps.push(Step::Mean(Mean { input: source, output: image }));
        self.store_picture(operator, image)
    }

    fn resize_bilinear(&mut self, operator: &Operator) -> Result<()> {
        let source = self.plain(operator.input(0)?)?;
        let size = self.model.tensors[operator.input(1)?].ints()?;
        let &[rows, columns] = size.as_slice() else {
            return Err(Problem::Damaged(format!("its size is {size:?}")));
        };
        let (Ok(rows), Ok(columns)) = (usize::try_from(rows), usize::try_from(columns)) else {
            return Err(Problem::Damaged(format!("its size is {size:?}")));
        };
        let Image { height, width, channels, .. } = self.images[source];
        let image = self.picture([rows, columns, channels])?;
        self.steps.push(Step::Resize(Resize::new([source, image], [height, width], [rows, columns])));
        self.store_picture(operator, image)
    }

    fn depth_to_space(&mut self, operator: &Operator, block: usize) -> Result<()> {
        let source = self.plain(operator.input(0)?)?;
        let Image { height, width, channels, .. } = self.images[source];
        if !channels.is_multiple_of(block * block) {
            return Err(Problem::Damaged(format!(
                "{channels} channels do not make blocks of {block} x {block}"
            )));
        }
        let image = self.picture([height * block, width * block, channels / (block * block)])?;
        self.steps.push(Step::DepthToSpace(DepthToSpace { input: source, output: image, block }));
        self.store_picture(operator, image)
    }

    fn strided_slice(&mut self, operator: &Operator, masks: SliceMasks) -> Result<()> {
        let source = self.plain(operator.input(0)?)?;
        let Image { height, width, channels, .. } = self.images[source];
        let list = |index| self.model.tensors[operator.input(index)?].ints();
        let ranges = slice(masks, [1, height, width, channels], &list(1)?, &list(2)?, &list(3)?)?;
        let [batch, rows, columns, channels] = ranges;
        let image = self.picture([rows.len(), columns.len(), channels.len()])?;
        if batch != (0..1) {
            return Err(Problem::Damaged("it leaves nothing".to_owned()));
        }
        self.steps.push(Step::Crop(Crop { input: source, output: image, rows, columns, channels }));
        self.store_picture(operator, image)
    }

    fn pad(&mut self, operator: &Operator) -> Result<()> {
        let tensor = operator.input(0)?;
        let Value::Picture { image, border, more_channels } = self.values[tensor] else {
            return Err(self.no_picture(tensor));
        };
        let (more_border, more) = pads(&self.model.tensors[operator.input(1)?].ints()?)?;
        let border = border + more_border;
        let more_channels = more_channels + more;
        self.store(operator, Value::Picture { image, border, more_channels })
    }

    fn logistic(&mut self, operator: &Operator) -> Result<()> {
        match self.joined(operator.input(0)?)? {
            (pictures, false) => self.store(operator, Value::Joined { pictures, logistic: true }),
            (_, true) => Err(Problem::Damaged("a logistic function of another is not supported".to_owned())),
        }
    }

    fn reshape(&mut self, operator: &Operator) -> Result<()> {
        let (pictures, logistic) = self.joined(operator.input(0)?)?;
        self.store(operator, Value::Joined { pictures, logistic })
    }

    fn concatenation(&mut self, operator: &Operator, axis: i32, fused: FusedActivation) -> Result<()> {
        let mut joined = Vec::new();
        for index in 0..operator.inputs.len() {
            let tensor = operator.input(index)?;
            // Rows of a batch of one: those of one tensor lie after those of the other.
            let rows = matches!(self.model.tensors[tensor].shape.as_slice(), [1, _, _]);
            match self.joined(tensor)? {
                (pictures, false) if rows && fused == FusedActivation::None && axis == 1 => {
                    joined.extend(pictures)
                }
                _ => return Err(Problem::Damaged("only rows one after the other are supported".to_owned())),
            }
        }
        self.store(operator, Value::Joined { pictures: joined, logistic: false })
    }

    /// A picture of the tensor's own size.
    fn plain(&self, tensor: usize) -> Result<usize> {
        match self.values[tensor] {
            Value::Picture { image, border, more_channels: 0 } if border == Padding::default() => {
                self.whole_vectors(image)?;
                Ok(image)
            }
            _ => Err(self.no_picture(tensor)),
        }
    }

    /// Checks that a picture's pixels are made of vectors, as all but dense convolutions need them.
    fn whole_vectors(&self, image: usize) -> Result<()> {
        if self.images[image].block == self.lanes {
            Ok(())
        } else {
            Err(Problem::Damaged("only a dense convolution can read the network's input".to_owned()))
        }
    }

    /// The pictures that hold a tensor's values, and whether the logistic function is to be applied.
    fn joined(&self, tensor: usize) -> Result<(Vec<usize>, bool)> {
        match &self.values[tensor] {
            Value::Joined { pictures, logistic } => Ok((pictures.clone(), *logistic)),
            _ => Ok((vec![self.plain(tensor)?], false)),
        }
    }

    fn no_picture(&self, tensor: usize) -> Problem {
        let tensor = &self.model.tensors[tensor].name;
        Problem::Damaged(format!("{tensor} is not computed before, or not a picture of its own size"))
    }

    /// A new picture with pixels of whole vectors.
    fn picture(&mut self, size: [usize; 3]) -> Result<usize> {
        self.image(size, self.lanes)
    }

    fn image(&mut self, [height, width, channels]: [usize; 3], block: usize) -> Result<usize> {
        let whole = height > 0 && width > 0 && channels > 0;
        elements(&[height, width, channels.next_multiple_of(block.max(1))])
            .filter(|_| whole)
            .ok_or_else(|| Problem::Damaged(format!("a picture of {height} x {width} x {channels}")))?;
        self.images.push(Image {
            height,
            width,
            channels,
            block,
            border: Padding::default(),
            kept: None,
            first: 0,
        });
        Ok(self.images.len() - 1)
    }

    fn store_picture(&mut self, operator: &Operator, image: usize) -> Result<()> {
        self.store(operator, Value::Picture { image, border: Padding::default(), more_channels: 0 })
    }

    /// Records what an operator computes, after checking it against the shape that the file declares.
    fn store(&mut self, operator: &Operator, value: Value) -> Result<()> {
        let [output] = operator.outputs.as_slice() else {
            return Err(Problem::Damaged(format!(
                "it has {} outputs instead of one",
                operator.outputs.len()
            )));
        };
        let values = |image: usize, border: Padding, more: usize| {
            let Image { height, width, channels, .. } = self.images[image];
            let (rows, columns) = (border.top + height + border.bottom, border.left + width + border.right);
            rows * columns * (channels + more)
        };
        let computed = match &value {
            Value::Picture { image, border, more_channels } => values(*image, *border, *more_channels),
            Value::Joined { pictures, .. } => {
                pictures.iter().map(|&image| values(image, Padding::default(), 0)).sum()
            }
            Value::Nothing => 0,
        };
        let declared = &self.model.tensors[*output].shape;
        if declared.iter().product::<usize>() != computed {
            return Err(Problem::Damaged(format!(
                "it computes {computed} values, but the file declares {declared:?}"
            )));
        }
        self.values[*output] = value;
        Ok(())
    }
}

/// How the windows of a convolution lie in its input.
struct PlacedWindows {
    input: usize,
    /// Rows and columns of the result.
    size: [usize; 2],
    /// Rows above and columns before the picture at which the first window begins.
    pads: [usize; 2],
}

fn activation(fused: FusedActivation) -> Activation {
    match fused {
        FusedActivation::None => Activation::None,
        FusedActivation::Relu => Activation::Clamp(0.0, f32::INFINITY),
        FusedActivation::Relu6 => Activation::Clamp(0.0, 6.0),
    }
}
