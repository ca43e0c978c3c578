//! Convolutions, and what is written as one because ONNX Runtime keeps them in its blocked (NCHWc) layout.

use super::compile::{Compiler, Layout, Value, reshape};
use super::graph::dimensions;
use super::onnx::AttributeProto;

use crate::tflite::settings::{Activation, Border, input, same_padding, settings, window};
use crate::tflite::{Operator, Problem, Result, elements};

/// With no more channels than this, an input image is convolved as one channel of `width * channels` columns.
const MAX_FLAT_CHANNELS: usize = 4;

impl Compiler<'_, '_> {
    pub(super) fn convolution(&mut self, operator: &Operator<'_>, kind: Kind) -> Result<()> {
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
        let (shape, weights) = self.constants.floats(input(operator, 1)?)?;
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
        let mut bias = self.constants.bias(operator, filters)?;
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
        // Spare channels of the image have weights of zero; spare channels of the result are made by weights of zero.
        let several = kind == Kind::Depthwise && filters != channels;
        let spare = if several { 0 } else { bare.spare };
        let inputs = channels + spare;
        let outputs = match kind {
            Kind::Full => self.image_channels(operator, filters),
            Kind::Depthwise => filters + spare,
        };
        let (image, dims, mut weights, groups) = if flat {
            // The channels of a pixel lie side by side, so the image as it is can be read as a picture of one channel
            // and `channels` times the columns, with weights just as they lie: no transpose.
            strides[1] *= channels;
            kernel[1] *= channels;
            pads[1] *= channels;
            pads[3] *= channels;
            let shape = [batch, 1, bare.shape[1], bare.shape[2] * channels];
            let image = reshape(&mut self.graph, &bare.name, &shape);
            (image, [outputs, 1, kernel[0], kernel[1]], weights, 1)
        } else {
            let places = kernel_y * kernel_x;
            let (inner, groups, weights) = match kind {
                Kind::Full => (inputs, 1, channels_to_second(&weights, filters, places, channels, inputs)),
                Kind::Depthwise => (1, inputs, channels_to_second(&weights, 1, places, filters, filters)),
            };
            let dims = [outputs, inner, kernel_y, kernel_x];
            let image =
                if several { self.channels_first(&bare) } else { self.channels_first_and_spare(&bare) };
            (image, dims, weights, groups)
        };
        weights.resize(dims.iter().product(), 0.0);
        if let Some(bias) = &mut bias {
            bias.resize(outputs, 0.0);
        }
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
        self.store_image(operator, name, output, outputs - filters)
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

    /// Channels `first..` of an image as the first of `count` channels, zeros after the last one: a 1 x 1 convolution
    /// with a one for each channel that is kept. ONNX Runtime would leave its blocked layout for a Pad or a Slice.
    pub(super) fn pick_channels(&mut self, value: &Value, first: usize, count: usize) -> Result<String> {
        let [_, _, _, channels] = value.image()?;
        let width = channels + value.spare;
        let size = elements(&[count, width]).ok_or_else(|| {
            Problem::Damaged(format!("{channels} channels become {count}, beyond all reason"))
        })?;
        let mut weights = vec![0.0; size];
        for (row, channel) in (first..channels).enumerate().take(count) {
            weights[row * width + channel] = 1.0;
        }
        let name = self.channels_first_and_spare(value);
        let kernel = vec![AttributeProto::ints("kernel_shape", &[1, 1])];
        Ok(self.conv(&name, &[count, width, 1, 1], &weights, None, kernel))
    }

    /// The value with so many spare channels, no fewer than it has.
    pub(super) fn with_spare(&mut self, value: &Value, spare: usize) -> Result<String> {
        if value.spare == spare {
            return Ok(self.channels_first_and_spare(value));
        }
        let [_, _, _, channels] = value.image()?;
        self.pick_channels(value, 0, channels + spare)
    }

    /// How many channels an operator's result of so many is made with.
    pub(super) fn image_channels(&self, operator: &Operator<'_>, channels: usize) -> usize {
        operator.outputs.iter().map(|&output| self.wanted_channels[output]).fold(channels, usize::max)
    }

    /// `prelu(x) = a x + (1 - a) relu(x)`, each product a depthwise 1 x 1 convolution: ONNX Runtime has no PRelu in its
    /// blocked layout and would leave and enter it around each one. With no slope above 1, `(1 - a) relu(x)` is
    /// `relu((1 - a) x)`, and ONNX Runtime makes that one step.
    pub(super) fn prelu(&mut self, operator: &Operator<'_>) -> Result<()> {
        let value = self.value(input(operator, 0)?)?;
        let [_, _, _, channels] = value.image()?;
        let (shape, slope) = self.constants.floats(input(operator, 1)?)?;
        if slope.len() != channels || shape.last() != Some(&channels) {
            return Err(Problem::Damaged(format!(
                "slopes of shape {shape:?} are not one for each of {channels} channels"
            )));
        }
        // Zero times anything, so the spare channels stay zero.
        let slope: Vec<f32> = slope.into_iter().chain(std::iter::repeat_n(0.0, value.spare)).collect();
        let name = self.channels_first_and_spare(&value);
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
        self.store_image(operator, name, value.shape, value.spare)
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
}

/// The two convolutions.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
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

/// `outer x places x channels` to `outer x width x places`, zeros after the channels.
fn channels_to_second(
    weights: &[f32],
    outer: usize,
    places: usize,
    channels: usize,
    width: usize,
) -> Vec<f32> {
    let mut turned = Vec::with_capacity(outer * width * places);
    for block in weights.chunks_exact((places * channels).max(1)).take(outer) {
        for channel in 0..channels {
            turned.extend(block.iter().skip(channel).step_by(channels.max(1)));
        }
        turned.resize(turned.len() + (width - channels) * places, 0.0);
    }
    turned
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_turned_to_channels_first() {
        let weights = [1.0, 10.0, 2.0, 20.0, 3.0, 30.0, 4.0, 40.0];
        assert_eq!(channels_to_second(&weights, 2, 2, 2, 2), [1.0, 2.0, 10.0, 20.0, 3.0, 4.0, 30.0, 40.0]);
    }

    #[test]
    fn spare_channels_have_weights_of_zero() {
        let weights = [1.0, 10.0, 2.0, 20.0];
        assert_eq!(channels_to_second(&weights, 1, 2, 2, 3), [1.0, 2.0, 10.0, 20.0, 0.0, 0.0]);
    }
}
