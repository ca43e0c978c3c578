#!/usr/bin/env python3
"""Compares Dactyl's landmarks with MediaPipe Holistic's on pictures of a folder, or on a video. A developer's tool.

    python3 -m venv VENV && VENV/bin/pip install mediapipe==0.10.21
    make plugins && export GST_PLUGIN_PATH=$PWD/target/release
    VENV/bin/python scripts/compare_with_mediapipe.py FOLDER_OR_VIDEO... --plot deviation.png

Every folder (its pictures in natural order) and every video is one clip: both trackers begin anew and see the same
pixels in the same order, 33.333 ms apart. Dactyl's are those of the element `holistic-keypoints`, with `hands-alone=false`, as MediaPipe Holistic finds no
hand without a body. Distances are in pixels
of the picture, over landmarks that both have and that lie in the picture; of the pose only those that are visible (> 0.5).
With --jpeg both see the same JPEG files: MediaPipe as libjpeg-turbo decodes them (through OpenCV), Dactyl as the pipeline
`recognise` does.
"""

import argparse
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import tomllib

import cv2
import numpy

ROOT = pathlib.Path(__file__).resolve().parent.parent
LANDMARKS = 543
PARTS = {
    "pose": slice(0, 33),
    "face": slice(33, 501),
    "left hand": slice(501, 522),
    "right hand": slice(522, 543),
}
PICTURES = {".png", ".jpg", ".jpeg", ".bmp", ".webp"}
# MediaPipe's Python solution gives its k-th frame the time k * 33333 us, whatever the real rate.
RATE = "1000000/33333"


def natural(path):
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", path.name)]


def read_clip(path, limit):
    """The clip's RGB pictures, all of one size; larger and smaller ones are left out."""
    if path.is_dir():
        files = sorted((file for file in path.iterdir() if file.suffix.lower() in PICTURES), key=natural)
        pictures = (cv2.imread(str(file)) for file in files)
    else:
        pictures = read_video(path)
    clip, left_out = [], 0
    for picture in pictures:
        if limit and len(clip) == limit:
            break
        if picture is None or (clip and picture.shape != clip[0].shape):
            left_out += 1
            continue
        clip.append(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB))
    if left_out:
        print(f"{path}: {left_out} files left out: unreadable, or of another size than the first", file=sys.stderr)
    if not clip:
        sys.exit(f"{path} holds no picture and is no video that OpenCV can read")
    return clip


def read_video(path):
    video = cv2.VideoCapture(str(path))
    while True:
        read, picture = video.read()
        if not read:
            return
        yield picture


def through_jpeg(clip, quality):
    """The pictures as JPEG files, and what libjpeg-turbo makes of them."""
    encode = [cv2.IMWRITE_JPEG_QUALITY, quality]
    files = [cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), encode)[1] for picture in clip]
    decoded = [cv2.cvtColor(cv2.imdecode(file, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB) for file in files]
    return [file.tobytes() for file in files], decoded


def changed_invisibly(clip):
    """The pictures with one value in ten thousand changed by one level."""
    changed = [picture.copy() for picture in clip]
    for picture in changed:
        picture.reshape(-1)[::9973] ^= 1
    return changed


def mediapipe_landmarks(clip):
    from mediapipe.python.solutions.holistic import Holistic

    found = numpy.full((len(clip), LANDMARKS, 4), numpy.nan, numpy.float32)
    with Holistic(model_complexity=1) as holistic:
        for frame, picture in zip(found, clip):
            result = holistic.process(picture)
            for part, landmarks in [
                ("pose", result.pose_landmarks),
                ("face", result.face_landmarks),
                ("left hand", result.left_hand_landmarks),
                ("right hand", result.right_hand_landmarks),
            ]:
                if landmarks:
                    frame[PARTS[part]] = [(p.x, p.y, p.z, p.visibility) for p in landmarks.landmark]
    return found


def decoder():
    """How pipelines/recognise.toml comes from JPEG to RGB."""
    launch = tomllib.loads((ROOT / "pipelines/recognise.toml").read_text())["launch"]
    elements = [element.strip() for element in launch.split("!")]
    names = [element.split()[0] for element in elements]
    return " ! ".join(elements[names.index("jpegdec") : names.index("holistic-keypoints")])


def run_elements(clip, files, settings, decode, rest=()):
    """What comes of the clip behind the tracker and the elements of `rest`; of `files`, decoded by GStreamer, if there are any."""
    # A key with a dot is the configuration's, any other one a property of the element.
    environment = dict(os.environ)
    properties = ["clock=fixed", "hands-alone=false"]
    for setting in settings:
        key, separator, value = setting.partition("=")
        if not separator:
            sys.exit(f"--set {setting}: KEY=VALUE is expected")
        if "." in key:
            environment["DACTYL_" + key.replace(".", "__").upper()] = value
        else:
            properties.append(setting)
    element = ["holistic-keypoints", *properties, *rest]

    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        height, width = clip[0].shape[:2]
        if files:
            for index, file in enumerate(files):
                (folder / f"{index:06}.jpg").write_bytes(file)
            caps = f"caps=image/jpeg,framerate={RATE}"
            source = ["multifilesrc", f"location={folder}/%06d.jpg", caps, "!", *decode.split()]
        else:
            # GStreamer pads rows to four bytes.
            padding = ((0, 0), (0, -width * 3 % 4))
            rows = (numpy.pad(picture.reshape(height, width * 3), padding) for picture in clip)
            with open(folder / "pictures", "wb") as pictures:
                for picture in rows:
                    pictures.write(picture.tobytes())
            shape = ["format=rgb", f"width={width}", f"height={height}", f"framerate={RATE}"]
            source = ["filesrc", f"location={folder}/pictures", "!", "rawvideoparse", *shape]
        sink = ["filesink", f"location={folder}/results"]
        command = ["gst-launch-1.0", "-q", *source, "!", *element, "!", *sink]
        if subprocess.run(command, env=environment, cwd=ROOT).returncode:
            sys.exit("GStreamer failed, as it says above; `make plugins` builds the element")
        return (folder / "results").read_bytes()


def dactyl_landmarks(clip, files, settings, decode):
    """Landmarks of the element; of `files`, decoded by GStreamer, if there are any, else of `clip`."""
    found = numpy.frombuffer(run_elements(clip, files, settings, decode), "<f4").reshape(-1, LANDMARKS, 4)
    if len(found) != len(clip):
        sys.exit(f"GStreamer gave landmarks of {len(found)} pictures, not {len(clip)}")
    return found


def compare(reference, found, width, height):
    """Per part: frames with it, frames that differ in its presence, distances in pixels, frames of the distances."""
    result = {}
    for part, landmarks in PARTS.items():
        expected, ours = reference[:, landmarks], found[:, landmarks]
        has_expected = ~numpy.isnan(expected[:, 0, 0])
        has_ours = ~numpy.isnan(ours[:, 0, 0])
        counts = ((expected[:, :, :2] >= 0) & (expected[:, :, :2] <= 1)).all(2)
        counts &= (has_expected & has_ours)[:, None]
        if part == "pose":
            counts &= expected[:, :, 3] > 0.5
        distance = numpy.hypot(*((ours - expected)[:, :, axis] * size for axis, size in enumerate((width, height))))
        result[part] = {
            "frames": int(has_expected.sum()),
            "differing": numpy.flatnonzero(has_expected != has_ours),
            "distances": distance[counts],
            "by_frame": numpy.nanmean(numpy.where(counts, distance, numpy.nan), 1) if counts.any() else None,
        }
    return result


def merge(results):
    merged = {}
    for part in PARTS:
        merged[part] = {
            "frames": sum(result[part]["frames"] for result in results),
            "differing": numpy.concatenate([result[part]["differing"] for result in results]),
            "distances": numpy.concatenate([result[part]["distances"] for result in results]),
        }
    return merged


def table(title, frames, result):
    rows = []
    print(f"\n{title}, {frames} frames")
    print(f"  {'part':<11} {'frames with it':>14} {'presence differs':>17} {'mean px':>8} {'p99 px':>8} {'max px':>8}")
    for part, figures in result.items():
        distances = figures["distances"]
        values = (
            [distances.mean(), numpy.percentile(distances, 99), distances.max()] if len(distances) else [numpy.nan] * 3
        )
        print(
            f"  {part:<11} {figures['frames']:>14} {len(figures['differing']):>17}"
            + "".join(f" {value:>8.3f}" for value in values)
        )
        rows.append(
            {
                "part": part,
                "frames": figures["frames"],
                "presence_differs": len(figures["differing"]),
                "landmarks": len(distances),
                **dict(zip(["mean", "p99", "max"], map(float, values))),
            }
        )
    return rows


def plot(results, file):
    try:
        import matplotlib
    except ImportError:
        sys.exit("--plot needs matplotlib: pip install matplotlib")
    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, rows = pyplot.subplots(len(results), 1, figsize=(10, 2.6 * len(results)), squeeze=False)
    for (title, result), axes in zip(results.items(), rows[:, 0]):
        for colour, (part, figures) in enumerate(result.items()):
            if figures["by_frame"] is not None:
                axes.plot(figures["by_frame"], label=part, linewidth=1, color=f"C{colour}")
            axes.plot(figures["differing"], [0] * len(figures["differing"]), "x", color=f"C{colour}")
        axes.set(title=title, ylabel="mean px", yscale="symlog")
        axes.set_yticks([0, 0.5, 1, 2, 5, 10, 50])
        axes.get_yaxis().set_major_formatter(matplotlib.ticker.ScalarFormatter())
        axes.set_ylim(bottom=0)
        axes.grid(alpha=0.3)
    rows[0, 0].legend(loc="upper right", ncols=4, fontsize="small")
    rows[-1, 0].set_xlabel("frame (x: presence differs)")
    figure.tight_layout()
    figure.savefig(file, dpi=120)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("clips", nargs="+", type=pathlib.Path, metavar="CLIP", help="folder of pictures, or video")
    parser.add_argument("--limit", type=int, default=0, help="frames of each clip")
    parser.add_argument("--jpeg", type=int, metavar="QUALITY", help="code the pictures as JPEG; each decodes on its own")
    parser.add_argument("--decoder", default=decoder(), help="elements from JPEG to RGB [%(default)s]")
    parser.add_argument(
        "--floor", action="store_true", help="also MediaPipe against itself, a few values changed by one level"
    )
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="a key of the configuration, or a property"
    )
    parser.add_argument("--plot", type=pathlib.Path, metavar="FILE", help="deviation over time, one graph a clip")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="the figures")
    arguments = parser.parse_args()

    results, floor, jpeg_alone, figures, frames = {}, [], [], {}, 0
    for path in arguments.clips:
        clip = read_clip(path, arguments.limit)
        height, width = clip[0].shape[:2]
        files = None
        seen = clip
        if arguments.jpeg:
            files, seen = through_jpeg(clip, arguments.jpeg)
        reference = mediapipe_landmarks(seen)
        found = dactyl_landmarks(seen, files, arguments.set, arguments.decoder)
        results[str(path)] = compare(reference, found, width, height)
        if arguments.floor:
            floor.append(compare(reference, mediapipe_landmarks(changed_invisibly(seen)), width, height))
        if arguments.jpeg:
            jpeg_alone.append(compare(mediapipe_landmarks(clip), reference, width, height))
        frames += len(clip)
        figures[str(path)] = table(f"{path}, {width} x {height}", len(clip), results[str(path)])
    if len(results) > 1:
        figures["all"] = table("all clips", frames, merge(list(results.values())))
    if floor:
        title = "MediaPipe against itself, one value in ten thousand changed by one level"
        figures["floor"] = table(title, frames, merge(floor))
    if jpeg_alone:
        title = f"MediaPipe itself, JPEG of quality {arguments.jpeg} against the pictures before"
        figures["jpeg alone"] = table(title, frames, merge(jpeg_alone))
    if arguments.json:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n")
    if arguments.plot:
        plot(results, arguments.plot)


if __name__ == "__main__":
    main()
