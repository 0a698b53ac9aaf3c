"""The command line of `python -m provenance`: commands, options and defaults."""

from __future__ import annotations

import argparse
from pathlib import Path

#: The secret that signs.
KEY = "TIDEGATE_SIGNING_KEY"


def parser(text: str) -> argparse.ArgumentParser:
    """The parser of all commands, with the description *text*."""
    found = argparse.ArgumentParser(
        "python -m provenance", description=text, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = found.add_subparsers(dest="command", required=True, metavar="COMMAND")
    key = commands.add_parser("key", help="make a key")
    key.add_argument("--out", type=Path, default=Path("signing.key"), help="a new file for the private part")
    signing = commands.add_parser("sign", help="sign a bundle with TIDEGATE_SIGNING_KEY")
    signing.add_argument("bundle", type=Path, help="the bundle, or the folder of `model train --out`")
    signing.add_argument("--out", type=Path, required=True, help="the attestation: a line is added to this file")
    verifying = commands.add_parser("verify", help="print who made a bundle")
    verifying.add_argument("bundle", type=Path, help="the bundle, or the folder of `model train --out`")
    verifying.add_argument("--attestation", type=Path, help="its attestation.jsonl; without one it is not signed")
    verifying.add_argument("--repository", default="", help="OWNER/NAME on GitHub; empty for a forge in a folder")
    verifying.add_argument("--ref", default="", help="where it must have been trained, such as refs/heads/trunk")
    for command in (signing, verifying):
        command.add_argument("--trust", type=Path, help="the settings (default: provenance/trust.toml)")
    verifying.add_argument("--root", type=Path, help="Sigstore's certificates (default: provenance/trusted_root.json)")
    root = commands.add_parser("root", help="refresh Sigstore's certificates")
    root.add_argument("--offline", action="store_true", help="those that the installed library brings")
    root.add_argument("--out", type=Path, help="the file to write (default: provenance/trusted_root.json)")
    return found
