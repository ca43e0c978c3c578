#!/usr/bin/env python3
"""Records what the TFLite runtime computes, for the test of our kernels. A developer's tool: nothing else needs it.

Writes models/kernels/tests/tflite_reference.json: for each network and output the sum, the sum of magnitudes and a few dozen
elements, on a fixed picture that the test computes too.

    python3 -m venv VENV && VENV/bin/pip install ai-edge-litert==2.3.0 numpy
    VENV/bin/python scripts/record_tflite_reference.py MEDIAPIPE_WHEEL
"""

import json
import pathlib
import sys
import zipfile

import numpy
from ai_edge_litert.interpreter import Interpreter

# Name, member of the wheel, range of the input, outputs that are pruned: as the tracker loads them.
NETWORKS = [
    ("pose_detection", "pose_detection/pose_detection.tflite", (-1, 1), []),
    ("pose_landmark", "pose_landmark/pose_landmark_full.tflite", (0, 1), [2]),
    ("palm_detection", "palm_detection/palm_detection_full.tflite", (0, 1), []),
    ("hand_recrop", "holistic_landmark/hand_recrop.tflite", (0, 1), []),
    ("hand_landmark", "hand_landmark/hand_landmark_full.tflite", (0, 1), []),
    ("face_detection", "face_detection/face_detection_short_range.tflite", (-1, 1), []),
    ("face_landmark", "face_landmark/face_landmark.tflite", (0, 1), []),
]
SAMPLES = 48


def picture(height, width, low, high):
    """Triangle waves and noise, 8 bit, the same in models/kernels/tests/tflite.rs."""
    y, x, c = numpy.meshgrid(
        numpy.arange(height), numpy.arange(width), numpy.arange(3), indexing="ij"
    )
    wave = abs((3 * x + 40 * c) % 256 - 128) + abs((2 * y + 90 * c) % 256 - 128)
    noise = ((y * width + x) * 3 + c) * 2654435761 % 2**32 >> 27
    level = (wave * 7 // 8 + noise).astype(numpy.float32)
    span = numpy.float32(high - low)
    return (level / numpy.float32(255) * span + numpy.float32(low))[numpy.newaxis]


def run(model, low, high):
    interpreter = Interpreter(model_content=model, num_threads=1)
    interpreter.allocate_tensors()
    shape = interpreter.get_input_details()[0]["shape"]
    interpreter.set_tensor(
        interpreter.get_input_details()[0]["index"], picture(shape[1], shape[2], low, high)
    )
    interpreter.invoke()
    return [
        (output["name"], interpreter.get_tensor(output["index"]))
        for output in interpreter.get_output_details()
    ]


def main():
    wheel = zipfile.ZipFile(sys.argv[1])
    networks = []
    for name, member, (low, high), pruned in NETWORKS:
        model = wheel.read("mediapipe/modules/" + member)
        results = run(model, low, high)
        outputs = []
        for index, (output, values) in enumerate(results):
            if index in pruned:
                continue
            flat = values.ravel()
            places = sorted({int(i) for i in numpy.linspace(0, flat.size - 1, SAMPLES)})
            outputs.append(
                {
                    "name": output,
                    "shape": list(values.shape),
                    "sum": float(flat.astype(numpy.float64).sum()),
                    "magnitude": float(abs(flat.astype(numpy.float64)).sum()),
                    "samples": [[i, float(f"{flat[i]:.8g}")] for i in places],
                }
            )
        networks.append({"name": name, "range": [low, high], "outputs": outputs})
    target = pathlib.Path(__file__).parent.parent / "models/kernels/tests/tflite_reference.json"
    lines = ",\n".join(json.dumps(network) for network in networks)
    target.write_text("[\n" + lines + "\n]\n")


if __name__ == "__main__":
    main()
