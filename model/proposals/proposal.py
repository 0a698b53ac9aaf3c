"""Propose a bundle: store it, and open or refresh the one proposal."""

from __future__ import annotations

from pathlib import Path

from bundles.manifest import BundleError, read_manifest
from contracts.live_config import LIVE, LiveError, Slot, parse_live, with_champion
from forge.bundles.bundle_files import as_named
from forge.interface import WATCH, Forge
from forge.workflow_output import output, summary
from model.proposals.card import card, nothing_to_gain, title


def bundle_in(folder: Path) -> tuple[Path, Path | None]:
    """The bundle in *folder* (or *folder* itself), and its attestation, if any."""
    bundles = [path.parent for path in (*folder.glob("manifest.json"), *folder.glob("*/manifest.json"))]
    if len(bundles) != 1:
        raise BundleError(f"{folder} is not a bundle, and holds {len(bundles)} of them; expected one")
    attestation = folder / "attestation.jsonl"
    return bundles[0], attestation if attestation.is_file() else None


def gains(made: Path, forge: Forge) -> bool:
    """Whether the bundle *made* is worth a proposal; also an output of the workflow."""
    champion = parse_live(forge.read(LIVE) or "").champion
    live = as_named(forge.manifest(champion.version), champion) if champion else None
    why = nothing_to_gain(read_manifest(made), live)
    if why:
        print(f"nothing to gain: {why}", flush=True)
        summary(f"Nothing to gain: {why}.")
    output("gains", "false" if why else "true")
    output("bundle", str(made))
    output("public", "true" if forge.public() else "false")
    return not why


def propose(forge: Forge, branch: str, made: Path, attestation: Path | None) -> None:
    """Store the bundle, open or refresh the one proposal, and link it with open alerts of monitoring."""
    manifest = read_manifest(made)
    version, digest = manifest["version"], manifest["digest"]
    same = [release for release in forge.releases() if release.digest == digest]
    for release in same:
        if release.state == "withdrawn":
            print(f"warning: the same content as {release.version}, which was rolled back", flush=True)
    live, proposed = parse_live(forge.read(LIVE) or ""), _proposed(forge, branch)
    if proposed and proposed.digest == digest:
        version = proposed.version
        print(f"the same content is proposed already, as {version}", flush=True)
    elif version not in {release.version for release in same}:
        forge.upload(version, made, attestation)
    incidents = [each for each in forge.alerts() if each.marker.startswith(WATCH) and each.state == "open"]
    links = ", ".join(each.link for each in incidents)
    proposal = forge.propose(
        branch,
        title({**manifest, "version": version}),
        card(manifest) + (f"\nOpen alerts at the time of training: {links}.\n" if links else ""),
        {LIVE: with_champion(live, version, digest).to_toml()},
        labels=("model",),
    )
    for incident in incidents:
        note = f"A model was trained while this was open: {proposal.link} ({proposal.title}).\n"
        forge.note(incident.number, f"proposal:{proposal.number}", note)
    output("version", version)
    line = f"proposal {proposal.number} on branch {branch}: {proposal.title}"
    print(line, flush=True)
    summary(f"{line}\n\n{card(manifest)}")


def _proposed(forge: Forge, branch: str) -> Slot | None:
    """The candidate of the open proposal on *branch*, if there is one."""
    if forge.proposal(branch) is None:
        return None
    try:
        return parse_live(forge.read(LIVE, branch) or "").champion
    except LiveError:
        return None  # an edited branch is replaced
