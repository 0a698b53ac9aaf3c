#!/usr/bin/env bash
# Make .venv/NAME from requirements/NAME.txt, or do nothing if it is up to date.
#   requirements/install.sh serve|verify|work|recipe|checks|test|tools|s3|extra|spark|clients|docs|sbom|estimators
# Needs Python 3.11 or 3.12 and a package index. Installs its own uv, unless UV names one, with the pip of `python3 -m venv`.
# Where Debian's package for that is missing, root gets it from apt.
set -euo pipefail
cd "$(dirname "$0")/.."
name=$1
lock=requirements/$name.txt
[ "$name" != work ] || "$0" recipe # what a recipe imports is beside what it is trained with

python=${PYTHON:-}
for each in python3 python3.12 python3.11; do
    [ -n "$python" ] && break
    "$each" -c 'import sys; sys.exit(sys.version_info[:2] not in [(3, 11), (3, 12)])' 2>/dev/null && python=$each
done
if [ -z "$python" ]; then
    echo "error: no Python 3.11 or 3.12 found; install one, or name it: make setup PYTHON=/path/to/python3.12" >&2
    exit 2
fi

mkdir -p .venv
exec 9>".venv/$name.lock"
flock 9 # a second make waits here, and then finds the work done
state="$("$python" -VV | head -1) $(sha256sum <"$lock")"
stamp=.venv/$name/installed
if [ "$(cat "$stamp" 2>/dev/null)" = "$state" ]; then
    touch "$stamp"
    exit 0
fi
if [[ $(<"$lock") != *==* ]]; then # recipe.txt, where a recipe imports nothing else
    rm -rf ".venv/$name" && mkdir ".venv/$name"
    printf '%s\n' "$state" >"$stamp"
    exit 0
fi
echo "installing .venv/$name (once; a minute or two the first time) ..."

if [ "$name" = tools ]; then
    has_venv() { "$python" -c "import venv; from ensurepip import version" 2>/dev/null; }
    if ! has_venv; then
        # Debian and Ubuntu have it in a package for each version of Python.
        package=python$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv
        if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
            echo "installing $package, which $python needs to make an environment ..."
            { apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install --yes "$package"; } >/dev/null || true
        fi
        if ! has_venv; then
            remedy="name a Python that has them: make setup PYTHON=/path/to/python3.12"
            ! command -v apt-get >/dev/null || remedy="type: sudo apt-get install $package"
            echo "error: $python cannot make an environment: its modules venv and ensurepip are not installed; $remedy" >&2
            exit 2
        fi
    fi
    "$python" -m venv --clear .venv/tools
    .venv/tools/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r "$lock"
else
    uv=${UV:-} # a workflow has one already
    [ -n "$uv" ] || { "$0" tools 9>&-; uv=.venv/tools/bin/uv; }
    export UV_PYTHON_DOWNLOADS=never UV_LINK_MODE=${UV_LINK_MODE:-hardlink}
    # uv does not read pip's settings: hand on an index that only pip was told of.
    if [ -z "${UV_DEFAULT_INDEX:-${UV_INDEX_URL:-}}" ]; then
        index=${PIP_INDEX_URL:-$(.venv/tools/bin/python -m pip config get global.index-url 2>/dev/null || true)}
        [ -z "$index" ] || export UV_DEFAULT_INDEX=$index
    fi
    if [[ " test spark recipe estimators " = *" $name "* ]]; then
        # Laid over an environment by PYTHONPATH (recipe: by model.train), so that tests see just what production installs.
        rm -rf ".venv/$name"
        "$uv" pip install --quiet --python "$python" --target ".venv/$name" --no-deps --require-hashes -r "$lock"
    else
        "$uv" venv --quiet --clear --python "$python" ".venv/$name"
        # Compiled now, once: every command starts in half the time, also where Python may not write.
        "$uv" pip sync --quiet --compile-bytecode --python ".venv/$name/bin/python" --require-hashes "$lock"
        # NumPy's tests, what ONNX Runtime makes models with, and its library for C: a third, and never loaded.
        [ "$name" != serve ] || find .venv/serve/lib/python3*/site-packages -depth \( -path '*/numpy/*/tests' \
            -o -path '*/onnxruntime/transformers' -o -path '*/onnxruntime/quantization' -o -path '*/onnxruntime/tools' \
            -o -path '*/onnxruntime/capi/libonnxruntime.so*' \) -exec rm -r {} +
    fi
fi
printf '%s\n' "$state" >"$stamp"
