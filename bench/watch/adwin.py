"""Runs in an environment of its own: river's ADWIN on every column of streams of rows.

    python adwin.py STREAMS.npz OUT.npz RATE…

STREAMS: arrays (rows, columns), each column in standard deviations; `a_day` rows a day. OUT: per stream
and rate whether any column's detector fired on each day.
"""

import math
import sys

import numpy as np
from river.drift import ADWIN


def main(source: str, out: str, *rates: str) -> None:
    """Every stream at every rate."""
    streams = np.load(source)
    a_day = int(streams["a_day"])
    found = {}
    for name in streams.files:
        if name == "a_day":
            continue
        rows = streams[name]
        for rate in rates:
            days = np.zeros(len(rows) // a_day, dtype=bool)
            for column in rows.T:
                detector = ADWIN(delta=float(rate))
                for n, value in enumerate(column.tolist()):
                    if not math.isnan(value):
                        detector.update(value)
                        if detector.drift_detected:
                            days[n // a_day] = True
            found[f"{name}|{rate}"] = days
        print(f"  adwin: {name}", flush=True)
    np.savez(out, **found)


main(*sys.argv[1:])
