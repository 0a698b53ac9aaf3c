"""Tables that no recipe here knows, made from a seed: what shops, offices and depots have, with signal and noise."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd


@dataclass(frozen=True)
class Case:
    """A table in a file, and the words behind `python -m model init` that a newcomer types.

    *is_recipe_alone*: the recipe is written and checked, and no model is trained.
    """

    what: str
    words: tuple[str, ...]
    is_recipe_alone: bool = False


def repairs(folder: Path, seed: int) -> Case:
    """Orders of a repair shop in Vienna, from Excel: local times, semicolons and decimal commas, and words as the outcome."""
    random, n = np.random.default_rng(seed), 6_000
    minutes = np.sort(random.integers(0, 150 * 24 * 60, n))
    received = pd.Timestamp("2026-02-02") + pd.to_timedelta(minutes, "min")
    price = random.lognormal(4, 0.6, n).round(2)
    device = random.choice(["Telefon", "Laptop", "Drucker", "Uhr"], n, p=[0.5, 0.3, 0.15, 0.05])
    age = np.where(random.random(n) < 0.1, np.nan, random.gamma(2, 2, n).round(1))
    logit = 0.35 * (np.nan_to_num(age, nan=4) - 4) + 1.2 * (device == "Drucker") - 0.006 * (price - 60) - 0.8
    again = random.random(n) < 1 / (1 + np.exp(-logit))
    rows = pd.DataFrame(
        {
            "Auftrag Nr.": [f"A-{number:06d}" for number in range(n)],
            "Eingang": received.strftime("%d.%m.%Y %H:%M"),
            "Kundennummer": random.integers(10_000, 12_500, n),
            "Gerät": device,
            "Alter (Jahre)": age,
            "Preis": price,
            "Express": random.choice(["ja", "nein"], n, p=[0.2, 0.8]),
            "Reklamation": np.where(again, "ja", "nein"),
        }
    )
    rows.to_csv(folder / "repairs.csv", sep=";", decimal=",", index=False, encoding="cp1252")
    words = ("repairs.csv", "--target", "Reklamation", "--time", "Eingang", "--key", "Kundennummer")
    return Case("CSV from Excel, local times of Vienna", (*words, "--zone", "Europe/Vienna"))


def invoices(folder: Path, seed: int) -> Case:
    """Invoices of an office in two Parquet files: whether one is paid late is known days to weeks afterwards."""
    random, n = np.random.default_rng(seed), 8_000
    sent = pd.Timestamp("2025-09-01", tz="UTC") + pd.to_timedelta(np.sort(random.integers(0, 200 * 86_400, n)), "s")
    amount, past = random.lognormal(6, 1, n).round(2), random.poisson(2, n)
    late = random.random(n) < 1 / (1 + np.exp(-(0.5 * (past - 2) + 0.4 * (np.log(amount) - 6) - 0.7)))
    known = sent + pd.to_timedelta(np.where(late, 30, random.gamma(3, 4, n)), "D").round("s")
    as_of = sent.max()
    rows = pd.DataFrame(
        {
            "invoice_id": range(1, n + 1),
            "debtor": [f"D{number:04d}" for number in random.integers(0, 1_500, n)],
            "sent_at": sent,
            "net_amount": amount,
            "late_before": past,
            "channel": random.choice(["post", "mail", "portal"], n),
            "paid_late": pd.array(np.where(known <= as_of, late, None), dtype="boolean"),
            "settled_at": pd.Series(known).where(known <= as_of),
        }
    )
    (folder / "invoices").mkdir()
    for year, some in rows.groupby(rows["sent_at"].dt.year):
        some.to_parquet(folder / "invoices" / f"{year}.parquet", index=False)
    words = ("invoices", "--target", "paid_late", "--time", "sent_at", "--key", "debtor")
    return Case("a folder of Parquet, outcomes up to 30 days late", (*words, "--known-at", "settled_at"))


def _deliveries(seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Deliveries, and the depots that they leave from."""
    random, n = np.random.default_rng(seed), 5_000
    depots = pd.DataFrame({"depot": [f"depot {number}" for number in range(8)], "docks": random.integers(1, 9, 8)})
    number = random.integers(0, 8, n)
    distance, parcels = random.gamma(2, 6, n).round(1), random.poisson(20, n)
    minutes = 18 + 1.1 * distance + 0.9 * parcels - 2.5 * depots["docks"].to_numpy()[number]
    left = pd.Timestamp("2026-04-01") + pd.to_timedelta(np.sort(random.integers(0, 120 * 86_400, n)), "s")
    rows = pd.DataFrame(
        {
            "delivery_id": range(n),
            "depot": depots["depot"].to_numpy()[number],
            "left_at": left.strftime("%Y-%m-%d %H:%M:%S"),
            "distance_km": distance,
            "parcels": parcels,
            "van": random.choice(["small", "large"], n),
            "minutes": (minutes + random.gamma(2, 6, n)).clip(1).round(1),
        }
    )
    return rows, depots


_QUERY = "SELECT d.*, p.docks FROM deliveries d JOIN depots p ON p.depot = d.depot"
_ASKED = ("--target", "minutes", "--time", "left_at", "--name", "delivery-minutes")


def sqlite_deliveries(folder: Path, seed: int) -> Case:
    """A SELECT over two tables of a SQLite database: minutes of a delivery, a regression."""
    rows, depots = _deliveries(seed)
    with sqlite3.connect(folder / "fleet.db") as connection:
        rows.to_sql("deliveries", connection, index=False)
        depots.to_sql("depots", connection, index=False)
    connection.close()
    return Case("a SELECT in SQLite, a regression", (_QUERY, "--sql", "sqlite:///fleet.db", *_ASKED))


def duckdb_deliveries(folder: Path, seed: int) -> Case:
    """A table of a DuckDB database: how long a delivery takes, in words."""
    rows, _ = _deliveries(seed)
    names = np.array(["short", "usual", "long"])
    rows["minutes"] = names[np.searchsorted(rows["minutes"].quantile([0.4, 0.8]), rows["minutes"])]
    with duckdb.connect(str(folder / "fleet.duckdb")) as connection:
        connection.execute("CREATE TABLE deliveries AS SELECT * REPLACE (left_at::TIMESTAMP AS left_at) FROM rows")
    words = ("deliveries", "--sql", "duckdb:///fleet.duckdb", *_ASKED)
    return Case("a table in DuckDB, three classes: the recipe alone", words, is_recipe_alone=True)


CASES = (repairs, invoices, sqlite_deliveries, duckdb_deliveries)
