"""Photos through the gateway, beside the same work done by libraries in one process.

`/predict` of a 12-megapixel JPEG beside Pillow's own decoding and resizing to the size of the
model; `/warp` of a 1-megapixel JPEG beside OpenCV's decoding, warp and PNG. The gateway runs the
models itself and is asked over HTTP; everyone takes turns.
"""

import argparse
import http.client
import importlib.metadata
import io
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

import numpy as np
from PIL import Image
from tqdm import tqdm

from benchmarks.serving.goals import Goal, markdown
from benchmarks.serving.machine import machine
from benchmarks.serving.picture import SIDE
from tests.service.gateway_process import start_gateway
from tests.service.pictures import encoded, photo

MODELS = Path(__file__).parents[2] / "models"
LARGE, MIDDLE = (3000, 4000), (1000, 1000)  # height, width
PILLOW_12MP, GATEWAY_12MP = "Pillow: decode and resize 12 MP", "gateway: /predict of 12 MP"
OPENCV_1MP, GATEWAY_1MP = "OpenCV: decode, warp, PNG of 1 MP", "gateway: /warp of 1 MP"
_THETA = (0.9, -0.2, 0.0, 0.2, 0.9, 0.0)  # turns and enlarges a little


def main() -> int:
    """Measure, and print times and goals; 1 if a goal was missed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.photos", description=__doc__)
    parser.add_argument("--models", type=Path, default=MODELS)
    parser.add_argument("--rounds", type=int, default=15, help="turns of each")
    parser.add_argument("--calls", type=int, default=3, help="calls in a turn")
    parser.add_argument("--figures", type=Path, help="write all figures there, as JSON")
    options = parser.parse_args()
    try:
        import cv2
    except ImportError:
        print("OpenCV is not installed: pip install 'opencv-python-headless>=5'", file=sys.stderr)
        return 2
    cv2.setNumThreads(1)
    large = encoded(photo(*LARGE), "JPEG", quality=85)
    middle = encoded(photo(*MIDDLE), "JPEG", quality=85)
    with _gateway(options.models) as ask:
        milliseconds = _race(
            {
                PILLOW_12MP: lambda: _decode_and_resize(large),
                GATEWAY_12MP: lambda: ask("/predict", large),
                OPENCV_1MP: lambda: _decode_and_warp(cv2, middle),
                GATEWAY_1MP: lambda: ask(f"/warp?theta={','.join(map(str, _THETA))}", middle),
            },
            options.rounds,
            options.calls,
        )
    versions = {name: importlib.metadata.version(name) for name in ("pillow", "tensorflow")}
    told = ", ".join(f"{name} {version}" for name, version in versions.items())
    print(f"\n{machine()}; {told}, opencv {cv2.__version__}; medians of {options.rounds} turns\n")
    print("| | ms |\n|---|---|")
    for name, value in milliseconds.items():
        print(f"| {name} | {value:.1f} |")
    goals = [
        Goal("/predict, 12 MP, p50", 0.6, milliseconds[GATEWAY_12MP] / milliseconds[PILLOW_12MP]),
        Goal("/warp, 1 MP, p50", 2.0, milliseconds[GATEWAY_1MP] / milliseconds[OPENCV_1MP]),
    ]
    print(f"\n{markdown(goals)}")
    if options.figures:
        figures = {"machine": machine(), "versions": versions, "milliseconds": milliseconds}
        options.figures.write_text(json.dumps(figures, indent=1) + "\n")
    return int(any(goal.verdict == "miss" for goal in goals))


@contextmanager
def _gateway(models: Path) -> Iterator[Callable[[str, bytes], bytes]]:
    """Start a gateway; give a function that posts a JPEG to a path and returns the answer."""
    with start_gateway(models, "--access-log-sample", "0", patient=False) as gateway:
        gateway.wait_until_ready()
        connection = http.client.HTTPConnection(gateway.url.removeprefix("http://"), timeout=60)

        def ask(path: str, body: bytes) -> bytes:
            connection.request("POST", path, body, {"Content-Type": "image/jpeg"})
            answer = connection.getresponse()
            content = answer.read()
            if answer.status != 200:
                raise RuntimeError(f"{path}: {answer.status} {content!r}")
            return content

        yield ask
        connection.close()


def _decode_and_resize(content: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(content)) as picture:
        return np.asarray(picture.convert("L").resize((SIDE, SIDE), Image.Resampling.LANCZOS))


def _decode_and_warp(cv2: ModuleType, content: bytes) -> bytes:
    picture = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    height, width = picture.shape[:2]
    # The picture is square and theta shifts nothing: in pixels it is the same about the centre.
    linear = np.array(_THETA).reshape(2, 3)[:, :2]
    centre = np.array([(width - 1) / 2, (height - 1) / 2])
    matrix = np.column_stack([linear, centre - linear @ centre])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    warped = cv2.warpAffine(picture, matrix, (width, height), flags=flags)
    done, png = cv2.imencode(".png", warped)
    assert done
    return bytes(png)


def _race(candidates: dict[str, Callable[[], object]], rounds: int, calls: int) -> dict[str, float]:
    """Return the median milliseconds of a call of each; their order changes from turn to turn."""
    times: dict[str, list[float]] = {name: [] for name in candidates}
    names = list(candidates)
    for turn in tqdm(range(rounds + 1), "turns"):
        for name in names if turn % 2 else reversed(names):
            for _ in range(calls):
                start = time.perf_counter()
                candidates[name]()
                if turn:  # the first one warms up
                    times[name].append(1e3 * (time.perf_counter() - start))
    return {name: statistics.median(values) for name, values in times.items()}


if __name__ == "__main__":
    sys.exit(main())
