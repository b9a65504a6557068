"""Fictional listing decisions, one enterprise each, of some 900 bytes: what the benchmarks feed in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from schemas.uscc import check_character

if TYPE_CHECKING:
    from collections.abc import Iterator

_INNER_WEIGHTS = (3, 7, 9, 10, 5, 8, 4, 2)


def subject_code(number: int) -> str:
    """The number-th fictional code of Wuhai, both checks right."""
    body = f"M{number:07d}"
    values = [int(character, 36) for character in body]
    inner = "0X987654321"[sum(v * w for v, w in zip(values, _INNER_WEIGHTS, strict=True)) % 11]
    first_17 = f"91150304{body}{inner}"
    return first_17 + check_character(first_17)


def listing(number: int, run: str) -> dict[str, Any]:
    """A complete `listing.decided` on the number-th enterprise."""
    code = subject_code(number)
    return {
        "specversion": "1.0",
        "id": f"{run}-{number}",
        "source": "//bench/credit",
        "type": "cn.capacity-exit.listing.decided",
        "subject": code,
        "time": "2026-05-12T16:00:00+08:00",
        "datacontenttype": "application/json",
        "data": {
            "case_id": f"BENCH-{run}-{number}",
            "enterprise": {
                "name": f"乌海市虚构石灰{number}号有限公司",
                "uscc": code,
                "industry": {"edition": "GB/T 4754-2017", "code": "3012"},
            },
            "authority": {"name": "乌海市工业和信息化局", "uscc": "11150300M0000L112J", "region": "150300"},
            "dimensions": ["ENERGY"],
            "failure_reason": "F01",
            "obligation": {"ordered_on": "2025-09-10", "base_months": 6, "due_on": "2026-03-10"},
            "decision": {
                "doc_no": f"乌工信列决〔2026〕{number}号",
                "doc_type": "LISTING",
                "decided_on": "2026-05-11",
                "served_on": "2026-05-12",
                "notice": {"served_on": "2026-04-20", "defence": "CLOSED"},
            },
            "bases": [
                {"basis": "国发〔2010〕7号", "level": "STATE_COUNCIL_POLICY"},
                {"basis": "工信部联产业〔2017〕30号", "level": "NORMATIVE"},
            ],
        },
    }


def listings(first: int, count: int, run: str) -> Iterator[dict[str, Any]]:
    return (listing(number, run) for number in range(first, first + count))
