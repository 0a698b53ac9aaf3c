"""Peer: mosec, with the ONNX file that the scorer serves."""

import os
from typing import Any

import numpy as np
import onnxruntime
from mosec import Server, Worker


class Flights(Worker):
    """JSON in, JSON out, one session a process."""

    def __init__(self) -> None:
        super().__init__()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(os.environ["MODEL"], options, ["CPUExecutionProvider"])
        self.inputs = [(i.name, object if "string" in i.type else np.float32) for i in self.session.get_inputs()]
        self.output = self.session.get_outputs()[-1].name

    def forward(self, data: dict[str, Any]) -> dict[str, float]:
        """The probability that the flight is late."""
        fed = {name: np.array([[data[name]]], dtype=kind) for name, kind in self.inputs}
        return {"score": float(self.session.run([self.output], fed)[0][0, 1])}


if __name__ == "__main__":
    server = Server()
    server.append_worker(Flights, num=2)
    server.run()
