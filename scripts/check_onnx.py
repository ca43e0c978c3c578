#!/usr/bin/env python3
"""Loads classifiers as others would: the checker and the shape inference of the `onnx` package (which is what viewers
such as Netron rely on), and a run in ONNX Runtime's Python.

    python3 -m venv venv
    venv/bin/pip install onnx==1.23.2 onnxruntime==1.32.0
    venv/bin/python scripts/check_onnx.py models/weights/letters.onnx

Prints what each file is and ends with an error at the first that is not in order.
"""

import json
import sys

import numpy
import onnx
import onnxruntime


def check(path):
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    inferred = onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
    known = {value.name for value in (*inferred.graph.value_info, *inferred.graph.output)}
    unknown = [name for node in model.graph.node for name in node.output if name and name not in known]
    if unknown:
        sys.exit(f"{path}: no shape can be inferred for {', '.join(unknown)}")

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    metadata = session.get_modelmeta().custom_metadata_map
    labels = json.loads(metadata["labels"])
    [source], [result] = session.get_inputs(), session.get_outputs()
    shape = [length if isinstance(length, int) else 1 for length in source.shape]
    random = numpy.random.default_rng(1)
    windows = random.standard_normal(shape).astype(numpy.float32)
    [answer] = session.run([result.name], {source.name: windows})
    if answer.shape != (shape[0], len(labels)):
        sys.exit(f"{path}: gives {answer.shape} for {len(labels)} labels")
    if metadata["output"] == "probabilities" and abs(float(answer.sum()) - shape[0]) > 1e-4:
        sys.exit(f"{path}: probabilities sum to {answer.sum()}")

    operators = sorted({node.op_type for node in model.graph.node})
    print(f"{path}: IR {model.ir_version}, opset {model.opset_import[0].version}, {', '.join(operators)}")
    print(f"  {source.name} {source.shape} -> {result.name} {result.shape}, {len(labels)} labels, {metadata['features']}")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    for path in sys.argv[1:]:
        check(path)
