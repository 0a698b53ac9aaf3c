"""Training-serving skew: rows of `load` beside the rows that were sent to the scorer, joined by key and time.

Only the journal shows a value that `load` has in another unit, at another hour, filled, or newer than what was known when
the row was scored. The comparison reads the columns that it needs, of a fixed sample of the keys.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from contracts.journal_format import Listing, Place, frames
from contracts.row_contract import Contract, Feature
from model.data import Split
from model.row_differences import plain, unequal, unequal_texts
from model.source_profile.remote_journal import place_at

#: The newest days of the loaded rows that are compared, and about how many rows of them.
DAYS, ROWS = 14, 20_000
#: Days by which an answer may be away from the time of its row.
MAX_DAYS_APART = 2
#: Fewer matched rows show nothing; a cause explains at least this share of the differing rows.
MIN_ROWS, MIN_CAUSE_SHARE = 50, 0.8
EXAMPLES = 3
#: How many days are stored one by one.
MAX_DAYS = 7
MAX_TEXT_LENGTH = 100
DAY = pd.Timedelta(days=1)
Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class _Pairs:
    """Rows that were loaded and sent, in the same order; *before* are the loaded rows before them."""

    loaded: pd.DataFrame
    sent: pd.DataFrame
    before: pd.DataFrame


def skew_at(journal: str, split: Split, contract: Contract) -> dict[str, Any]:
    """As `skew`, for the *journal* in a folder or at a URL; one that cannot be read is `failed`, for the gate to judge.

    Before the first model serves there is none: then nothing was sent that could be compared.
    """
    try:
        return skew(place_at(journal), pd.concat([split.train, split.holdout], ignore_index=True), contract)
    except FileNotFoundError as error:
        return {"unjoined": str(error)}
    except OSError as error:
        return {"failed": str(error)}


def skew(place: Place, rows: pd.DataFrame, contract: Contract) -> dict[str, Any]:
    """Compare the newest of the loaded *rows* with the journal in *place*, as JSON values. Raises OSError.

    The keys are `from`, `to` (days), `sent` (rows of the journal in the sample), `rows` (of these also loaded), `hours` (if
    the times of the sent rows are off by so many), `not_sent` (features that no row has), and `features`: of each that
    differs the number of `rows` out of `of`, `cause` with `by`, rows that lack it in one place alone (`missing_sent`,
    `missing_loaded`) and `examples`. `days` has the newest days, each with its rows and the share that differs in the worst
    feature. If the rows cannot be joined, `unjoined` is the reason.
    """
    newest = rows[contract.time].max()
    recent = rows[rows[contract.time] > newest - DAYS * DAY]
    if contract.key in contract.private:
        if not (salt := _salt(place)):
            return {"unjoined": f"the key {contract.key} is private, and the journal has no file salt to hash it with"}
        recent = recent.assign(**{contract.key: [_hashed(salt, key) for key in recent[contract.key]]})
    share = min(1.0, ROWS / len(recent))
    loaded = recent[_sampled(recent[contract.key], share)].reset_index(drop=True)
    found: dict[str, Any] = {"from": f"{recent[contract.time].min():%Y-%m-%d}", "to": f"{newest:%Y-%m-%d}"}
    sent = _sent(place, contract, (recent[contract.time].min(), newest), share)
    found["sent"] = len(sent)
    pairs, hours = _paired(loaded, sent, contract)
    found["rows"] = len(pairs.loaded)
    if hours:
        found["hours"] = hours
    names = [f.name for f in contract.features if f.name not in contract.private]
    absent = [name for name in names if not pairs.sent[name].notna().any()]
    compared = [f for f in contract.features if f.name in names and f.name not in absent]
    masks = {f.name: _differing(f, pairs, contract) for f in compared} if len(pairs.loaded) >= MIN_ROWS else {}
    features = {f.name: _described(f, pairs, contract, *masks[f.name]) for f in compared if f.name in masks}
    found |= {"not_sent": absent, "features": {name: each for name, each in features.items() if each["rows"]}}
    judged = [masks[f.name][0] for f in compared if f.name in masks and not f.revised]
    return found | {"days": _by_day(pairs.loaded[contract.time], judged, bool(hours))}


def _salt(place: Place) -> bytes:
    """The salt of the journal's hashes of private keys; empty if the journal was copied without it."""
    try:
        with place.open("salt") as file:
            return file.read()
    except OSError:
        return b""


def _hashed(salt: bytes, key: str) -> str:
    """A private key as the scorer writes it."""
    return "sha256:" + hashlib.sha256(salt + key.encode("utf-8", "surrogatepass")).hexdigest()


def _sampled(keys: pd.Series[Any], share: float) -> Array:
    """The mask of the keys in the sample; the same keys wherever they occur."""
    hashed = pd.util.hash_array(keys.astype(str).to_numpy(object))
    return np.asarray(hashed % 1_000_000 < share * 1_000_000)


def _sent(place: Place, contract: Contract, span: tuple[pd.Timestamp, pd.Timestamp], share: float) -> pd.DataFrame:
    """The newest answer for each key and time in the *span*, in a *share* of the keys."""
    names = ["at", "key", "time", *(f"row.{name}" for name in contract.feature_names)]
    margin = pd.Timedelta(days=1)
    found = [_in_span(frame, (span[0] - margin, span[1] + margin), share) for frame in _frames(place, names, span)]
    columns = {f"row.{name}": name for name in contract.feature_names}
    columns |= {"key": contract.key, "time": contract.time}
    if not any(len(each) for each in found):
        return pd.DataFrame({name: pd.Series(dtype=object) for name in columns.values()})
    rows = pd.concat([each for each in found if len(each)], ignore_index=True)
    rows = rows.sort_values("at", kind="stable").drop_duplicates(["key", "time"], keep="last")
    return rows.drop(columns="at").rename(columns=columns).reset_index(drop=True)


def _frames(place: Place, names: list[str], span: tuple[pd.Timestamp, pd.Timestamp]) -> Iterator[pd.DataFrame]:
    listing = Listing(place)
    first, last = (f"{at + MAX_DAYS_APART * days * DAY:%Y-%m-%d}" for at, days in zip(span, (-1, 1), strict=True))
    for day in ["", *(day for day in listing.days if first <= day <= last)]:
        yield from (frame for frame, _ in frames(place, listing.of("answers", day), names))


def _in_span(frame: pd.DataFrame, span: tuple[pd.Timestamp, pd.Timestamp], share: float) -> pd.DataFrame:
    """The rows of the *span* in the sample, with times."""
    texts = frame["key"].map(lambda each: isinstance(each, str)) & frame["time"].map(lambda each: isinstance(each, str))
    frame = frame[texts.to_numpy(bool)]
    frame = frame[_sampled(frame["key"], share)]
    times = {name: pd.to_datetime(frame[name], utc=True, errors="coerce", format="ISO8601") for name in ("at", "time")}
    frame = frame.assign(**times).astype(dict.fromkeys(times, "datetime64[us, UTC]"))
    return frame[(frame["time"] >= span[0]) & (frame["time"] <= span[1])]


def _paired(loaded: pd.DataFrame, sent: pd.DataFrame, contract: Contract) -> tuple[_Pairs, float]:
    """The rows with the same key and time, and the hours by which the sent times are off."""
    joined = _joined(loaded, sent, contract, 0.0)
    hours = 0.0
    if len(joined.loaded) < 0.5 * min(len(loaded), len(sent)):
        off = _offset(loaded, sent, contract)
        other = _joined(loaded, sent, contract, off) if off else joined
        if len(other.loaded) > 2 * len(joined.loaded):
            joined, hours = other, off
    return joined, hours


def _joined(loaded: pd.DataFrame, sent: pd.DataFrame, contract: Contract, hours: float) -> _Pairs:
    names = [contract.key, contract.time]
    sides = []
    for rows, shift in ((loaded, 0.0), (sent, hours)):
        at = rows[contract.time].astype("datetime64[us, UTC]").dt.floor("s") + pd.Timedelta(hours=shift)
        side = pd.DataFrame({"key": rows[contract.key].astype(str), "at": at, "place": np.arange(len(rows))})
        sides.append(side.drop_duplicates(["key", "at"], keep=False))
    both = sides[0].merge(sides[1], on=["key", "at"])
    ours = loaded.iloc[both["place_x"]].reset_index(drop=True)
    theirs = sent.iloc[both["place_y"]].reset_index(drop=True)
    return _Pairs(ours, theirs, loaded.sort_values(names, kind="stable"))


def _offset(loaded: pd.DataFrame, sent: pd.DataFrame, contract: Contract) -> float:
    """The hours from the sent to the loaded times of most keys that occur once in both; 0 if there are none."""
    once = [
        rows.drop_duplicates(contract.key, keep=False).set_index(contract.key)[contract.time] for rows in (loaded, sent)
    ]
    apart = (once[0] - once[1].astype("datetime64[us, UTC]")).dropna() / pd.Timedelta(hours=1)
    quarters = (apart * 4).round() / 4
    if len(quarters) < MIN_ROWS:
        return 0.0
    most = quarters.mode().iloc[0]
    return float(most) if (quarters == most).mean() > 0.25 else 0.0


def _by_day(at: pd.Series[Any], masks: list[Array], all_of_them: bool) -> list[dict[str, Any]]:
    """Rows of each of the newest days, and the largest share of the *masks*; 1 if *all_of_them* differ."""
    day = at.dt.strftime("%Y-%m-%d").to_numpy()
    found = []
    for name in np.unique(day)[-MAX_DAYS:]:
        worst = 1.0 if all_of_them else max((float(mask[day == name].mean()) for mask in masks), default=0.0)
        found.append({"day": str(name), "rows": int((day == name).sum()), "worst": round(worst, 6)})
    return found


def _differing(feature: Feature, pairs: _Pairs, contract: Contract) -> tuple[Array, Array]:
    """The masks of the rows that differ, and of those that are compared: since clients began to send the feature."""
    sent, loaded = _values(feature, pairs.sent[feature.name]), _values(feature, pairs.loaded[feature.name])
    at = pairs.loaded[contract.time]
    compared = (at >= at[~_missing(sent)].min()).to_numpy()
    return compared & _unequal(feature, loaded, sent), compared


def _described(feature: Feature, pairs: _Pairs, contract: Contract, differs: Array, compared: Array) -> dict[str, Any]:
    """How the sent values differ from the loaded ones; no `rows` if they do not."""
    if not differs.any():
        return {"rows": 0}
    sent, loaded = _values(feature, pairs.sent[feature.name]), _values(feature, pairs.loaded[feature.name])
    at = pairs.loaded[contract.time]
    missing = {
        "missing_sent": int((differs & _missing(sent)).sum()),
        "missing_loaded": int((differs & _missing(loaded)).sum()),
    }
    cause, by = _cause(feature, pairs, contract, differs, (loaded, sent))
    chosen = np.flatnonzero(differs)[-EXAMPLES:][::-1]
    examples = [
        {
            "time": f"{at.iloc[place]:%Y-%m-%dT%H:%M:%SZ}",
            "sent": plain(sent[place], MAX_TEXT_LENGTH),
            "loaded": plain(loaded[place], MAX_TEXT_LENGTH),
        }
        for place in chosen
    ]
    counts = {"rows": int(differs.sum()), "of": int(compared.sum())}
    return counts | missing | {"cause": cause} | ({"by": by} if by else {}) | {"examples": examples}


def _values(feature: Feature, column: pd.Series[Any]) -> Array:
    """Texts with None for missing ("" too), or float64."""
    if feature.kind == "category":
        return np.array([each if isinstance(each, str) and each else None for each in column], dtype=object)
    return np.asarray(pd.to_numeric(column.astype(object), errors="coerce").astype("float64").to_numpy())


def _missing(values: Array) -> Array:
    return np.asarray(pd.isna(values))


def _unequal(feature: Feature, loaded: Array, sent: Array) -> Array:
    return unequal_texts(sent, loaded) if feature.kind == "category" else unequal(sent, loaded, loaded)


def _cause(
    feature: Feature, pairs: _Pairs, contract: Contract, differs: Array, values: tuple[Array, Array]
) -> tuple[str, float]:
    """The likely cause with its number: missing_sent, missing_loaded, factor, offset, stale, or other."""
    loaded, sent = (each[differs] for each in values)
    if _missing(sent).mean() > MIN_CAUSE_SHARE:
        return "missing_sent", 0.0
    if _missing(loaded).mean() > MIN_CAUSE_SHARE:
        return "missing_loaded", 0.0
    if feature.kind == "number":
        known = ~_missing(sent) & ~_missing(loaded)
        apart = loaded[known] - sent[known]
        if _share_of_mode(np.round(apart, 6)) > MIN_CAUSE_SHARE:
            return "offset", float(np.median(apart))
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(sent[known] == 0, np.nan, loaded[known] / sent[known])
        if np.nanmean(np.abs(ratio / np.nanmedian(ratio) - 1) < 1e-3) > MIN_CAUSE_SHARE and not np.isnan(
            np.nanmedian(ratio)
        ):
            return "factor", float(f"{np.nanmedian(ratio):.6g}")
    before = _before(feature, pairs, contract)[differs]
    known = ~_missing(before)
    same = known & ~_unequal(feature, before, sent)
    return ("stale", 0.0) if known.any() and same.sum() > 0.5 * len(same) else ("other", 0.0)


def _share_of_mode(values: Array) -> float:
    """The share of the commonest of *values*; 0 without values."""
    counts = np.unique(values, return_counts=True)[1]
    return float(counts.max() / len(values)) if len(counts) else 0.0


def _before(feature: Feature, pairs: _Pairs, contract: Contract) -> Array:
    """The loaded value of each pair's key in its row before; else the commonest loaded value of the day before."""
    rows = pairs.before
    column = pd.Series(_values(feature, rows[feature.name]), rows.index, dtype=object)
    previous = column.groupby(rows[contract.key].astype(str)).shift(1)
    named = pd.MultiIndex.from_arrays([rows[contract.key].astype(str), rows[contract.time]])
    by_row = pd.Series(previous.to_numpy(), named)
    by_row = by_row[~by_row.index.duplicated()]
    wanted = pd.MultiIndex.from_arrays([pairs.loaded[contract.key].astype(str), pairs.loaded[contract.time]])
    found = by_row.reindex(wanted).to_numpy()
    usual = column.groupby(rows[contract.time].dt.floor("D")).agg(lambda day: next(iter(day.dropna().mode()), None))
    yesterday = usual.reindex(pairs.loaded[contract.time].dt.floor("D") - DAY).to_numpy()
    found = np.where(pd.isna(found), yesterday, found)
    return np.asarray(found if feature.kind == "category" else found.astype("float64"))


def remarks(found: Mapping[str, Any]) -> list[str]:
    """What training says of the comparison; [] if nothing differs."""
    if reason := found.get("failed") or found.get("unjoined"):
        return [f"the rows were not compared with the journal: {reason}"]
    said = [f"the times of sent rows are {found['hours']:+g} hours from those of load()"] if found.get("hours") else []
    shares = (f"{name} in {each['rows'] / each['of']:.1%}" for name, each in found["features"].items())
    if listed := ", ".join(shares):
        said.append(f"of {found['rows']:,} rows that were sent to the scorer, load() gives other values: {listed}")
    return said
