"""One door to a Maven repository, through jgo."""

from __future__ import annotations

import os
import ssl
from pathlib import Path
from typing import Any, Final

from jgo.constants import MAVEN_CENTRAL_URL
from jgo.maven import MavenContext, PythonResolver

_REQUEST_TIMEOUT_S: Final = 15  # to connect, and between two pieces; then the demo falls back


def maven(folder: Path, progress: Any = None) -> MavenContext:
    """A context that keeps what it fetches in `folder`, laid out as a repository; `progress` is jgo's."""
    _trust_the_systems_certificates()
    return MavenContext(
        resolver=PythonResolver(progress_callback=progress),
        repo_cache=folder,
        local_repos=[],
        remote_repos={"maven": os.environ.get("LIANCHENG_MAVEN_URL", MAVEN_CENTRAL_URL).rstrip("/")},
        timeout=_REQUEST_TIMEOUT_S,
    )


def _trust_the_systems_certificates() -> None:
    """For `requests`, which knows only certifi's: a company's own authority is in the system's store."""
    if {"REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"} & os.environ.keys():
        return
    paths = ssl.get_default_verify_paths()
    if paths.cafile:
        os.environ["REQUESTS_CA_BUNDLE"] = paths.cafile
    elif paths.capath and any(Path(paths.capath).iterdir()):
        os.environ["REQUESTS_CA_BUNDLE"] = paths.capath
