"""What a recipe's own code raised, in one sentence with the recipe's line."""

from __future__ import annotations

import inspect
import sysconfig
import traceback
from pathlib import Path

from contracts.row_contract import Contract, Feature, Target

PACKAGES = tuple(Path(__file__).resolve().parents[1] / name for name in ("contracts", "model"))
#: Words of pandas and Python for times with and without a zone side by side.
MIXED_ZONES = ("Invalid comparison between dtype=datetime64", "offset-naive and offset-aware", "tz-naive and tz-aware")
ZONE = (
    "start and end are times in UTC, and what they are compared with has no zone:"
    ' write pd.to_datetime(rows["at"], utc=True), with your column'
)


def described(path: Path, error: BaseException) -> str:
    """*error* by type, words and place, with what to write where that is known."""
    words = words_of(error)
    cure = ZONE if any(part in words for part in MIXED_ZONES) else _arguments(words)
    if isinstance(error, KeyError):
        words = f"there is no {words}"
    name = type(error).__name__ + (f": {words}" if words else "")
    return f"{name} ({place(path, error)})" + (f"; {cure}" if cure else "")


def words_of(error: BaseException) -> str:
    """What *error* says, on one line of at most 500 characters."""
    try:
        words = " ".join(str(error).split())
    except Exception:  # a class of the user's may raise even here
        return "it cannot be shown"
    return words if len(words) <= 500 else words[:497] + "..."


def place(path: Path, error: BaseException) -> str:
    """The last line of the recipe, or of a file of the user's that it uses, on the way to *error*."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{Path(error.filename).name}:{error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    users = [frame for frame in frames if is_users(path, Path(frame.filename))]
    last = users[-1] if users else None
    return f"{Path(last.filename).name}:{last.lineno}" if last else path.name


def is_users(path: Path, file: Path) -> bool:
    """Whether *file* is the recipe *path*, or another that is neither of ours nor installed."""
    if file.resolve() == path.resolve():
        return True
    installed = [Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "purelib")]
    return file.is_file() and not any(file.resolve().is_relative_to(folder) for folder in (*PACKAGES, *installed))


def _arguments(words: str) -> str:
    """What `Feature`, `Target` and `Contract` take, if *words* are of one called wrongly."""
    for kind in (Feature, Target, Contract):
        if words.startswith(f"{kind.__name__}.__init__()"):
            names = ", ".join(inspect.signature(kind).parameters)
            kinds = "; kind is number, category or boolean" if kind is Feature else ""
            return f"{kind.__name__} takes {names}{kinds}"
    return ""
