#!/bin/sh
# Finds a Python >= 3.11 and lets tools/bootstrap.py make .venv with it. PYTHON=... names one.
set -eu
cd "$(dirname "$0")/.."

fits() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }
can_make_venv() { "$1" -c 'import ensurepip, venv' >/dev/null 2>&1; }

if [ -z "${PYTHON:-}" ] && fits .venv/bin/python; then
    exec .venv/bin/python tools/bootstrap.py
fi

incomplete=
# A name may be a shim that only says where it would lead, so every candidate has to run.
for candidate in ${PYTHON:-python3.13 python3.12 python3.11 python3.14 python3}; do
    if fits "$candidate"; then
        if can_make_venv "$candidate"; then
            exec "$candidate" tools/bootstrap.py ${PYTHON:+--exactly-this-python}
        fi
        incomplete=${incomplete:-$candidate}
    fi
done

if [ -n "$incomplete" ]; then
    echo "error: $incomplete is new enough but has no venv and ensurepip modules." >&2
    echo "Install them (Debian, Ubuntu: apt-get install python3-venv), or name another Python: make PYTHON=/path/to/python3.12" >&2
elif [ -n "${PYTHON:-}" ]; then
    echo "error: PYTHON=$PYTHON is no Python 3.11 or newer." >&2
else
    echo "error: Liancheng needs Python 3.11 or newer; python3 here is: $(python3 --version 2>&1 || echo none)." >&2
    echo "Install one, or name it: make PYTHON=/path/to/python3.12" >&2
fi
exit 1
