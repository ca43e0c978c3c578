//! In which order the layers of a network run, and where its feature maps lie.

use std::ops::Range;

use crate::feature_map::FeatureMap;
use crate::layer::Layer;
use crate::planner::{Layers, Output};
use crate::problem::{Problem, Result};
use crate::tflite::{Model, elements};

/// Values of the feature maps within a strip, so that they stay in a core's own cache, with the weights beside them.
const STRIP: usize = 40_000;

/// Most layers of a strip.
pub(crate) const LONGEST_STRIP: usize = 8;

/// Steps that run together.
#[derive(Debug)]
pub(crate) struct Strip {
    pub(crate) layers: Range<usize>,
    /// Rows of the last one's feature map that are made at a time.
    pub(crate) rows: usize,
}

/// A network as layers.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) maps: Vec<FeatureMap>,
    /// The feature maps of the network's inputs.
    pub(crate) inputs: Vec<usize>,
    pub(crate) layers: Vec<Layer>,
    /// The layers in turn: those of a strip each make what the next one reads, some rows at a time.
    pub(crate) strips: Vec<Strip>,
    pub(crate) outputs: Vec<Output>,
    /// Values that all feature maps take together.
    pub(crate) values: usize,
}

impl Plan {
    /// Plans what the outputs that are not pruned need, for vectors of `lanes` values.
    pub(crate) fn new(model: &Model<'_>, pruned: &[usize], lanes: usize) -> Result<Self> {
        let Layers { maps, inputs, layers, outputs } = Layers::new(model, pruned, lanes)?;
        let mut plan = Self { maps, inputs, layers, strips: Vec::new(), outputs, values: 0 };
        plan.cut_strips();
        plan.place_maps();
        elements(&[plan.values])
            .ok_or_else(|| Problem::Damaged("its feature maps are beyond all reason".to_owned()))?;
        Ok(plan)
    }

    /// Has convolutions that follow each other run together, some rows at a time, where the feature maps between them are too
    /// large for a core's own cache.
    fn cut_strips(&mut self) {
        let mut readers = vec![0; self.maps.len()];
        let outputs = self.outputs.iter().flat_map(|output| output.maps.iter().copied());
        for map in self.layers.iter().flat_map(|step| step.inputs().into_iter().flatten()).chain(outputs) {
            readers[map] += 1;
        }
        // What only one step reads is made right before it.
        for at in (0..self.layers.len()).rev() {
            let made = |map: usize| self.layers.iter().position(|step| step.output() == map);
            if let Some(map) = self.layers[at].inputs()[0].filter(|&map| readers[map] == 1)
                && let Some(from) = made(map)
            {
                let step = self.layers.remove(from);
                self.layers.insert(at - 1, step);
            }
        }
        let mut start = 0;
        while start < self.layers.len() {
            let mut end = start + 1;
            while end < self.layers.len().min(start + LONGEST_STRIP)
                && self.layers[end - 1].window().is_some()
                // Its first row reads one that is computed: of those above, which are padding, not all are kept.
                && self.layers[end].window().is_some_and(|window| {
                    (window.rows == 1 || window.depthwise) && window.padding < window.rows
                })
                && self.layers[end].inputs()[0] == Some(self.layers[end - 1].output())
                && readers[self.layers[end - 1].output()] == 1
                && self.maps[self.layers[end - 1].output()].len() > STRIP
            {
                end += 1;
            }
            let rows = self.strip(start..end);
            let height = |at: usize| self.maps[self.layers[at].output()].height;
            if rows < height(end - 1) {
                self.strips.push(Strip { layers: start..end, rows });
            } else {
                let alone = (start..end).map(|at| Strip { layers: at..at + 1, rows: height(at) });
                self.strips.extend(alone);
            }
            start = end;
        }
    }

    /// Chooses how many rows at a time a strip's last feature map is made, and keeps only as many of the others as that needs.
    fn strip(&mut self, layers: Range<usize>) -> usize {
        let height = self.maps[self.layers[layers.end - 1].output()].height;
        // The feature maps but the last one, with the rows between the first and the last that are needed at a time.
        let kept = |rows: usize| -> Vec<(usize, usize)> {
            let mut needed = rows;
            let inner = layers.clone().skip(1).rev().filter_map(|at| {
                let window = self.layers[at].window()?;
                needed = (needed - 1) * window.stride + window.rows;
                Some((self.layers[at - 1].output(), needed))
            });
            inner.collect()
        };
        let values = |kept: &[(usize, usize)]| -> usize {
            kept.iter()
                .map(|&(map, rows)| {
                    let map = &self.maps[map];
                    rows.min(map.rows()) * map.row_stride() * map.blocks()
                })
                .sum()
        };
        let rows = (1..=height).rev().find(|&rows| values(&kept(rows)) <= STRIP).unwrap_or(1);
        // Every strip reads the weights again; without strips, the feature maps between are written and read again.
        let weights: usize = self.layers[layers.clone()].iter().map(Layer::weights).sum();
        if (height.div_ceil(rows) - 1) * weights > 2 * values(&kept(height)) {
            return height;
        }
        for (map, rows) in kept(rows) {
            let map = &mut self.maps[map];
            map.kept = Some(rows).filter(|&rows| rows < map.rows());
        }
        rows
    }

    /// Gives each feature map a place that no other one takes from the step that makes it to the last one that reads it. The
    /// largest go first, each as far in front as it fits: so layers of a kind use the same values in turn, which the
    /// caches still hold.
    fn place_maps(&mut self) {
        let mut uses: Vec<Option<Range<usize>>> = vec![None; self.maps.len()];
        let mut use_of = |map: usize, layers: Range<usize>| {
            let known = uses[map].clone().unwrap_or(layers.clone());
            uses[map] = Some(known.start.min(layers.start)..known.end.max(layers.end));
        };
        for &map in &self.inputs {
            use_of(map, 0..1);
        }
        for strip in &self.strips {
            // All feature maps of a strip are in use until its end.
            for step in &self.layers[strip.layers.clone()] {
                for map in step.inputs().into_iter().flatten().chain([step.output()]) {
                    use_of(map, strip.layers.clone());
                }
            }
        }
        for &map in self.outputs.iter().flat_map(|output| &output.maps) {
            use_of(map, self.layers.len()..self.layers.len() + 1);
        }
        let mut order: Vec<usize> = (0..self.maps.len()).collect();
        order.sort_by_key(|&map| std::cmp::Reverse(self.maps[map].len()));
        let mut placed: Vec<(Range<usize>, Range<usize>)> = Vec::new();
        for map in order {
            let Some(layers) = uses[map].clone() else { continue };
            let length = self.maps[map].len();
            let mut taken: Vec<Range<usize>> = placed
                .iter()
                .filter(|(other, _)| other.start < layers.end && layers.start < other.end)
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
            self.maps[map].first = first;
            self.values = self.values.max(first + length);
            placed.push((layers, first..first + length));
        }
    }
}
