"""PostgreSQL 18 and Apache Kafka 4.3 by package installs: no root, no Docker, no system Java.

For `liancheng demo`, tests and benchmarks. Everything listens on 127.0.0.1 only and ends with its parent.
"""

from __future__ import annotations
