#!/usr/bin/env python3
"""Records what MediaPipe Hands sees on crops round the drawn person's hands. A developer's tool: nothing else needs it.

Writes models/holistic/tests/drawn_person/hands_alone.json: for a crop of the pictures there round either hand, in which
MediaPipe Holistic finds nobody, the stages of MediaPipe Hands frame by frame: palm, regions, presence, handedness, landmarks.

    python3 -m venv VENV && VENV/bin/pip install mediapipe==0.10.21
    VENV/bin/python scripts/record_hands_alone.py
"""

import json
import pathlib

import cv2
import numpy
from mediapipe.python.solution_base import SolutionBase
from mediapipe.python.solutions import hands
from mediapipe.python.solutions.holistic import Holistic

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "models/holistic/tests/drawn_person"
# Left, top, right, bottom.
CROPS = {"left": (261, 76, 480, 298), "right": (16, 76, 229, 288)}
# Pictures in the order in which they come; None is a grey one, in which the hand is lost.
ORDER = [4, 5, 6, 7, 6, 5, 4, 3, None, 5, 6, 7]
GREY = 127


class Hands(SolutionBase):
    """MediaPipe Hands for one hand, as mp.solutions.hands sets it up, with its inner stages."""

    def __init__(self):
        super().__init__(
            binary_graph_path=hands._BINARYPB_FILE_PATH,
            side_inputs={"model_complexity": 1, "num_hands": 1, "use_prev_landmarks": True},
            calculator_params={
                "palmdetectioncpu__TensorsToDetectionsCalculator.min_score_thresh": 0.5,
                "handlandmarkcpu__ThresholdingCalculator.threshold": 0.5,
            },
            outputs=[
                "multi_hand_landmarks",
                "palm_detections",
                "hand_rects_from_palm_detections",
                "hand_rects_from_landmarks",
                "handlandmarkcpu__hand_presence_score",
                "multi_handedness",
            ],
        )


def number(value):
    """The shortest text that is the same float32."""
    return float(f"{value:.9g}")


def region(rects):
    if not rects:
        return None
    rect = rects[0]
    return [number(v) for v in (rect.x_center, rect.y_center, rect.width, rect.height, rect.rotation)]


def stages(found):
    palm = None
    if found.palm_detections:
        location = found.palm_detections[0].location_data
        box = location.relative_bounding_box
        palm = {
            "score": number(found.palm_detections[0].score[0]),
            "box": [number(v) for v in (box.xmin, box.ymin, box.width, box.height)],
            "keypoints": [[number(point.x), number(point.y)] for point in location.relative_keypoints],
        }
    landmarks, right_handed = None, None
    if found.multi_hand_landmarks:
        landmarks = [[number(v) for v in (p.x, p.y, p.z)] for p in found.multi_hand_landmarks[0].landmark]
        # Its label is that of a mirrored picture.
        best = found.multi_handedness[0].classification[0]
        right_handed = best.label == "Left"
    presence = found.handlandmarkcpu__hand_presence_score
    return {
        "palm": palm,
        "region_from_palm": region(found.hand_rects_from_palm_detections),
        "presence": None if presence is None else number(presence),
        "right_handed": right_handed,
        "landmarks": landmarks,
        "next_region": region(found.hand_rects_from_landmarks),
    }


def main():
    clips = []
    for side, (left, top, right, bottom) in CROPS.items():
        frames = []
        with Hands() as hands_alone, Holistic(model_complexity=1) as holistic:
            for index in ORDER:
                if index is None:
                    picture = numpy.full((bottom - top, right - left, 3), GREY, numpy.uint8)
                else:
                    whole = cv2.cvtColor(cv2.imread(str(FOLDER / f"{index:03}.png")), cv2.COLOR_BGR2RGB)
                    picture = numpy.ascontiguousarray(whole[top:bottom, left:right])
                assert holistic.process(picture).pose_landmarks is None, "there is a person"
                frames.append({"picture": index, **stages(hands_alone.process(picture))})
        print(side, "hand in frames", [i for i, frame in enumerate(frames) if frame["landmarks"]])
        clips.append({"side": side, "crop": CROPS[side], "frames": frames})
    text = ",\n".join(
        json.dumps({"side": clip["side"], "crop": clip["crop"]})[:-1]
        + ', "frames": [\n'
        + ",\n".join(json.dumps(frame) for frame in clip["frames"])
        + "\n]}"
        for clip in clips
    )
    (FOLDER / "hands_alone.json").write_text(f"[\n{text}\n]\n")


if __name__ == "__main__":
    main()
