#!/usr/bin/env bash
# Resolve requirements/*.in to the newest versions, as hashed locks for Python 3.11 and 3.12, without an address in them.
# Dependabot finds in a lock's head that it is universal, and for which Python.
set -euo pipefail
cd "$(dirname "$0")"
for name in serve ship work checks test tools s3 extra spark clients docs; do
    more=()
    [ ! -f "$name.overrides" ] || more+=(--override "$name.overrides")
    [ ! -f "$name.excludes" ] || more+=(--excludes "$name.excludes")
    ../.venv/tools/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-annotate "${more[@]}" "$name.in" -o "$name.txt"
    echo "requirements/$name.txt: $(grep -c '==' "$name.txt") packages"
done
