//! An ONNX graph under construction: nodes in running order, weights, names.

use std::collections::HashMap;

use super::onnx::{AttributeProto, GraphProto, NodeProto, TensorProto, ValueInfoProto};

#[derive(Debug, Default)]
pub(super) struct Graph {
    nodes: Vec<NodeProto>,
    initializers: Vec<TensorProto>,
    /// Integer and scalar constants that several nodes share, by their value.
    shared: HashMap<String, String>,
}

impl Graph {
    /// Adds a node with one output and gives that output's name.
    pub(super) fn node(
        &mut self,
        operator: &str,
        inputs: &[&str],
        attributes: Vec<AttributeProto>,
    ) -> String {
        let name = format!("{operator}_{}", self.nodes.len());
        self.nodes.push(NodeProto {
            input: inputs.iter().map(|&input| input.to_owned()).collect(),
            output: vec![name.clone()],
            name: name.clone(),
            op_type: operator.to_owned(),
            attribute: attributes,
        });
        name
    }

    /// Adds weights and gives their name.
    pub(super) fn weights(&mut self, dims: &[usize], values: &[f32]) -> String {
        let name = format!("weights_{}", self.initializers.len());
        self.initializers.push(TensorProto::floats(&name, &dimensions(dims), values));
        name
    }

    /// A float constant without dimensions.
    pub(super) fn scalar(&mut self, value: f32) -> String {
        self.shared(format!("scalar_{value}"), |name| TensorProto::floats(name, &[], &[value]))
    }

    /// A list of integers, such as a shape.
    pub(super) fn ints(&mut self, values: &[i64]) -> String {
        let list: Vec<String> = values.iter().map(i64::to_string).collect();
        self.shared(format!("ints_{}", list.join("_")), |name| TensorProto::ints(name, values))
    }

    fn shared(&mut self, name: String, make: impl FnOnce(&str) -> TensorProto) -> String {
        if !self.shared.contains_key(&name) {
            self.initializers.push(make(&name));
            self.shared.insert(name.clone(), name.clone());
        }
        name
    }

    /// The finished graph. Each output is the value of that name given with it.
    pub(super) fn finish(
        mut self,
        name: &str,
        inputs: &[(String, Vec<usize>)],
        outputs: &[(String, String, Vec<usize>)],
    ) -> GraphProto {
        for (output, value, _) in outputs {
            self.nodes.push(NodeProto {
                input: vec![value.clone()],
                output: vec![output.clone()],
                name: format!("output_{output}"),
                op_type: "Identity".to_owned(),
                attribute: Vec::new(),
            });
        }
        GraphProto {
            node: self.nodes,
            name: name.to_owned(),
            initializer: self.initializers,
            input: inputs
                .iter()
                .map(|(name, shape)| ValueInfoProto::floats(name, &dimensions(shape)))
                .collect(),
            output: outputs
                .iter()
                .map(|(name, _, shape)| ValueInfoProto::floats(name, &dimensions(shape)))
                .collect(),
        }
    }
}

/// Lengths as ONNX writes them. They come from a checked shape, far below `i64::MAX`.
pub(super) fn dimensions(shape: &[usize]) -> Vec<i64> {
    shape.iter().map(|&length| length as i64).collect()
}
