#!/usr/bin/env python3
"""Compares Dactyl with MediaPipe Hands where nothing but a hand is in the picture. A developer's tool.

    python3 -m venv VENV && VENV/bin/pip install mediapipe==0.10.21
    make plugins && export GST_PLUGIN_PATH=$PWD/target/release
    VENV/bin/python scripts/compare_with_mediapipe_hands.py SIGNER... --limit 40

SIGNER is a folder with a folder of pictures for each letter, named 0 to 25 or A to Z. Of each letter a square round the hand is cut
out of all pictures alike, its side being 1.6 and 2.5 times the hand's (--box), and enlarged to 480 pixels: what lies beside the
picture is cut off. Where the hand is, Dactyl says on the whole pictures. The tables tell in how many frames which of them finds a hand,
in how many Holistic sees a body, and how many letters win, on the whole pictures and on the cut ones: have the most of all answers.
"""

import argparse
import collections
import json
import pathlib
import sys
import tempfile

import cv2
import numpy
from mediapipe.python.solutions.hands import Hands

from compare_with_mediapipe import LANDMARKS, PARTS, read_clip, run_elements

SIDE = 480
RECOGNISE = "lstm-classifier ! temporal-smoother ! feedback-throttle min-interval=0 min-change=0 format=json-lines"


def letter_of(folder):
    """The letter that a folder is named after."""
    name = folder.name
    return chr(ord("A") + int(name)) if name.isdigit() else name.upper()


def hands_of(landmarks):
    """[frames, 21, 2]: the hand of each frame, the right one of two; NaN where there is none."""
    left, right = (landmarks[:, PARTS[part], :2] for part in ("left hand", "right hand"))
    return numpy.where(numpy.isnan(right), left, right)


def cut(clip, landmarks, factor):
    """The square round the hand, the same in all pictures."""
    height, width = clip[0].shape[:2]
    hands = hands_of(landmarks)
    hands = hands[~numpy.isnan(hands[:, 0, 0])] * numpy.array([width, height])
    low, high = hands.min(1), hands.max(1)
    side = numpy.median((high - low).max(1)) * factor
    left, top = numpy.round(numpy.median((low + high) / 2, 0) - side / 2).astype(int)
    right, bottom = min(width, left + round(side)), min(height, top + round(side))
    left, top = max(0, left), max(0, top)
    scale = SIDE / max(right - left, bottom - top)
    # Even sides, so that a picture's colours are whole.
    size = [round((end - start) * scale / 2) * 2 for start, end in ((left, right), (top, bottom))]
    return [cv2.resize(picture[top:bottom, left:right], size, interpolation=cv2.INTER_CUBIC) for picture in clip]


def mediapipe_hands(clip):
    """Whether there is a hand, frame by frame."""
    with Hands(max_num_hands=1, model_complexity=1) as hands:
        return numpy.array([hands.process(picture).multi_hand_landmarks is not None for picture in clip])


def dactyl(clip, settings):
    """Landmarks, and the letter with the most answers."""
    with tempfile.NamedTemporaryFile() as file:
        rest = f"! tee name=found found. ! queue ! filesink location={file.name} found. ! queue ! {RECOGNISE}"
        lines = run_elements(clip, None, settings, "", rest.split()).decode().splitlines()
        landmarks = numpy.fromfile(file.name, "<f4").reshape(len(clip), LANDMARKS, 4)
    answers = collections.Counter(json.loads(line)["maxarg_letter"] for line in lines)
    return landmarks, answers.most_common(1)[0][0] if answers else ""


def is_there(hands):
    return ~numpy.isnan(hands[:, 0, 0])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("signers", nargs="+", type=pathlib.Path, metavar="SIGNER")
    parser.add_argument("--limit", type=int, default=0, help="frames of each letter")
    parser.add_argument("--box", type=float, action="append", help="sides of the squares in sizes of the hand [1.6, 2.5]")
    arguments = parser.parse_args()

    ways = {"before": ["hands-alone=false"], "exact": ["hands-alone=true"], "fast": ["hands-alone=true", "profile=fast"]}
    for signer in arguments.signers:
        shares, letters = collections.defaultdict(list), collections.defaultdict(dict)
        folders = sorted((folder for folder in signer.iterdir() if folder.is_dir()), key=letter_of)
        for folder in folders:
            letter = letter_of(folder)
            whole = read_clip(folder, arguments.limit)
            landmarks, letters["whole", "before"][letter] = dactyl(whole, [])
            for box in arguments.box or [1.6, 2.5]:
                clip = cut(whole, landmarks, box)
                shares[box, "MediaPipe Hands"].append(mediapipe_hands(clip))
                for way, settings in ways.items():
                    found, letters[box, way][letter] = dactyl(clip, settings)
                    shares[box, way].append(is_there(hands_of(found)))
                    if way == "before":
                        shares[box, "a body"].append(~numpy.isnan(found[:, 0, 0]))
            print(f"{signer} {letter}", {key: won[letter] for key, won in letters.items()}, file=sys.stderr, flush=True)
        print(f"\n{signer}, {len(folders)} letters")
        for (box, way), frames in shares.items():
            frames = numpy.concatenate(frames)
            print(f"  box {box}: {way}: {frames.mean():.1%} of {len(frames)} frames")
        for (box, way), won in letters.items():
            wrong = " ".join(f"{letter}:{won[letter] or '-'}" for letter in won if won[letter] != letter)
            right = sum(letter == best for letter, best in won.items())
            print(f"  box {box}: {way}: {right} of {len(won)} letters; not {wrong}")


if __name__ == "__main__":
    main()
