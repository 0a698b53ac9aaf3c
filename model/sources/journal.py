"""The journal as a source: the rows that were answered, with the outcomes that were reported, for a recipe's `load`.

    from model.sources import journal

    def load(start, end):
        return journal.rows(CONTRACT, start, end)

A website that posts outcomes needs no warehouse. The journal has what was sent, so training and serving cannot differ; it
has nothing that was never sent.

Feedback: what a model decided may have changed what happened, such as a visitor who was shown a discount, and a row that
was declined may have no outcome at all. `ARM` has the variant that answered; `arms=["anchor"]` gives the rows of the
holdback alone, which later models did not decide on (Bottou et al. 2013, Counterfactual reasoning and learning systems).
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import numpy as np
import pandas as pd

from contracts.journal_format import Listing, Place, frames
from contracts.row_contract import Contract
from model.data import DataError
from model.source_profile.remote_journal import place_at

#: Columns beside those of the contract: the id, the variant and the version of the answer, and the returned score.
ID, ARM, VERSION, SCORE = "journal.id", "journal.arm", "journal.version", "journal.score"
#: An answer is given at most this long before or after the time that its row is about.
MAX_TIME_APART = timedelta(days=31)
#: The environment's variable that names the journal, where the recipe does not.
VARIABLE = "JOURNAL"
_LINES = {"id": ID, "arm": ARM, "version": VERSION, "score": SCORE}


def rows(
    contract: Contract,
    start: datetime,
    end: datetime,
    where: str | None = None,
    *,
    arms: Collection[str] = (),
    ahead: timedelta = MAX_TIME_APART,
) -> pd.DataFrame:
    """The rows of the journal whose time is from *start* up to *end* (exclusive), a row for each id.

    *where* is a folder or a URL that fsspec opens, by default the environment's JOURNAL. *arms* are the variants whose
    answers are wanted (champion, challenger, anchor), by default all. An answer given more than *ahead* before or after
    its row's time is not found.

    The columns are those of the contract, and `ID`, `ARM`, `VERSION` and `SCORE`. The first answer and the first outcome
    of an id count, as in monitoring. If the contract names `known_at`, that column has the time at which the outcome was
    reported, and rows without an outcome are included. Else such rows are left out, except those that are younger
    than the contract's `maturity`. So are rows that lack a feature that may not be missing, as answers by
    versions from before that feature do. A private key is its hash.

    Raises `DataError` with all problems if the journal cannot have what the contract needs, and OSError if it cannot be
    read.
    """
    where = where or os.environ.get(VARIABLE, "")
    private = [name for name in contract.feature_names if name in contract.private]
    problems = [] if where else [f"no journal is named; pass its folder or URL, or set {VARIABLE}"]
    if private:
        problems.append(
            f"the journal has no {', '.join(private)}, which the contract declares private; leave it out of the features,"
            " or load these rows from another source"
        )
    if problems:
        raise DataError("rows of the journal: " + "; ".join(problems))
    place = place_at(where)
    listing = Listing(place)
    found = _answers(place, listing, contract, (start, end), ahead)
    if arms:
        found = found[found[ARM].isin([*arms])]
    outcomes = _outcomes(place, listing, contract, start - ahead)
    return _with_outcomes(found, outcomes, contract, end).reset_index(drop=True)


def _answers(
    place: Place, listing: Listing, contract: Contract, span: tuple[datetime, datetime], ahead: timedelta
) -> pd.DataFrame:
    """The first answer of each id in the *span*, with the contract's fields and time."""
    features = {f"row.{name}": name for name in contract.feature_names}
    days = _days(listing, span[0] - ahead, span[1] + ahead)
    parts = []
    for lines in _frames(place, listing, "answers", days, ["at", "key", "time", *_LINES, *features]):
        texts = lines[["id", "key", "time"]].map(lambda each: isinstance(each, str)).all(axis=1)
        frame = lines[texts.to_numpy(bool)]
        time = _times(frame["time"])
        inside = (time >= span[0]) & (time < span[1])
        parts.append(frame.assign(time=time, at=_times(frame["at"]))[inside.to_numpy(bool)])
    columns = [*features, "key", "time", *_LINES]
    none = pd.DataFrame(columns=["at", *columns], dtype=object)
    found = pd.concat([part.astype(object) for part in parts if len(part)] or [none], ignore_index=True)
    found = found.sort_values(["at", "id"], kind="stable").drop_duplicates("id")[columns]
    found = found.rename(columns={**features, **_LINES, "key": contract.key, "time": contract.time})
    required = [feature.name for feature in contract.features if not feature.nullable]
    found = found[found[required].notna().all(axis=1)]
    found = found.assign(**{contract.time: pd.to_datetime(found[contract.time], utc=True)})
    for feature in contract.features:
        column = found[feature.name]
        number = feature.kind == "number"
        found[feature.name] = pd.to_numeric(column).astype(float) if number else column.where(column.notna(), None)
    return found


def _outcomes(place: Place, listing: Listing, contract: Contract, since: datetime) -> pd.DataFrame:
    """The first outcome of each id that fits the contract: `id`, `outcome`, `reported`."""
    parts = list(_frames(place, listing, "outcomes", _days(listing, since, None), ["id", "outcome", "at"]))
    none = pd.DataFrame(columns=["id", "outcome", "at"], dtype=object)
    found = pd.concat([part.astype(object) for part in parts if len(part)] or [none])
    whole = [
        isinstance(id_, str) and contract.target.problem(outcome) is None
        for id_, outcome in zip(found["id"], map(_plain, found["outcome"]), strict=True)
    ]
    found = found[np.array(whole, bool)]
    outcome = pd.Series([*map(_plain, found["outcome"])], found.index, dtype=object)
    found = found.assign(outcome=outcome, reported=_times(found["at"])).dropna(subset="reported")
    return found.sort_values("reported", kind="stable").drop_duplicates("id")[["id", "outcome", "reported"]]


def _with_outcomes(found: pd.DataFrame, outcomes: pd.DataFrame, contract: Contract, end: datetime) -> pd.DataFrame:
    """The rows *found* with the target, and the time at which it was known if the contract names its column."""
    target, time = contract.target, contract.time
    known = outcomes.set_index("id")
    by_id = dict(zip(known.index, known["outcome"], strict=True))
    outcome = pd.Series([by_id.get(each) for each in found[ID]], found.index, dtype=object)
    found = found.assign(**{target.name: outcome.astype(float) if not target.classes else outcome})
    if target.known_at:
        # An outcome may be reported before the time that its row is about, such as a cancellation.
        reported = known["reported"].reindex(found[ID]).set_axis(found.index)
        reported = reported.where(~(reported < found[time]), found[time])
        return found.assign(**{target.known_at: reported})
    kept = outcome.notna()
    if target.maturity is not None:
        kept |= found[time] + target.maturity > end
    return found[kept.to_numpy(bool)]


def _days(listing: Listing, first: datetime, last: datetime | None) -> list[str]:
    """The listed days from *first* to *last*, after "", the segments."""
    ends = [f"{first:%Y-%m-%d}", f"{last:%Y-%m-%d}" if last else "9999"]
    return ["", *(day for day in listing.days if ends[0] <= day <= ends[1])]


def _frames(
    place: Place, listing: Listing, kind: str, days: Iterable[str], names: Sequence[str]
) -> Iterable[pd.DataFrame]:
    for day in days:
        for frame, _ in frames(place, listing.of(kind, day), names):
            yield frame


def _times(texts: pd.Series[Any]) -> pd.Series[Any]:
    """Times in UTC to the microsecond; NaT for other texts."""
    found = pd.to_datetime(texts, utc=True, errors="coerce", format="ISO8601")
    return found.astype("datetime64[us, UTC]")


def _plain(value: Any) -> Any:
    """A NumPy scalar as Python's."""
    return value.item() if isinstance(value, np.generic) else value
