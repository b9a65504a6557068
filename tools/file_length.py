"""No Python file over 400 lines: a longer one has more than one responsibility."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

LIMIT = 400


def main() -> int:
    listing = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "*.py"]
    names = subprocess.run(listing, capture_output=True, text=True, check=True).stdout.splitlines()
    lengths = {name: len(Path(name).read_text("utf-8").splitlines()) for name in names if Path(name).exists()}
    too_long = {name: length for name, length in lengths.items() if length > LIMIT}
    for name, length in sorted(too_long.items()):
        print(f"{name}: {length} lines, at most {LIMIT}")
    return 1 if too_long else 0


if __name__ == "__main__":
    sys.exit(main())
