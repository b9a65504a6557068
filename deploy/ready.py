"""Container health check: `python ready.py PORT` asks this container's /readyz; exit code 0 if it is ready.

What it answered, above all why it is not ready, is then in `docker inspect` under State.Health.Log.
"""

from __future__ import annotations

import http.client
import sys

TIMEOUT_SECONDS = 3  # below the timeout of the health check, so that the reason is told


def main(port: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=TIMEOUT_SECONDS)
    try:
        connection.request("GET", "/readyz")
        answer = connection.getresponse()
        sys.stdout.write(f"{answer.status} {answer.read().decode('utf-8', 'replace')}\n")
    except (OSError, http.client.HTTPException) as error:
        sys.stdout.write(f"no answer on port {port}: {error}\n")
        return 1
    return 0 if answer.status == http.client.OK else 1


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
