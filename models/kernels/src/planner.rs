//! From the operators of a TFLite file to the layers of a network and the feature maps between them.

use crate::dense::Dense;
use crate::depthwise::Depthwise;
use crate::epilogue::{Activation, Epilogue};
use crate::feature_map::FeatureMap;
use crate::layer::Layer;
use crate::pool::{MaxPool, Mean};
use crate::problem::{Problem, Result};
use crate::rearrange::{Crop, DepthToSpace};
use crate::resize::Resize;
use crate::sum::Sum;
use crate::tflite::{
    Constants, FusedActivation, Model, Op, Operator, Padding, SliceMasks, Windows, elements,
    explicit_padding, slice, window,
};

/// Most values of all feature maps, and most of them that make an output. No network of this kind comes near it; a damaged file
/// easily does.
const MAX_VALUES: usize = 1 << 26;
const MAX_JOINED: usize = 64;

/// A network as layers, in an order in which they can run.
#[derive(Debug)]
pub(crate) struct Layers {
    pub(crate) maps: Vec<FeatureMap>,
    /// The feature maps of the network's inputs.
    pub(crate) inputs: Vec<usize>,
    pub(crate) layers: Vec<Layer>,
    pub(crate) outputs: Vec<Output>,
}

/// What an output's values are: feature maps one after the other, pixel by pixel.
#[derive(Debug)]
pub(crate) struct Output {
    pub(crate) maps: Vec<usize>,
    /// Whether the logistic function is applied to them.
    pub(crate) logistic: bool,
}

impl Layers {
    /// The layers that the outputs which are not pruned need, for vectors of `lanes` values.
    pub(crate) fn new(model: &Model<'_>, pruned: &[usize], lanes: usize) -> Result<Self> {
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
            maps: Vec::new(),
            left: MAX_VALUES,
            layers: Vec::new(),
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
        let Planner { maps, layers, .. } = planner;
        Ok(Self { maps, inputs, layers, outputs })
    }
}

/// What stands for a tensor.
#[derive(Clone, Debug)]
enum Value {
    /// Not computed (yet), or a constant.
    Nothing,
    /// A feature map; zeros round it and after its channels that the tensor has and the feature map has not.
    Map { map: usize, padding: Padding, more_channels: usize },
    /// Feature maps one after the other in another shape: good for outputs only.
    Joined { maps: Vec<usize>, logistic: bool },
}

struct Planner<'m, 'a> {
    model: &'m Model<'a>,
    constants: Constants<'m, 'a>,
    lanes: usize,
    /// By tensor, how many operators and outputs read it.
    readers: Vec<usize>,
    maps: Vec<FeatureMap>,
    /// Values that feature maps may still have.
    left: usize,
    layers: Vec<Layer>,
    /// By tensor.
    values: Vec<Value>,
}

impl Planner<'_, '_> {
    fn network_input(&mut self, tensor: usize) -> Result<usize> {
        let &[1, height, width, channels] = self.model.tensors[tensor].shape.as_slice() else {
            return Err(Problem::Damaged("its input is not one feature map".to_owned()));
        };
        let map = self.new_map([height, width, channels], channels)?;
        self.values[tensor] = Value::Map { map, padding: Padding::default(), more_channels: 0 };
        Ok(map)
    }

    fn network_output(&self, tensor: usize) -> Result<Output> {
        let (maps, logistic) = self.joined(tensor)?;
        Ok(Output { maps, logistic })
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
        if channels != self.maps[windows.input].channels {
            return Err(Problem::Damaged(format!("weights of shape {shape:?} do not fit to its input")));
        }
        let bias = self.constants.bias(operator, filters)?.unwrap_or_else(|| vec![0.0; filters]);
        let map = self.feature_map([windows.size[0], windows.size[1], filters])?;
        self.layers.push(Layer::Dense(Dense::new(
            self.lanes,
            [windows.input, map],
            &weights,
            [rows, columns, channels],
            self.maps[windows.input].block,
            &bias,
            [stride, windows.padding],
            Epilogue::new(activation(fused)),
        )));
        self.store_map(operator, map)
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
        if channels != self.maps[windows.input].channels {
            return Err(Problem::Damaged(format!(
                "weights of shape {shape:?}: only one output channel for each input channel is supported"
            )));
        }
        let bias = self.constants.bias(operator, channels)?.unwrap_or_else(|| vec![0.0; channels]);
        let map = self.feature_map([windows.size[0], windows.size[1], channels])?;
        let layer = Depthwise::new(
            self.lanes,
            [windows.input, map],
            &weights,
            [rows, columns],
            &bias,
            [stride, windows.padding],
            Epilogue::new(activation(fused)),
        );
        let layer = layer.ok_or_else(|| {
            Problem::Damaged(format!("windows of {rows} x {columns} are not supported, only of 1, 3 and 5"))
        })?;
        self.layers.push(Layer::Depthwise(layer));
        self.store_map(operator, map)
    }

    /// How the windows of a convolution lie in its input.
    fn windows(
        &mut self,
        operator: &Operator,
        kernel: [usize; 2],
        Windows { padding: scheme, stride, dilation }: Windows,
    ) -> Result<PlacedWindows> {
        if dilation != [1, 1] {
            return Err(Problem::Damaged("dilation is not supported".to_owned()));
        }
        let tensor = operator.input(0)?;
        let Value::Map { map, padding, more_channels: 0 } = self.values[tensor] else {
            return Err(self.no_map(tensor));
        };
        let FeatureMap { height, width, .. } = self.maps[map];
        let (rows, above, below) =
            window(padding.top + height + padding.bottom, kernel[0], stride[0], 1, scheme)?;
        let (columns, before, after) =
            window(padding.left + width + padding.right, kernel[1], stride[1], 1, scheme)?;
        let before_first = [padding.top + above, padding.left + before];
        let own = &mut self.maps[map].padding;
        own.top = own.top.max(before_first[0]);
        own.left = own.left.max(before_first[1]);
        own.bottom = own.bottom.max(padding.bottom + below);
        own.right = own.right.max(padding.right + after);
        Ok(PlacedWindows { input: map, size: [rows, columns], padding: before_first })
    }

    fn fully_connected(&mut self, operator: &Operator, fused: FusedActivation) -> Result<()> {
        let source = self.plain(operator.input(0)?)?;
        let (shape, weights) = self.constants.floats(operator.input(1)?)?;
        let FeatureMap { height: 1, width: 1, channels, block, .. } = self.maps[source] else {
            return Err(Problem::Damaged("its input is not one row of values".to_owned()));
        };
        let &[units, depth] = shape else {
            return Err(Problem::Damaged(format!("its weights have the shape {shape:?}")));
        };
        if depth != channels {
            return Err(Problem::Damaged(format!("weights of shape {shape:?} do not fit to its input")));
        }
        let bias = self.constants.bias(operator, units)?.unwrap_or_else(|| vec![0.0; units]);
        let map = self.feature_map([1, 1, units])?;
        self.layers.push(Layer::Dense(Dense::new(
            self.lanes,
            [source, map],
            &weights,
            [1, 1, channels],
            block,
            &bias,
            [[1, 1], [0, 0]],
            Epilogue::new(activation(fused)),
        )));
        self.store_map(operator, map)
    }

    fn add(&mut self, operator: &Operator, fused: FusedActivation) -> Result<()> {
        let then = activation(fused);
        let tensors = [operator.input(0)?, operator.input(1)?];
        let mut maps = Vec::new();
        for tensor in tensors {
            match self.values[tensor] {
                Value::Map { map, padding, more_channels } if padding == Padding::default() => {
                    self.whole_vectors(map)?;
                    let FeatureMap { height, width, channels, .. } = self.maps[map];
                    maps.push((tensor, map, more_channels, [height, width, channels + more_channels]));
                }
                _ => return Err(self.no_map(tensor)),
            }
        }
        // The one with all channels first.
        maps.sort_by_key(|&(_, _, more_channels, _)| more_channels);
        let [(first, first_map, 0, size), (second, second_map, more, other_size)] = maps[..] else {
            return Err(Problem::Damaged("both of its inputs lack channels".to_owned()));
        };
        if size != other_size {
            return Err(Problem::Damaged("only feature maps of the same size are added".to_owned()));
        }
        // A convolution whose result goes nowhere else adds the other feature map itself. It may have to wait for it.
        let candidates = [(first, first_map, second_map, 0), (second, second_map, first_map, more)];
        for (tensor, map, other, lacking) in candidates {
            let Some(place) = self.only_reader_of(tensor, map).filter(|_| lacking == 0) else { continue };
            if let Layer::Dense(layer) = &mut self.layers[place]
                && layer.epilogue.residual.is_none()
            {
                layer.epilogue.residual = Some(other);
                layer.epilogue.then = then;
                let step = self.layers.remove(place);
                self.layers.push(step);
                return self.store_map(operator, map);
            }
        }
        let map = self.feature_map(size)?;
        self.layers.push(Layer::Sum(Sum { input: first_map, other: Some(second_map), output: map, then }));
        self.store_map(operator, map)
    }

    fn activation(&mut self, operator: &Operator, then: Activation) -> Result<()> {
        let tensor = operator.input(0)?;
        let source = self.plain(tensor)?;
        if let Some(place) = self.only_reader_of(tensor, source)
            && let Some(epilogue) = self.layers[place].open_epilogue()
        {
            epilogue.then = then;
            return self.store_map(operator, source);
        }
        let FeatureMap { height, width, channels, .. } = self.maps[source];
        let map = self.feature_map([height, width, channels])?;
        self.layers.push(Layer::Sum(Sum { input: source, other: None, output: map, then }));
        self.store_map(operator, map)
    }

    fn prelu(&mut self, operator: &Operator) -> Result<()> {
        let source = self.plain(operator.input(0)?)?;
        let FeatureMap { channels, .. } = self.maps[source];
        let (shape, mut slopes) = self.constants.floats(operator.input(1)?)?;
        if slopes.len() != channels || shape.last() != Some(&channels) {
            return Err(Problem::Damaged(format!(
                "slopes of shape {shape:?} are not one for each of {channels} channels"
            )));
        }
        slopes.resize(channels.next_multiple_of(self.lanes), 0.0);
        self.activation(operator, Activation::Prelu(slopes))
    }

    /// The convolution that makes a feature map, if nothing but one operator reads the tensor.
    fn only_reader_of(&mut self, tensor: usize, map: usize) -> Option<usize> {
        let place = self.layers.iter().position(|step| step.output() == map)?;
        let open = self.readers[tensor] == 1 && self.layers[place].open_epilogue().is_some();
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
        let FeatureMap { height, width, channels, .. } = self.maps[source];
        let (rows, above, below) = window(height, kernel[0], stride[0], 1, padding)?;
        let (columns, before, after) = window(width, kernel[1], stride[1], 1, padding)?;
        if above + below + before + after > 0 || fused != FusedActivation::None {
            return Err(Problem::Damaged(
                "only windows in the feature map, as they are, are supported".to_owned(),
            ));
        }
        let map = self.feature_map([rows, columns, channels])?;
        self.layers.push(Layer::MaxPool(MaxPool { input: source, output: map, window: kernel, stride }));
        self.store_map(operator, map)
    }

    fn mean(&mut self, operator: &Operator) -> Result<()> {
        let source = self.plain(operator.input(0)?)?;
        let axes = self.model.tensors[operator.input(1)?].ints()?;
        if axes != [1, 2] {
            return Err(Problem::Damaged(format!(
                "the mean over axes {axes:?} is not supported, only over rows and columns"
            )));
        }
        let map = self.feature_map([1, 1, self.maps[source].channels])?;
        self.layers.push(Layer::Mean(Mean { input: source, output: map }));
        self.store_map(operator, map)
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
        let FeatureMap { height, width, channels, .. } = self.maps[source];
        let map = self.feature_map([rows, columns, channels])?;
        self.layers.push(Layer::Resize(Resize::new([source, map], [height, width], [rows, columns])));
        self.store_map(operator, map)
    }

    fn depth_to_space(&mut self, operator: &Operator, block: usize) -> Result<()> {
        let source = self.plain(operator.input(0)?)?;
        let FeatureMap { height, width, channels, .. } = self.maps[source];
        if !channels.is_multiple_of(block * block) {
            return Err(Problem::Damaged(format!(
                "{channels} channels do not make blocks of {block} x {block}"
            )));
        }
        let map = self.feature_map([height * block, width * block, channels / (block * block)])?;
        self.layers.push(Layer::DepthToSpace(DepthToSpace { input: source, output: map, block }));
        self.store_map(operator, map)
    }

    fn strided_slice(&mut self, operator: &Operator, masks: SliceMasks) -> Result<()> {
        let source = self.plain(operator.input(0)?)?;
        let FeatureMap { height, width, channels, .. } = self.maps[source];
        let list = |index| self.model.tensors[operator.input(index)?].ints();
        let ranges = slice(masks, [1, height, width, channels], &list(1)?, &list(2)?, &list(3)?)?;
        let [batch, rows, columns, channels] = ranges;
        let map = self.feature_map([rows.len(), columns.len(), channels.len()])?;
        if batch != (0..1) {
            return Err(Problem::Damaged("it leaves nothing".to_owned()));
        }
        self.layers.push(Layer::Crop(Crop { input: source, output: map, rows, columns, channels }));
        self.store_map(operator, map)
    }

    fn pad(&mut self, operator: &Operator) -> Result<()> {
        let tensor = operator.input(0)?;
        let Value::Map { map, padding, more_channels } = self.values[tensor] else {
            return Err(self.no_map(tensor));
        };
        // Who reads the result reads the same feature map as whoever else reads what is padded.
        for &output in &operator.outputs {
            self.readers[output] =
                self.readers[output].saturating_add(self.readers[tensor].saturating_sub(1));
        }
        let (more_padding, more) = explicit_padding(&self.model.tensors[operator.input(1)?].ints()?)?;
        let padding = padding + more_padding;
        let more_channels = more_channels + more;
        self.store(operator, Value::Map { map, padding, more_channels })
    }

    fn logistic(&mut self, operator: &Operator) -> Result<()> {
        match self.joined(operator.input(0)?)? {
            (maps, false) => self.store(operator, Value::Joined { maps, logistic: true }),
            (_, true) => Err(Problem::Damaged("a logistic function of another is not supported".to_owned())),
        }
    }

    fn reshape(&mut self, operator: &Operator) -> Result<()> {
        let (maps, logistic) = self.joined(operator.input(0)?)?;
        self.store(operator, Value::Joined { maps, logistic })
    }

    fn concatenation(&mut self, operator: &Operator, axis: i32, fused: FusedActivation) -> Result<()> {
        let mut joined = Vec::new();
        for index in 0..operator.inputs.len() {
            let tensor = operator.input(index)?;
            // Rows of a batch of one: those of one tensor lie after those of the other.
            let rows = matches!(self.model.tensors[tensor].shape.as_slice(), [1, _, _]);
            match self.joined(tensor)? {
                (maps, false) if rows && fused == FusedActivation::None && axis == 1 => joined.extend(maps),
                _ => return Err(Problem::Damaged("only rows one after the other are supported".to_owned())),
            }
            // One that holds another twice, and so on, would double them each time.
            if joined.len() > MAX_JOINED {
                return Err(Problem::Damaged(format!("it joins more than {MAX_JOINED} feature maps")));
            }
        }
        self.store(operator, Value::Joined { maps: joined, logistic: false })
    }

    /// A feature map of the tensor's own size.
    fn plain(&self, tensor: usize) -> Result<usize> {
        match self.values[tensor] {
            Value::Map { map, padding, more_channels: 0 } if padding == Padding::default() => {
                self.whole_vectors(map)?;
                Ok(map)
            }
            _ => Err(self.no_map(tensor)),
        }
    }

    /// Checks that a feature map's pixels are made of vectors, as all but dense convolutions need them.
    fn whole_vectors(&self, map: usize) -> Result<()> {
        if self.maps[map].block == self.lanes {
            Ok(())
        } else {
            Err(Problem::Damaged("only a dense convolution can read the network's input".to_owned()))
        }
    }

    /// The feature maps that hold a tensor's values, and whether the logistic function is to be applied.
    fn joined(&self, tensor: usize) -> Result<(Vec<usize>, bool)> {
        match &self.values[tensor] {
            Value::Joined { maps, logistic } => Ok((maps.clone(), *logistic)),
            _ => Ok((vec![self.plain(tensor)?], false)),
        }
    }

    fn no_map(&self, tensor: usize) -> Problem {
        let tensor = &self.model.tensors[tensor].name;
        Problem::Damaged(format!("{tensor} is not computed before, or not a feature map of its own size"))
    }

    /// A new feature map with pixels of whole vectors.
    fn feature_map(&mut self, size: [usize; 3]) -> Result<usize> {
        self.new_map(size, self.lanes)
    }

    fn new_map(&mut self, [height, width, channels]: [usize; 3], block: usize) -> Result<usize> {
        let whole = height > 0 && width > 0 && channels > 0;
        self.left = elements(&[height, width, channels.next_multiple_of(block.max(1))])
            .filter(|_| whole)
            .and_then(|values| self.left.checked_sub(values))
            .ok_or_else(|| Problem::Damaged(format!("a feature map of {height} x {width} x {channels}")))?;
        self.maps.push(FeatureMap {
            height,
            width,
            channels,
            block,
            padding: Padding::default(),
            kept: None,
            first: 0,
        });
        Ok(self.maps.len() - 1)
    }

    fn store_map(&mut self, operator: &Operator, map: usize) -> Result<()> {
        self.store(operator, Value::Map { map, padding: Padding::default(), more_channels: 0 })
    }

    /// Records what an operator computes, after checking it against the shape that the file declares.
    fn store(&mut self, operator: &Operator, value: Value) -> Result<()> {
        let [output] = operator.outputs.as_slice() else {
            return Err(Problem::Damaged(format!(
                "it has {} outputs instead of one",
                operator.outputs.len()
            )));
        };
        let values = |map: usize, padding: Padding, more: usize| {
            let FeatureMap { height, width, channels, .. } = self.maps[map];
            let (rows, columns) =
                (padding.top + height + padding.bottom, padding.left + width + padding.right);
            rows * columns * (channels + more)
        };
        let computed = match &value {
            Value::Map { map, padding, more_channels } => values(*map, *padding, *more_channels),
            Value::Joined { maps, .. } => maps.iter().map(|&map| values(map, Padding::default(), 0)).sum(),
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
    /// Rows above and columns before the feature map at which the first window begins.
    padding: [usize; 2],
}

fn activation(fused: FusedActivation) -> Activation {
    match fused {
        FusedActivation::None => Activation::None,
        FusedActivation::Relu => Activation::Clamp(0.0, f32::INFINITY),
        FusedActivation::Relu6 => Activation::Clamp(0.0, 6.0),
    }
}
