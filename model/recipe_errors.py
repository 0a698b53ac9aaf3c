"""An error raised by a recipe's code, in one sentence with the recipe's line."""

from __future__ import annotations

import inspect
import sysconfig
import traceback
from pathlib import Path

from contracts.row_contract import Contract, Feature, Target
from model.source_profile.recipe_secrets import hide

PACKAGES = tuple(Path(__file__).resolve().parents[1] / name for name in ("contracts", "model"))
#: Messages of pandas and Python about mixing times with and without a zone.
MIXED_ZONES = ("Invalid comparison between dtype=datetime64", "offset-naive and offset-aware", "tz-naive and tz-aware")
ZONE = (
    "start and end are times in UTC, and what they are compared with has no zone:"
    ' write pd.to_datetime(rows["at"], utc=True), with your column'
)

UNSET = (
    "write NAME=value into .env, and on GitHub into the secret RECIPE_ENV of the environment automation; pull requests from"
    " forks get no secrets, so that a person has to try such a recipe: see docs/how-to/use-secrets.md"
)


def described(path: Path, error: BaseException) -> str:
    """Type, text and place of *error*, with what to write if that is known."""
    text = words_of(error)
    cure = ZONE if any(part in text for part in MIXED_ZONES) else _arguments(text)
    if isinstance(error, KeyError):
        text = f"there is no {text}"
        cure = UNSET if _is_variable(error) else cure
    name = type(error).__name__ + (f": {text}" if text else "")
    return f"{name} ({place(path, error)})" + (f"; {cure}" if cure else "")


def _is_variable(error: KeyError) -> bool:
    """Whether *error* comes from `os.environ`."""
    frames = traceback.extract_tb(error.__traceback__)
    return bool(frames) and Path(frames[-1].filename).name in ("os.py", "<frozen os>")


def words_of(error: BaseException) -> str:
    """The text of *error*, on one line of at most 500 characters."""
    try:
        text = hide(" ".join(str(error).split()))
    except Exception:  # the user's exception class may raise here
        return "it cannot be shown"
    return text if len(text) <= 500 else text[:497] + "..."


def place(path: Path, error: BaseException) -> str:
    """The last line of the recipe, or of a user's module, in the traceback of *error*."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{Path(error.filename).name}:{error.lineno}"
    frames = traceback.extract_tb(error.__traceback__)
    users = [frame for frame in frames if is_users(path, Path(frame.filename))]
    last = users[-1] if users else None
    return f"{Path(last.filename).name}:{last.lineno}" if last else path.name


def is_users(path: Path, file: Path) -> bool:
    """Whether *file* is the recipe *path*, or a user's module: neither ours nor installed."""
    if file.resolve() == path.resolve():
        return True
    installed = [Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "purelib")]
    return file.is_file() and not any(file.resolve().is_relative_to(folder) for folder in (*PACKAGES, *installed))


def _arguments(text: str) -> str:
    """The arguments of `Feature`, `Target` or `Contract`, if *text* is about a wrong call of it."""
    for kind in (Feature, Target, Contract):
        if text.startswith(f"{kind.__name__}.__init__()"):
            names = ", ".join(inspect.signature(kind).parameters)
            kinds = "; kind is number, category or boolean" if kind is Feature else ""
            return f"{kind.__name__} takes {names}{kinds}"
    return ""
