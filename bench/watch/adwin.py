"""Runs in a separate environment: river's ADWIN on every column of streams of days.

    python adwin.py STREAMS.npz OUT.npz RATE…

STREAMS: arrays (days, columns), each column in its own standard deviations, NaN unknown. OUT: per stream and
rate whether any column's detector fired on each day. It looks every day: by itself it would look at each 32nd value.
"""

import math
import sys

import numpy as np
from river.drift import ADWIN


def main(source: str, out: str, *rates: str) -> None:
    """Every stream at every rate."""
    streams = np.load(source)
    found = {}
    for name in streams.files:
        for rate in rates:
            fired = np.zeros(len(streams[name]), dtype=bool)
            for column in streams[name].T:
                detector = ADWIN(delta=float(rate), clock=1)
                for day, value in enumerate(column.tolist()):
                    if not math.isnan(value):
                        detector.update(value)
                        fired[day] |= detector.drift_detected
            found[f"{name}|{rate}"] = fired
    np.savez(out, **found)


main(*sys.argv[1:])
