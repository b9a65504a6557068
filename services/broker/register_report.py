"""What is said of a committed batch: metrics, and a log of codes that were normalised. Nothing personal."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from schemas.codes import Code
from services.broker import metrics
from services.runtime.logs import logger

if TYPE_CHECKING:
    from services.broker.docket import Docket

log = logger(__name__)


def report(docket: Docket) -> None:
    metrics.BATCH_EVENTS.observe(len(docket.heard))
    for verdict, count in Counter(entry.verdict for _, entry in docket.heard).items():
        metrics.EVENTS.labels(verdict).inc(count)
    for state, count in Counter(version.state for version in docket.versions).items():
        metrics.VERSIONS.labels(state).inc(count)
    found = Counter(f.code for _, entry in docket.heard for f in (*entry.codes, *entry.warnings))
    for code, count in found.items():
        metrics.CODES.labels(code).inc(count)
    if found[Code.W_USCC_NORMALISED]:
        metrics.NORMALISED.inc(found[Code.W_USCC_NORMALISED])
        for _, entry in docket.heard:
            for warning in entry.warnings:
                if warning.code is Code.W_USCC_NORMALISED:
                    log.info(
                        "uscc_normalised", inbox_id=entry.inbox_id, field=warning.field, code=warning.expected
                    )
