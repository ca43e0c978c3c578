#!/usr/bin/env python3
"""Draws a person and records what MediaPipe sees. A developer's tool: nothing else needs it.

Writes models/holistic/tests/drawn_person: pictures of a person who waves, drawn of discs and polygons, as no photograph of a person
belongs into the repository; MediaPipe Holistic's landmarks for them; for given regions of the first picture, the
checksum of OpenCV's crop and what the TFLite runtime makes of it; and a JPEG with the checksum of what libjpeg-turbo, which
OpenCV uses, decodes it to.

    python3 -m venv VENV
    VENV/bin/pip install mediapipe==0.10.21 opencv-contrib-python==4.10.0.84 ai-edge-litert==2.3.0
    VENV/bin/python scripts/record_drawn_person.py
"""

import hashlib
import json
import pathlib

import cv2
import mediapipe
import numpy
from ai_edge_litert.interpreter import Interpreter
from mediapipe.python.solutions.holistic import Holistic

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "models/holistic/tests/drawn_person"
MODULES = pathlib.Path(mediapipe.__file__).parent / "modules"
FRAMES = 8
WIDTH, HEIGHT = 480, 360

BACKGROUND = (139, 165, 175)
SKIN, SHADOW, LINE = (224, 172, 140), (176, 122, 96), (150, 100, 80)
HAIR, SHIRT, SEAM = (58, 40, 30), (52, 84, 140), (38, 66, 112)
# OpenCV takes coordinates in 1/8 pixel here.
SHIFT = 3


def eighths(point):
    return tuple(round(float(value) * 2**SHIFT) for value in point)


def mix(one, other, share):
    return tuple(round(a + (b - a) * share) for a, b in zip(one, other))


def between(one, other, share):
    return tuple(a + (b - a) * share for a, b in zip(one, other))


def disc(image, center, radius, colour):
    cv2.circle(image, eighths(center), round(radius * 2**SHIFT), colour, -1, cv2.LINE_AA, SHIFT)


def ellipse(image, center, radii, colour, start=0, end=360, thickness=-1):
    cv2.ellipse(image, eighths(center), eighths(radii), 0, start, end, colour, thickness, cv2.LINE_AA, SHIFT)


def polygon(image, points, colour):
    cv2.fillPoly(image, [numpy.array([eighths(point) for point in points])], colour, cv2.LINE_AA, SHIFT)


def stroke(image, start, end, colour, thickness=1):
    cv2.line(image, eighths(start), eighths(end), colour, thickness, cv2.LINE_AA, SHIFT)


def limb(image, start, end, width, end_width, colour, edge):
    """A tapering limb with round ends and an outline."""
    for outline, fill in ((1.5, edge), (0, colour)):
        for step in range(33):
            share = step / 32
            disc(image, between(start, end, share), (width + (end_width - width) * share) / 2 + outline, fill)


def hand(image, wrist, turn, side, bent):
    """An open hand, fingers up, thumb towards `side` (-1 left, 1 right); ring and little finger bent by 0 to 1."""
    cos, sin = numpy.cos(turn), numpy.sin(turn)

    def place(x, y):
        x, y = -side * x * 1.12, y * 1.12
        return wrist[0] + x * cos - y * sin, wrist[1] + x * sin + y * cos

    fingers = [((-14, -40), (-24, -84), 0), ((-4, -43), (-6, -92), 0), ((6, -41), (11, -86), bent), ((15, -36), (27, -70), bent)]
    for root, tip, bend in fingers:
        tip = between(tip, root, 0.6 * bend)
        limb(image, place(*root), place(*tip), 12, 9.5, SKIN, LINE)
        for joint in (0.35, 0.68):
            x, y = between(root, tip, joint)
            stroke(image, place(x - 3, y), place(x + 3, y), mix(SKIN, LINE, 0.55))
    limb(image, place(-12, -14), place(-30, -36), 14, 12, SKIN, LINE)
    limb(image, place(-30, -36), place(-41, -54), 12, 9.5, SKIN, LINE)
    palm = [(-11, 2), (-18, -16), (-19, -38), (-13, -45), (6, -47), (19, -41), (20, -22), (12, 2)]
    polygon(image, [place(*point) for point in palm], SKIN)
    for start, end in [((-15, -32), (14, -34)), ((-12, -24), (15, -26)), ((-10, -36), (-4, -6))]:
        stroke(image, place(*start), place(*end), mix(SKIN, LINE, 0.4))


def face(image, x, y):
    ellipse(image, (x, y - 18), (54, 62), HAIR)
    for side in (-1, 1):
        ellipse(image, (x + side * 47, y + 2), (8, 14), SHADOW)
    for step in range(12):
        share = step / 11
        shrink = 1 - 0.22 * share
        ellipse(image, (x - 2 * share, y - 3 * share), (46 * shrink, 60 * shrink), mix(SHADOW, SKIN, share))
    ellipse(image, (x, y - 42), (46, 26), HAIR, 180, 360)
    for side in (-1, 1):
        eye = (x + side * 18, y - 8)
        ellipse(image, eye, (10, 6), (235, 235, 235))
        disc(image, eye, 5, (70, 50, 30))
        disc(image, eye, 2.4, (10, 10, 10))
        ellipse(image, (eye[0], eye[1] - 1), (11, 7), (60, 40, 30), 200, 340, 2)
        ellipse(image, (eye[0], eye[1] - 11), (13, 6), (50, 34, 26), 200, 340, 3)
    ellipse(image, (x + 2, y + 8), (7, 6), mix(SKIN, SHADOW, 0.45))
    ellipse(image, (x, y + 6), (7, 6), mix(SKIN, (255, 220, 200), 0.3))
    stroke(image, (x - 1, y - 8), (x - 3, y + 4), mix(SKIN, SHADOW, 0.6), 2)
    for side in (-1, 1):
        disc(image, (x + side * 3.5, y + 11), 1.6, LINE)
    ellipse(image, (x, y + 27), (15, 7), (170, 80, 80))
    ellipse(image, (x, y + 26), (13, 2), (110, 50, 50))


def person(time):
    """RGB; `time` in frames."""
    image = numpy.full((HEIGHT, WIDTH, 3), BACKGROUND, numpy.uint8)
    x = 240 + 6 * numpy.sin(time / 3)
    trunk = [(26, 185), (85, 212), (100, 250), (95, 370)]
    polygon(image, [(x + dx, y) for dx, y in trunk] + [(x - dx, y) for dx, y in reversed(trunk)], SHIRT)
    limb(image, (x, 165), (x, 200), 42, 48, SHADOW, LINE)
    ellipse(image, (x, 192), (27, 16), SKIN)
    face(image, x + 2 * numpy.sin(time / 3), 126)
    for side in (-1, 1):
        shoulder, elbow = (x + side * 84, 232), (x + side * 122, 318)
        wrist = (x + side * 132 + 4 * numpy.sin(time / 2 + side), 236 + 6 * numpy.sin(time / 2.5 + side))
        cuff = between(elbow, wrist, 0.55)
        limb(image, shoulder, elbow, 50, 42, mix(SHIRT, (255, 255, 255), 0.05), SEAM)
        limb(image, cuff, wrist, 31, 23, SKIN, LINE)
        limb(image, elbow, cuff, 43, 36, mix(SHIRT, (255, 255, 255), 0.05), SEAM)
        bent = 0.9 * (0.5 - 0.5 * numpy.cos(time / 2.5)) if side == 1 else 0
        hand(image, (wrist[0], wrist[1] + 2), 0.1 * numpy.sin(time / 3), -side, bent)
    return image


def landmarks(pictures):
    """[frames, 543, 4] on the picture and [frames, 33, 4] in metres, as in MediaPipe's results; NaN where absent."""
    found = numpy.full((len(pictures), 543, 4), numpy.nan, numpy.float32)
    world = numpy.full((len(pictures), 33, 4), numpy.nan, numpy.float32)

    def put(target, part):
        if part:
            target[:] = [(point.x, point.y, point.z, point.visibility) for point in part.landmark]

    with Holistic(model_complexity=1) as holistic:
        for index, picture in enumerate(pictures):
            result = holistic.process(picture)
            put(found[index, :33], result.pose_landmarks)
            put(found[index, 33:501], result.face_landmarks)
            put(found[index, 501:522], result.left_hand_landmarks)
            put(found[index, 522:], result.right_hand_landmarks)
            put(world[index], result.pose_world_landmarks)
    return found, world


def crop(picture, region, side, border):
    """What MediaPipe's CPU path cuts out: region = [x, y, width, height, rotation] in pixels and radians, 8-bit RGB."""
    x, y, width, height, rotation = (numpy.float32(value) for value in region)
    degrees = numpy.float32(numpy.float64(rotation * numpy.float32(180)) / numpy.pi)
    angle = numpy.float64(degrees) * numpy.pi / 180
    b = numpy.float32(numpy.cos(angle)) * numpy.float32(0.5)
    a = numpy.float32(numpy.sin(angle)) * numpy.float32(0.5)
    bottom_left = (x - a * height - b * width, y + b * height - a * width)
    top_left = (x + a * height - b * width, y - b * height - a * width)
    top_right = (2 * x - bottom_left[0], 2 * y - bottom_left[1])
    bottom_right = (2 * x - top_left[0], 2 * y - top_left[1])
    corners = numpy.array([bottom_left, top_left, top_right, bottom_right], numpy.float32)
    tensor = numpy.array([[0, side], [0, 0], [side, 0], [side, side]], numpy.float32)
    matrix = cv2.getPerspectiveTransform(corners, tensor)
    border = cv2.BORDER_CONSTANT if border == "zero" else cv2.BORDER_REPLICATE
    return cv2.warpPerspective(picture, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=border)


# Member of the wheel, side of the input, names of the outputs that are recorded.
NETWORKS = {
    "hand_recrop": ("holistic_landmark/hand_recrop.tflite", 256, ["output_crop"]),
    "hand_landmark": ("hand_landmark/hand_landmark_full.tflite", 224, ["Identity", "Identity_1"]),
    "face_landmark": ("face_landmark/face_landmark.tflite", 192, ["conv2d_21", "conv2d_31"]),
    "pose_landmark": ("pose_landmark/pose_landmark_full.tflite", 256, ["Identity", "Identity_1", "Identity_4"]),
}


def looks(pictures, found):
    """Regions of the first picture for each network, with crop and outputs."""
    size = numpy.array([WIDTH, HEIGHT], numpy.float32)
    for name, (member, side, outputs) in NETWORKS.items():
        parts = {
            "hand_recrop": [found[0, [15, 17, 19], :2], found[0, [16, 18, 20], :2]],
            "hand_landmark": [found[0, 501:522, :2], found[0, 522:, :2]],
            "face_landmark": [found[0, 33:501, :2]],
            "pose_landmark": [found[0, :25, :2]],
        }[name]
        for turn, part in enumerate(parts):
            low, high = (part * size).min(0), (part * size).max(0)
            length = float(max(high - low)) * (2.6 if name == "hand_recrop" else 1.5)
            # A few digits, so that the region is the same number everywhere.
            center = [round(float(value), 2) for value in (low + high) / 2]
            region = [*center, round(length, 2), round(length, 2), round(0.3 - 0.5 * turn, 2)]
            cut = crop(pictures[0], region, side, "replicate")
            interpreter = Interpreter(model_path=str(MODULES / member), num_threads=1)
            interpreter.allocate_tensors()
            step = numpy.float64(numpy.float32(1) / numpy.float32(255))
            interpreter.set_tensor(
                interpreter.get_input_details()[0]["index"], (cut * step).astype(numpy.float32)[numpy.newaxis]
            )
            interpreter.invoke()
            tensors = {o["name"]: interpreter.get_tensor(o["index"]).ravel() for o in interpreter.get_output_details()}
            yield {
                "network": name,
                "side": side,
                "region": region,
                "crop_sha256": hashlib.sha256(cut.tobytes()).hexdigest(),
                "black_border_sha256": hashlib.sha256(crop(pictures[0], region, side, "zero").tobytes()).hexdigest(),
                "outputs": [[float(f"{value:.9g}") for value in tensors[output]] for output in outputs],
            }


def record_jpeg(picture):
    """A JPEG of odd width and height, with one colour for 2 x 2 pixels."""
    odd = cv2.cvtColor(picture[: HEIGHT - 1, : WIDTH - 1], cv2.COLOR_RGB2BGR)
    file = cv2.imencode(".jpg", odd, [cv2.IMWRITE_JPEG_QUALITY, 75])[1]
    (FOLDER / "odd.jpg").write_bytes(file.tobytes())
    decoded = cv2.cvtColor(cv2.imdecode(file, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)
    (FOLDER / "odd.sha256").write_text(hashlib.sha256(decoded.tobytes()).hexdigest() + "\n")


def main():
    FOLDER.mkdir(exist_ok=True)
    pictures = [person(time) for time in range(FRAMES)]
    for index, picture in enumerate(pictures):
        file = FOLDER / f"{index:03}.png"
        cv2.imwrite(str(file), cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_PNG_COMPRESSION, 9])
    record_jpeg(pictures[0])
    found, world = landmarks(pictures)
    for part, start in {"pose": 0, "face": 33, "left hand": 501, "right hand": 522}.items():
        print(f"{part} in {int((~numpy.isnan(found[:, start, 0])).sum())} of {FRAMES} frames")
    numpy.save(FOLDER / "landmarks.npy", found)
    numpy.save(FOLDER / "world.npy", world)
    rows = ",\n".join(json.dumps(look) for look in looks(pictures, found))
    (FOLDER / "looks.json").write_text(f"[\n{rows}\n]\n")


if __name__ == "__main__":
    main()
