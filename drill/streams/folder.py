"""The folder with the data of the real streams, which no package has: the variable `STREAMS`."""

from __future__ import annotations

import functools
import os
from pathlib import Path

import pandas as pd


@functools.cache
def read(name: str) -> pd.DataFrame:
    """The table *name*.parquet. FileNotFoundError with what to type if it is not at hand."""
    path = Path(os.environ.get("STREAMS", "build/streams")) / f"{name}.parquet"
    if not path.is_file():
        raise FileNotFoundError(f"{path} is not at hand; name its folder: STREAMS=FOLDER make drill STREAM=...")
    return pd.read_parquet(path)
