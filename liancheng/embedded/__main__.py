"""python -m liancheng.embedded: fetch and prepare all that the embedded stack needs, once."""

from __future__ import annotations

import sys

from liancheng.embedded.jars import kafka_jars
from liancheng.embedded.java_cache import make_cache
from liancheng.embedded.unprivileged import postgres_home, server_account


def main() -> None:
    try:
        postgres_home(server_account())
        kafka_jars()
        make_cache()
    except (RuntimeError, OSError) as error:
        sys.exit(f"error: {error}")


if __name__ == "__main__":
    main()
