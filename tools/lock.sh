#!/bin/sh
# Writes requirements.lock anew from pyproject.toml: every extra and group, every platform, with hashes and without
# addresses. Needs uv (or python -m uv). `tools/lock.sh --upgrade` takes the newest versions.
set -eu
cd "$(dirname "$0")/.."
if command -v uv >/dev/null 2>&1; then uv=uv
elif python3 -m uv --version >/dev/null 2>&1; then uv="python3 -m uv"
else
    echo "tools/lock.sh: needs uv: pip install uv" >&2
    exit 1
fi
$uv pip compile pyproject.toml \
    --universal --python-version 3.11 --all-extras --group dev \
    --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links \
    --quiet --output-file requirements.lock "$@"
echo "requirements.lock: $(grep -c '==' requirements.lock) packages"
