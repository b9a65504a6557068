"""The product on one machine, for the demo, system tests and benchmarks: real servers, real processes.

    with scratch_folder() as folder, LocalStack(folder) as stack:      # PostgreSQL, Kafka, tables, topics
        simulator = stack.spawn_simulator(["R1", "R2"])                # default: the nine receivers
        stack.load_destinations([                                      # secret, url and names are filled in
            {"code": "R1", "areas": ["SA01"], "regions": ["150300"]},
            {"code": "R2", "channel": "NCISP"},
        ])
        broker, other = stack.spawn_broker(), stack.spawn_broker(batch_events=10)
        publisher = stack.spawn_publisher(lease_seconds=2)             # any setting of the service
        for service in stack.services:
            service.ready()
        stack.emit([event, RawMessage(b"not JSON", key=b"91…")])
        publisher.kill(); publisher.start().ready()                    # same settings, same port, same log
        simulator.set_faults("R1", {"kind": "status", "status": 503, "probability": 0.2})
        simulator.arrivals("R1"), simulator.records("R2"), simulator.counts()

Servers of one's own: `LocalStack(folder, postgres=EmbeddedPostgres(…), kafka=EmbeddedKafka(…))`; they are
started and stopped with the stack, and are `stack.postgres`, `stack.kafka` with `restart`, `kill`, `pause`.
Shared ones: `postgres=<tests.stack.TestDatabase>`, `kafka="host:port"`, `topics=Topics(events=…, …)`.

LocalStack: `spawn_broker|spawn_publisher|spawn_simulator`, `services`, `dsn(role)`, `bootstrap`, `topics`,
`environment(audience)`, `load_destinations`, `secret(code)`, `create_key(*scopes)`, `emit`, `produced`,
`verdicts()`, `write_operator_file()`, `start`, `stop`.
ServiceProcess: `pid`, `port`, `url`, `log_path`, `client`, `start`, `ready(timeout_s)`, `is_running`,
`signal(number)`, `pause`, `resume`, `kill`, `stop(timeout_s)`, `restart`, `wait(timeout_s)`.

Everything listens on free ports of 127.0.0.1, held until the end: two stacks run side by side. Every process
dies with the one that started it, SIGKILL included. All methods block, and none needs an event loop: inside
one they may be called as they are, or by `asyncio.to_thread`.
"""

from __future__ import annotations

from liancheng.local.environment import Topics
from liancheng.local.kafka_messages import RawMessage, VerdictReader
from liancheng.local.service_process import ServiceProcess
from liancheng.local.simulator import SimulatorProcess
from liancheng.local.stack import LocalStack

__all__ = ["LocalStack", "RawMessage", "ServiceProcess", "SimulatorProcess", "Topics", "VerdictReader"]
