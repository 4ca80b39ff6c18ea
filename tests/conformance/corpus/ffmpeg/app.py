"""Moving pictures by the ffmpeg program that comes in a wheel."""

import subprocess
import tempfile
from pathlib import Path

import imageio_ffmpeg


def run(*arguments):
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-loglevel", "error", *arguments]
    return subprocess.run(command, capture_output=True, check=True).stdout


def version(event):
    return imageio_ffmpeg.get_ffmpeg_version().split(".")[0].isdigit()


def pattern(event):
    made = run("-f", "lavfi", "-i", "testsrc=size=16x16:rate=5:duration=1", "-f", event["format"], "-")
    return made[: event["head"]].hex()


def written(event):
    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder, f"a.{event['container']}"))
        writer = imageio_ffmpeg.write_frames(file, (16, 16), fps=5, macro_block_size=1)
        writer.send(None)
        for _ in range(5):
            writer.send(bytes(16 * 16 * 3))
        writer.close()
        frames = imageio_ffmpeg.read_frames(file)
        return [next(frames)["size"], imageio_ffmpeg.count_frames_and_secs(file)[0]]


def codecs(event):
    found = run("-codecs").decode()
    return [name in found for name in event["names"]]


def handler(event, context):
    actions = (version, pattern, written, codecs)
    return {action.__name__: action for action in actions}[event["do"]](event)
