"""One `InferenceSession.run` alone: CPU µs for one row and for a thousand.

.venv/serve/bin/python -m bench.scorer.raw_session BUNDLE ROWS.json SECONDS

For the released graph, and for its faster core, if the bundle has one.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import onnxruntime


def main(bundle: Path, rows: list[dict[str, Any]], seconds: float) -> dict[str, Any]:
    """name -> CPU and wall µs of a run: `model` and `core`, for one row and for all of *rows*."""
    found = {}
    for name in ("model", "core"):
        path = bundle / f"{name}.onnx"
        if not path.is_file():
            continue
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        session = onnxruntime.InferenceSession(str(path), options, ["CPUExecutionProvider"])
        for count in (1, len(rows)):
            found[f"{name} {count}"] = _timed(run(session, rows[:count]), seconds)
    return found


def run(session: onnxruntime.InferenceSession, rows: list[dict[str, Any]]) -> Callable[[], Any]:
    """A run with prepared tensors; their values do not change the cost."""
    inputs, fed = session.get_inputs(), {}
    if len(inputs) == 1:
        shape = (len(rows), *inputs[0].shape[1:])
        fed[inputs[0].name] = np.random.default_rng(0).random(shape, dtype=np.float32)
    for one in inputs if len(inputs) > 1 else ():
        kind = object if "string" in one.type else np.float32
        fed[one.name] = np.array([[row[one.name]] for row in rows], dtype=kind)
    output = session.get_outputs()[-1].name
    return lambda: session.run([output], fed)


def _timed(run: Callable[[], Any], seconds: float) -> dict[str, float]:
    for _ in range(20):
        run()
    cpu, wall = [], []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:  # in batches of a hundredth of a second, then the median
        count, began, worked = 0, time.perf_counter(), time.process_time()
        while time.perf_counter() - began < 0.01 or not count:
            run()
            count += 1
        cpu.append((time.process_time() - worked) / count * 1e6)
        wall.append((time.perf_counter() - began) / count * 1e6)
    return {"cpu": median(cpu), "wall": median(wall)}


if __name__ == "__main__":
    pairs = json.loads(Path(sys.argv[2]).read_text())
    print(json.dumps(main(Path(sys.argv[1]), [row for row, _ in pairs], float(sys.argv[3]))))
