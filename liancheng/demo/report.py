"""The closing tables: what came of each event, who holds what, what adds up, and where to look next."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from liancheng.demo.words import findings, short, term
from schemas.codes import Code

if TYPE_CHECKING:
    from rich.console import Console

    from liancheng.demo.expectations import ExpectedEvent
    from liancheng.demo.result import Look, Result

_ROOMY: Final = 96
_MARKS: Final = {"UPSERT": "●", "FLAG": "◐", "RETRACT": "[magenta]○[/magenta]"}
_AREA: Final = "SA08"


def show(result: Result, console: Console) -> None:
    console.print()
    console.print(_events(result, roomy=console.width >= _ROOMY))
    console.print(_receivers(result))
    console.print("● 写入 upsert   ○ 撤回 retract   · 未推送 not told\n")
    _laws(result, console)
    _outcome(result, console)
    if result.look is not None:
        _look(result, result.look, console)


def _table(title: str, *headings: str, **style: Any) -> Table:
    table = Table(box=SIMPLE_HEAD, title=title, title_justify="left", title_style="bold", **style)
    for heading in headings:
        table.add_column(heading, overflow="fold")
    return table


def _events(result: Result, *, roomy: bool) -> Table:
    """Event → verdict → record → what went to each destination; what is only nice to know where it fits."""
    table = _table("每个事件的结果 What came of each event", "事件 event")
    # A fixed width, because a narrow table would break codes and marks first.
    table.add_column("判定 verdict", width=None if roomy else max(map(len, Code)), overflow="fold")
    table.add_column("记录 record", overflow="fold")
    numbers = " ".join(str(number) for number in range(1, len(result.destinations) + 1))
    table.add_column(f"送达 told\n{numbers}", width=len(numbers))
    wrong = {mismatch.subject for mismatch in result.mismatches}
    for event in result.expectations.events:
        said = [f"[bold]{event.id}[/bold]", event.zh, *([f"[dim]{event.en}[/dim]"] if roomy else [])]
        cells = ("\n".join(said), _verdict(result, event), _record(result, event), _marks(result, event))
        table.add_row(*cells, style="red" if event.id in wrong else None, end_section=True)
    return table


def _verdict(result: Result, expected: ExpectedEvent) -> str:
    verdict = result.seen.verdicts.get(expected.id)
    if verdict is None:
        return "无 none"
    return "\n".join(
        [term("verdicts", verdict["verdict"]), *findings([*verdict["codes"], *verdict["warnings"]])]
    )


def _record(result: Result, expected: ExpectedEvent) -> str:
    seen = result.seen
    version, letter = seen.version(expected.id), seen.letters.get(expected.id)
    if letter is not None:
        place = f"{letter.topic}\n{letter.partition}@{letter.offset}"
        return f"死信 dead letter {letter.inbox_id}\n[dim]{place}[/dim]"
    uid = seen.record_uid(expected.id)
    if version is None or uid is None:
        return "-"
    lines = [f"{short(uid)} v{version['version']}", term("states", version["state"])]
    if not seen.told(uid, version["version"]):
        lines.append("[yellow]不推送 pushed to nobody[/yellow]")
    return "\n".join(lines)


def _marks(result: Result, expected: ExpectedEvent) -> str:
    version, uid = result.seen.version(expected.id), result.seen.record_uid(expected.id)
    told = result.seen.told(uid, version["version"]) if version is not None else {}
    marks = (_MARKS.get(told[code].op or "", "?") if code in told else "·" for code in result.destinations)
    return " ".join(marks)


def _receivers(result: Result) -> Table:
    """What each receiver says that it holds: its own word, not the ledger's."""
    table = _table(
        "各接收方现持有 What each receiver holds now", "", "接收方 receiver", "代码 code", "记录 records"
    )
    events: dict[str, str] = {}
    for event in result.expectations.events:
        events.setdefault(result.seen.record_uid(event.id) or "", event.id.removeprefix("evt-"))
    for number, (code, (zh, _)) in enumerate(result.destinations.items(), 1):
        held = result.seen.holdings.get(code, {})
        shown = sorted((events.get(uid, short(uid)), one) for uid, one in held.items())
        records = "  ".join(f"{name} v{one.version} {_MARKS.get(one.op, '?')}" for name, one in shown)
        table.add_row(str(number), zh, f"[dim]{code}[/dim]", records or "-")
    return table


def _laws(result: Result, console: Console) -> None:
    counts = result.conservation
    verdicts = " + ".join(f"{n} {name.lower().replace('_', ' ')}" for name, n in counts.verdicts.items())
    console.print(f"[bold]守恒 Conservation[/bold] {'✓' if counts.holds else '✗'}")
    console.print(f"  事件 events      {counts.produced} produced = {verdicts}")
    console.print(
        f"  推送 deliveries  {counts.owed} owed = {counts.accepted} accepted + {counts.superseded} superseded"
        f" + {counts.rejected} rejected + {counts.parked} parked"
    )
    console.print()


def _outcome(result: Result, console: Console) -> None:
    mismatches = result.mismatches
    took = f"{result.seconds:.1f} s (服务就绪 ready after {result.ready_seconds:.1f} s), {result.kafka}"
    if not mismatches:
        console.print(f"[bold green]全部符合预期 Every expectation held[/bold green]  {took}")
        return
    headings = ("何处 where", "何事 what", "预期 expected", "实际 got")
    table = _table("不符预期 What was expected otherwise", *headings, style="red")
    for one in mismatches:
        table.add_row(one.subject, f"{one.zh} {one.en}", escape(one.expected), escape(one.got))
    console.print(table)
    console.print(f"[bold red]{len(mismatches)} 处不符 did not hold[/bold red]  {took}")


def _look(result: Result, look: Look, console: Console) -> None:
    ask = f'curl -s -H "Authorization: Bearer $KEY" \'{look.api}/v1/check?area={_AREA}&uscc='
    lines = [
        "",
        "[bold]接下来看 Where to look next[/bold]",
        f"  接口 API               {look.api}  [dim]/openapi.json /readyz[/dim]",
        f"  演示密钥 demo key      KEY={look.token}",
        *(f"  核查 check             {ask}{uscc}'  # {what}" for what, uscc in _to_check(result)),
        f"  接收方 receivers       {look.receivers}",
        f"  日志与数据 logs, data  {look.folder}",
        f"  命令 commands          . {look.operator_file}; liancheng deadletter list",
        "  文档 docs              README.md, README.zh-CN.md, docs/",
        "",
        "按 Ctrl-C 结束，不留痕迹。 Ctrl-C ends it and leaves nothing behind.",
    ]
    for line in lines:
        console.print(line, soft_wrap=True)


def _to_check(result: Result) -> list[tuple[str, str]]:
    """One enterprise whose listing runs longest, and one whose listing was revoked."""
    records = result.seen.records.values()
    listed = max(
        (record for record in records if record["in_force"]),
        key=lambda r: str(r["publicity_until"]),
        default=None,
    )
    revoked = next((record for record in records if record["state"] == "REVOKED"), None)
    found = (("在列 listed", listed), ("已撤销 revoked: as if never listed", revoked))
    return [(what, record["subject"]) for what, record in found if record is not None]
