#!/usr/bin/env bash
# Resolve requirements/*.in to the newest versions, as hashed locks for Python 3.11 and 3.12, without an address in them.
#   requirements/lock.sh [NAME ...]
# Dependabot finds in a lock's head that it is universal, and for which Python.
set -euo pipefail
cd "$(dirname "$0")"
names=("$@")
[ $# -gt 0 ] || names=(serve ship verify work checks test tools s3 extra spark clients docs sbom recipe estimators)
for name in "${names[@]}"; do
    more=()
    if [ "$name" = recipe ] || [ "$name" = estimators ]; then
        # Laid over work: the same versions of what work has, except of what is named, and none of them a second time.
        beside=$(mktemp)
        named=$(sed -E 's/[^A-Za-z0-9._-].*//' "$name.in" | grep . || true)
        sed -nE 's/ *\\$//; /^[a-z0-9._-]+==/p' work.txt | grep -vE "^(${named//$'\n'/|}|nothing)==" >"$beside"
        more+=(--constraints "$beside" --custom-compile-command
            "uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --constraints work.txt $name.in -o $name.txt")
        for each in $(sed -E 's/==.*//' "$beside" | sort -u); do more+=(--no-emit-package "$each"); done
    fi
    [ ! -f "$name.overrides" ] || more+=(--override "$name.overrides")
    [ ! -f "$name.excludes" ] || more+=(--excludes "$name.excludes")
    ../.venv/tools/bin/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes \
        --no-emit-index-url --no-annotate "${more[@]}" "$name.in" -o "$name.txt"
    echo "requirements/$name.txt: $(grep -c '==' "$name.txt" || true) packages"
done
