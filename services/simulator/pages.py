"""The index for people: one page, nothing loaded from elsewhere."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from services.simulator.reading import Counts
    from services.simulator.receivers import Receiver

COLUMNS: Final = (
    ("standing", "在册", "standing"),
    ("withdrawn", "已撤回", "withdrawn"),
    ("requests", "请求", "requests"),
    ("accepted", "接收", "accepted"),
    ("duplicates", "重复", "duplicates"),
    ("stale", "过期版本", "stale"),
    ("bad_signature", "签名无效", "bad signature"),
    ("malformed", "格式错误", "malformed"),
    ("faulted", "故障", "faulted"),
)
PAGE: Final = """<!doctype html>
<html lang="zh-CN"><head><meta charset="utf-8"><meta http-equiv="refresh" content="5">
<meta name="viewport" content="width=device-width"><title>联惩 · 接收方模拟器</title><style>
body {{ font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem }}
table {{ border-collapse: collapse; width: 100% }}
th, td {{ padding: .4rem .6rem; border-bottom: 1px solid #8884; text-align: right }}
th:first-child, td:first-child {{ text-align: left }}
th {{ vertical-align: bottom; font-weight: 600 }}
small {{ display: block; opacity: .7; font-weight: 400 }}
td {{ font-variant-numeric: tabular-nums }} :root {{ color-scheme: light dark }}
</style></head><body><h1>接收方模拟器 <small>Simulated receivers of joint-punishment records</small></h1>
<table><thead><tr><th>接收方<small>receiver</small></th>{heads}<th>查看<small>look</small></th></tr></thead>
<tbody>
{rows}
</tbody></table></body></html>
"""


def index(receivers: Sequence[Receiver], counts: Mapping[str, Counts]) -> bytes:
    heads = "".join(f"<th>{zh}<small>{en}</small></th>" for _, zh, en in COLUMNS)
    rows = "\n".join(_row(receiver, counts[receiver.code]) for receiver in receivers)
    return PAGE.format(heads=heads, rows=rows).encode()


def _row(receiver: Receiver, counts: Counts) -> str:
    numbers = "".join(f"<td>{getattr(counts, name)}</td>" for name, _, _ in COLUMNS)
    title = f"{escape(receiver.name_zh)}<small>{escape(receiver.name_en)} · {receiver.code}</small>"
    links = (
        f'<a href="/{receiver.code}/records">记录<small>records</small></a>'
        f'<a href="/{receiver.code}/arrivals">到达<small>arrivals</small></a>'
    )
    return f"<tr><td>{title}</td>{numbers}<td>{links}</td></tr>"
