"""What verifying a bundle costs: .venv/verify/bin/python -m bench.verification_bench [--times 20].

Bundles of several sizes, each signed with a key and by a certificate authority like Sigstore's, are verified in this process,
and by the process that other environments start. The section "verification" of BENCHMARKS.md is written.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import resource
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from statistics import median

from bench.sections import put
from contracts.bundle_content import content_digest, sha256
from forge.closed_pipes import ignore_closed_pipes
from provenance.key_signature import new_key, read_key, sign
from provenance.separate_process import verify_apart
from provenance.statement import Origin, new_statement
from provenance.trust_settings import Trust
from provenance.verification import verify_bundle

TOP = Path(__file__).parents[1]
BUNDLE = TOP / "tests/bundles/format-2/binary/20260220T0317-7e0c77f2ba29"
MEGABYTES = (1, 10, 100)
#: The goal for a verification, in milliseconds.
GOAL = 50.0
OURS = Origin("acme/toy", ".github/workflows/retrain.yml", "refs/heads/trunk")


@dataclass(frozen=True)
class Taken:
    """Median processor milliseconds of a bundle of *megabytes*, signed *by* a key or Sigstore: here, and in a process beside."""

    megabytes: int
    by: str
    here: float
    apart: float


def measure(folder: Path, times: int) -> Iterator[Taken]:
    """Every size and kind of signature; the process beside is started a fifth as often."""
    pocket = importlib.import_module("tests.provenance.pocket_sigstore")  # the authority that the tests use
    authority, (private, public) = pocket.PocketSigstore(), new_key()
    root, settings = folder / "trusted_root.json", folder / "trust.toml"
    root.write_text(json.dumps(authority.trusted_root()), encoding="utf-8")
    settings.write_text(f'verify = "on"\nworkflow = "{OURS.workflow}"\nkeys = ["{public}"]\n', encoding="utf-8")
    trust = Trust(True, OURS.workflow, (public,))
    for megabytes in MEGABYTES:
        bundle = _bundle(folder / str(megabytes), megabytes)
        statement = new_statement((bundle / "manifest.json").read_bytes(), OURS, "0123abc", pocket.AT)
        signed = {
            "a key": sign(statement, read_key(private)),
            "Sigstore": json.dumps(authority.bundle(statement, OURS.repository, OURS.workflow, OURS.ref)),
        }
        for by, line in signed.items():
            here = partial(verify_bundle, bundle, line.encode(), trust, OURS, root)
            beside = partial(verify_apart, bundle, line.encode(), OURS.repository, OURS.ref, trust=settings, root=root)
            if not (here().accepted and beside()[0]):
                raise RuntimeError(f"the bundle signed by {by} is refused: {here().why}; {beside()[1]}")
            yield Taken(megabytes, by, _median(here, times), _median(beside, max(3, times // 5)))


def section(taken: list[Taken], when: str) -> str:
    """The section of BENCHMARKS.md."""
    lines = [
        "## Verifying who made a bundle",
        "",
        (
            f"Written by `make bench-verify` on {when}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.0f} at the end. Medians of the"
            " processor time."
            " A sync verifies each version once, before the store names it, in a process beside; a swap in the scorer's workers"
            " waits for none of it. Most of the time of a small bundle is the start of that process, and of a large one the"
            " digests of its files."
        ),
        "",
        f"| bundle | signed by | verification, processor ms (goal: below {GOAL:g}) | with the start of the process, processor ms |",
        "|---:|---|---:|---:|",
    ]
    lines += [
        f"| {each.megabytes} MB | {each.by} | {each.here:.1f}{' ✗' if each.here >= GOAL else ''} | {each.apart:.0f} |"
        for each in taken
    ]
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    """Measure, and write the section."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=20, help="verifications of each")
    parser.add_argument("--out", type=Path, default=Path("BENCHMARKS.md"), help="the document")
    args = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        taken = [*measure(Path(folder), args.times)]
    put(args.out, "verification", section(taken, datetime.now(UTC).date().isoformat()))
    print("\n".join(section(taken, "now").splitlines()[4:]))
    return 0


def _bundle(folder: Path, megabytes: int) -> Path:
    """A bundle whose model has so many megabytes; it is verified, and not loaded."""
    place = Path(shutil.copytree(BUNDLE, folder))
    (place / "model.onnx").write_bytes(os.urandom(megabytes * 2**20))
    manifest = json.loads((place / "manifest.json").read_bytes())
    manifest["files"]["model.onnx"] = sha256((place / "model.onnx").read_bytes())
    manifest["digest"] = content_digest(manifest)
    manifest["version"] = f"{manifest['version'][:14]}{manifest['digest'][7:19]}"
    (place / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    return place


def _median(run: Callable[[], object], times: int) -> float:
    """The median milliseconds of processor time of a *run*, its processes included: other work on the machine does not count."""
    taken = []
    for _ in range(times):
        before = _processor()
        run()
        taken.append(1000 * (_processor() - before))
    return median(taken)


def _processor() -> float:
    """Seconds of this process and of those that it waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


if __name__ == "__main__":
    ignore_closed_pipes()
    sys.exit(main())
