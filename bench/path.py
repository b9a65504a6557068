"""The whole path on one machine: Kafka → broker → feed → publisher → receivers, everything on its cores.

    make bench                                    # or: .venv/bin/python bench/path.py
    bench/path.py --events 5000 --seconds 3       # a short run
    bench/path.py --json                          # one JSON object instead of the table

1. register: events wait in Kafka, one broker starts; events registered per second.
2. deliver: their versions wait in the feed, one publisher starts; deliveries per second to 6 destinations,
   signed, one request each, intent and outcome durable. Beside it the floor of the same run (bench/floor.py).
3. latency: events are produced at a steady rate; milliseconds from produce to the receiver, 7 destinations.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import orjson
from aiokafka import AIOKafkaProducer

sys.path.insert(0, str(Path(__file__).parent.parent))

from bench import floor
from bench.listings import listing, listings
from bench.report import Report, percentile
from liancheng.embedded.scratch import scratch_folder
from liancheng.local import LocalStack
from services.publisher.feed_pages import FeedRows

if TYPE_CHECKING:
    from collections.abc import Iterator

DESTINATIONS = 6
LATENCY_DESTINATIONS = 7
RATES = (200, 50)
PATIENCE_S = 120.0
HEADERS = [("content-type", b"application/cloudevents+json")]


@contextlib.contextmanager
def sink(*options: str) -> Iterator[str]:
    """A bench/sink.py; its URL."""
    command = [sys.executable, str(Path(__file__).with_name("sink.py")), "--port", "0", *options]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    try:
        first_line = process.stdout.readline() if process.stdout else b"{}"
        yield f"http://127.0.0.1:{json.loads(first_line)['port']}"
    finally:
        process.kill()
        process.wait()


def get(url: str) -> dict[str, float]:
    with urllib.request.urlopen(url, timeout=30) as answer:  # noqa: S310  our own sink
        found: dict[str, float] = orjson.loads(answer.read())
        return found


def load_sink_destinations(stack: LocalStack, url: str, count: int, prefix: str) -> None:
    stack.load_destinations(
        {
            "code": f"{prefix}{number}",
            "areas": ["SA01"],
            "regions": ["150300"],
            "url": f"{url}/{prefix}{number}",
            "start": "now" if prefix == "L" else "beginning",
        }
        for number in range(count)
    )


async def rate_of(connection: asyncpg.Connection, count: str, start: int, end: int) -> float:
    """Growth per second of the number that `count` gives, from the first sample after `start` to `end`."""
    samples: list[tuple[float, int]] = []
    give_up = time.monotonic() + PATIENCE_S
    while not samples or samples[-1][1] < end:
        value = await connection.fetchval(count) or 0
        if value > start:
            samples.append((time.perf_counter(), value))
        if time.monotonic() > give_up:
            raise SystemExit(f"bench: {value} of {end} after {PATIENCE_S:.0f} s")
        await asyncio.sleep(0.02)
    (first_at, first), (last_at, last) = samples[0], samples[-1]
    return (last - first) / (last_at - first_at) if last > first else float(last - start)


async def register(stack: LocalStack, report: Report, events: int) -> None:
    stack.emit(listings(0, events, "r"))
    connection = await asyncpg.connect(stack.dsn("migrator"))
    stack.spawn_broker()
    rate = await rate_of(connection, "select feed from sequence_head", 0, events)
    await connection.close()
    report.add("register_per_s", "registered events/s (inbox to offset, one transaction)", rate, "≥ 10,000")


async def deliver(stack: LocalStack, report: Report, events: int) -> None:
    with sink() as url:
        connection = await asyncpg.connect(stack.dsn("publisher"))
        rows = FeedRows()
        feed = [
            rows.make(row)
            for row in await connection.fetch(
                "select seq, record_uid, version, op, cause, lane, lane_hash, channels, areas, regions,"
                " trace_id, body from feed order by seq"
            )
        ]
        load_sink_destinations(stack, url, DESTINATIONS, "D")
        publisher = stack.spawn_publisher()
        head = "select coalesce(last_value, 0) from pg_sequences where sequencename = 'ledger_entry_id_seq'"
        rate = await rate_of(connection, head, 0, events * DESTINATIONS)
        counts = get(f"{url}/counts")
        publisher.stop(30)
        if counts["distinct"] != events * DESTINATIONS or counts["repeated"]:
            raise SystemExit(f"bench: the sink saw {counts}")
        rate_floor = await asyncio.to_thread(floor.measure, stack.dsn("migrator"), url, feed, DESTINATIONS)
        await connection.close()
    body = sum(len(row.body) for row in feed) / len(feed)
    report.add("deliveries_per_s", f"deliveries/s to {DESTINATIONS} destinations", rate, "≥ 10,000")
    report.add("deliveries_floor_per_s", "floor: bare sender beside bare COPY, deliveries/s", rate_floor)
    report.add("deliveries_floor_ratio", "deliveries ÷ floor", rate / rate_floor)
    report.note(f"one publisher process, max_unsettled as by default, bodies of {body:,.0f} bytes")


async def steady(bootstrap: str, topic: str, first: int, rate: int, seconds: float) -> dict[str, float]:
    """Produce at `rate`/s for `seconds`; when each event was handed to Kafka (unix time)."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap, linger_ms=0)
    await producer.start()
    produced: dict[str, float] = {}
    started = time.perf_counter()
    try:
        for number in range(int(rate * seconds)):
            due = started + number / rate
            if (wait := due - time.perf_counter()) > 0:
                await asyncio.sleep(wait)
            event = listing(first + number, f"l{rate}")
            value = orjson.dumps(event)
            produced[event["id"]] = time.time()
            await producer.send(topic, value, key=event["subject"].encode(), headers=HEADERS)
        await producer.flush()
    finally:
        await producer.stop()
    return produced


async def latency(stack: LocalStack, report: Report, first: int, seconds: float) -> None:
    with sink("--record-times") as url:
        connection = await asyncpg.connect(stack.dsn("migrator"))
        await connection.execute("update destination set state = 'PAUSED', updated_at = now()")
        load_sink_destinations(stack, url, LATENCY_DESTINATIONS, "L")
        publisher = stack.spawn_publisher().ready()
        for rate in RATES:
            # The first seconds of a fresh process fill caches and connections: they are not the steady state.
            await steady(stack.bootstrap, stack.topics.events, first, rate, 1.5)
            first += int(rate * 1.5)
            produced = await steady(stack.bootstrap, stack.topics.events, first, rate, seconds)
            first += len(produced)
            give_up = time.monotonic() + PATIENCE_S
            while True:
                uids = dict(
                    await connection.fetch(
                        "select record_uid, event_id from inbox where event_id = any($1)", list(produced)
                    )
                )
                times = get(f"{url}/times")
                arrived = [
                    1000 * (at - produced[uids[uid]])
                    for webhook_id, at in times.items()
                    if (uid := webhook_id.split(".")[0]) in uids
                ]
                if len(arrived) == len(produced) * LATENCY_DESTINATIONS:
                    break
                if time.monotonic() > give_up:
                    raise SystemExit(
                        f"bench: {len(arrived)} of {len(produced) * LATENCY_DESTINATIONS} arrived"
                    )
                await asyncio.sleep(0.1)
            suffix = "" if rate == RATES[0] else f"_at_{rate}"
            what = f"produce to receiver, {rate} events/s × {LATENCY_DESTINATIONS}"
            targets = ("< 8", "", "< 25") if rate == RATES[0] else ("rivals 4.0", "", "rivals 5.3")
            for percent, target in zip((50, 95, 99), targets, strict=True):
                value = percentile(arrived, percent / 100)
                report.add(f"p{percent}_ms{suffix}", f"{what}, p{percent} ms", value, target)
        publisher.stop(30)
        await connection.close()
    report.note("rivals: Svix 1.100 and WebhookX 1.2 on such a machine at 50/s × 7, taken in by HTTP")


async def run(events: int, seconds: float, parts: set[str], report: Report) -> None:
    with scratch_folder("liancheng-bench-") as folder, LocalStack(folder) as stack:
        await register(stack, report, events)
        if "deliver" in parts:
            await deliver(stack, report, events)
        if "latency" in parts:
            await latency(stack, report, events, seconds)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--events", type=int, default=40_000, help="events of parts 1 and 2 (40,000)")
    parser.add_argument("--seconds", type=float, default=20.0, help="seconds at each rate of part 3 (20)")
    parser.add_argument("--parts", default="deliver,latency", help="besides register: deliver, latency")
    parser.add_argument("--json", action="store_true", help="one JSON object whose keys name the targets")
    given = parser.parse_args()
    report = Report("bench/path.py: Kafka to receiver, one broker, one publisher, all on one machine")
    asyncio.run(run(given.events, given.seconds, set(given.parts.split(",")), report))
    print(report.as_json() if given.json else report.as_table())


if __name__ == "__main__":
    main()
