"""CPU time per frame of MediaPipe Holistic in Python, JPEG decoding included. Run by dactyl-bench.

python mediapipe_frames.py FOLDER FRAMES

Analyses WARM_UP frames of the folder's JPEGs, then FRAMES more, beginning anew at the folder's end. Prints one JSON
line: for each of the latter the milliseconds of CPU time that the process spent, all threads together, and whether
pose, face, left and right hand were found.
"""
import json
import pathlib
import sys
import time

import cv2
import mediapipe as mp
import numpy as np

WARM_UP = 32  # as dactyl-bench does with ours

folder, frames = pathlib.Path(sys.argv[1]), int(sys.argv[2])
# In the order of their numbers, as dactyl-bench sorts them.
paths = sorted(folder.glob("*.jpg"), key=lambda path: (len(str(path)), str(path)))
jpegs = [path.read_bytes() for path in paths]

holistic = mp.solutions.holistic.Holistic(static_image_mode=False, model_complexity=1)
analysed = []
begin = time.process_time()
for number in range(WARM_UP + frames):
    bgr = cv2.imdecode(np.frombuffer(jpegs[number % len(jpegs)], np.uint8), cv2.IMREAD_COLOR)
    if bgr is None:
        sys.exit(f"{paths[number % len(jpegs)]} is no picture that OpenCV can decode")
    found = holistic.process(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB))
    parts = (found.pose_landmarks, found.face_landmarks, found.left_hand_landmarks, found.right_hand_landmarks)
    end = time.process_time()
    if number >= WARM_UP:
        pose, face, left_hand, right_hand = (part is not None for part in parts)
        analysed.append(dict(
            cpu_ms=1e3 * (end - begin), pose=pose, face=face, left_hand=left_hand, right_hand=right_hand))
    begin = end
print(json.dumps(analysed))
