"""What computes the scores: ONNX Runtime on the full graph, or on its core where that is proven.

The full graph takes one tensor per feature, strings among them. The core takes one matrix, which
`bundles.onnx_core.Encoder` fills.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
import onnxruntime

from bundles.onnx_core import INPUT, OUTPUT, Encoder, numbers
from contracts.row_contract import Contract

Scores = np.ndarray[Any, np.dtype[np.float32]]
Rows = Sequence[Mapping[str, Any]]
#: Rows of a trial that are also scored alone, since one row may be summed in another order.
SINGLE_ROWS = 64
#: ONNX Runtime's setting of the folder that holds the data outside of a model.
_OUTSIDE = "session.model_external_initializers_file_folder_path"


class Engine(Protocol):
    """Computes a model's raw output, of shape (n, columns), for rows that fit the contract.

    `score_each` scores each row alone, since a sum over several rows may be taken in another order.
    """

    @property
    def session(self) -> onnxruntime.InferenceSession: ...

    def score(self, rows: Rows) -> Scores: ...

    def score_each(self, rows: Rows) -> Scores: ...

    def score_columns(self, columns: Mapping[str, Sequence[Any]]) -> Scores: ...


class NoGraph:
    """The engine of a bundle that is only described. Everything raises RuntimeError."""

    @property
    def session(self) -> onnxruntime.InferenceSession:
        """Not there."""
        return self.score(None)

    def score(self, _: Any) -> Any:
        """Not there."""
        raise RuntimeError("this bundle is only described here; Bundle.load makes one that scores")

    score_each = score_columns = score


class FullGraph:
    """The graph as it was exported."""

    def __init__(self, graph: bytes, contract: Contract) -> None:
        self.session, self._contract = session(graph), contract
        # A classifier gives labels and probabilities, a regressor values: the last is the score.
        self._output = str(self.session.get_outputs()[-1].name)

    def score(self, rows: Rows) -> Scores:
        """The output for *rows*, scored together."""
        return self.score_columns({name: [row.get(name) for row in rows] for name in self._contract.feature_names})

    def score_each(self, rows: Rows) -> Scores:
        """The output for *rows*, each scored alone."""
        return np.concatenate([self.score([row]) for row in rows])

    def score_columns(self, columns: Mapping[str, Sequence[Any]]) -> Scores:
        """The output for one sequence of values per feature."""
        found = self.session.run([self._output], tensors(self._contract, columns))[0]
        return np.asarray(found, dtype=np.float32)


class CoreGraph:
    """The graph without the encoding of categories."""

    def __init__(self, graph: bytes, encoder: Encoder) -> None:
        self.session, self._encoder = session(graph), encoder
        self._of_thread = threading.local()

    def score(self, rows: Rows) -> Scores:
        """The output for *rows*, scored together."""
        if len(rows) == 1:
            return self.score_each(rows)
        return self._run(self._encoder.matrix(rows))

    def score_each(self, rows: Rows) -> Scores:
        """The output for *rows*, each scored alone."""
        try:
            one_row = self._of_thread.one_row
        except AttributeError:
            one_row = self._of_thread.one_row = _OneRow(self.session, self._encoder.width)
        found: Scores = one_row.score([*map(self._encoder.row, rows)])
        return found

    def score_columns(self, columns: Mapping[str, Sequence[Any]]) -> Scores:
        """The output for one sequence of values per feature."""
        return self._run(self._encoder.matrix_of(columns))

    def _run(self, matrix: Scores) -> Scores:
        return np.asarray(self.session.run([OUTPUT], {INPUT: matrix})[0], dtype=np.float32)


class _OneRow:
    """Input and output arrays for one row, which a thread keeps, bound to the session once."""

    def __init__(self, session: onnxruntime.InferenceSession, width: int) -> None:
        given = np.zeros((1, width), dtype=np.float32)
        shape = np.asarray(session.run([OUTPUT], {INPUT: given})[0]).shape
        self._found = np.zeros(shape, dtype=np.float32)
        self._given = given  # kept alive: the binding only has its address
        self._input = memoryview(given.data).cast("B")
        self._output = memoryview(self._found.data).cast("B")
        self._binding, self._run = session.io_binding(), session.run_with_iobinding
        self._binding.bind_input(INPUT, "cpu", 0, np.float32, given.shape, given.ctypes.data)
        self._binding.bind_output(OUTPUT, "cpu", 0, np.float32, shape, self._found.ctypes.data)

    def score(self, rows: Sequence[bytes]) -> Scores:
        """The output for each of *rows*, as the encoder made them."""
        given, output, run, binding = self._input, self._output, self._run, self._binding
        found = []
        for row in rows:
            given[:] = row
            run(binding)
            found.append(bytes(output))
        return np.frombuffer(b"".join(found), np.float32).reshape(len(rows), *self._found.shape[1:])


def shaped(task: str, raw: Scores) -> Scores:
    """A model's raw output as scores: (n,) for binary (the positive class) and regression, (n, classes) for multiclass."""
    if task == "multiclass":
        return raw
    return raw[:, 1] if task == "binary" else raw.reshape(-1)


def disagreement(full: Engine, core: Engine, rows: Rows) -> str:
    """Which of *rows* does not get the same bits from both, together or alone; "" if all do."""
    pairs = [(full.score(rows), core.score(rows))]
    pairs += [(full.score([row]), core.score([row])) for row in rows[:SINGLE_ROWS]]
    for number, (expected, found) in enumerate(pairs):
        if expected.shape != found.shape:
            return f"{found.shape} scores instead of {expected.shape}"
        if expected.tobytes() != found.tobytes():
            return f"row {number - 1} alone differs" if number else "rows together differ"
    return ""


def tensors(contract: Contract, columns: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    """One tensor of shape (n, 1) per feature: float32 with NaN, or strings with "", for missing.

    Values become float32 by the rule of `bundles.onnx_core.numbers`, as in training.
    """
    found: dict[str, Any] = {}
    for feature in contract.features:
        values = columns[feature.name]
        if feature.kind == "category":
            texts = [value if isinstance(value, str) else "" for value in values]
            column = np.array(texts, dtype=object)
        else:
            column = numbers(values)
        found[feature.name] = column.reshape(-1, 1)
    return found


def session(graph: bytes) -> onnxruntime.InferenceSession:
    """A session of one thread for an ONNX model that holds all of its data.

    Raises one of ONNX Runtime's dozen errors.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # one row is too little to share; workers share the cores
    options.inter_op_num_threads = 1
    options.log_severity_level = 4  # what is an error is raised
    options.enable_cpu_mem_arena = options.enable_mem_pattern = False  # nothing to plan for one row
    # Data outside the model would be read from the working directory; no file is below /dev/null.
    options.add_session_config_entry(_OUTSIDE, os.devnull)
    # The gate does not check ONNX Runtime's other format, so it is not accepted.
    options.add_session_config_entry("session.load_model_format", "ONNX")
    return onnxruntime.InferenceSession(graph, options, ["CPUExecutionProvider"])
