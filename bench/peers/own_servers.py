"""The scorer, and its floor: bare servers with an empty application.

The floor is the cheaper of two: granian as a WSGI server, and as the scorer starts it, with an empty application instead
of a worker's.
"""

from __future__ import annotations

from bench.peers.entrant import Entrant, Place
from bench.scorer.benchmark_model import Store

RUN = " --store {folder}/store --journal {folder}/journal --port {port} --workers "


def _with_a_shadow(where: Place) -> None:
    """A store in which the second bundle is a shadow of the first."""
    store = Store.found(where.folder / "store")
    store.serve(*store.versions)


OURS = (
    Entrant("ours", "**ours**, 1 worker", "ours", "{python} -m serve" + RUN + "1"),
    Entrant("ours-two", "**ours**, 2 workers", "ours", "{python} -m serve" + RUN + "2"),
    Entrant(
        "bare",
        "granian as WSGI server, empty app",
        "floor",
        "{bin}/granian --interface wsgi --http 1 --no-ws --host 127.0.0.1 --port {port}"
        " --workers 1 --blocking-threads 2 --log-level warning --working-dir {servers}"
        " empty:application",
        ("granian",),
    ),
    Entrant("bare-own", "granian's RSGI interface, empty app", "floor", "{python} {servers}/bare.py" + RUN + "1"),
)

SHADOWED = Entrant("ours-shadow", "ours with a shadow", "ours", "{python} -m serve" + RUN + "1", prepare=_with_a_shadow)
