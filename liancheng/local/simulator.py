"""The simulator's process, and what its receivers saw."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from liancheng.local.client import Client, ReplyError
from liancheng.local.service_process import ServiceProcess

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

_OK = 200


class SimulatorProcess(ServiceProcess):
    """`receivers` are the codes that it serves."""

    def __init__(
        self,
        name: str,
        log_path: Path,
        environment: Callable[[int], Mapping[str, str]],
        receivers: tuple[str, ...],
        admin_token: str,
    ) -> None:
        super().__init__(name, "simulator", log_path, environment)
        self.receivers = receivers
        self._admin = Client(self.url, admin_token)

    def records(self, receiver: str) -> list[dict[str, Any]]:
        """What it holds now: record_uid, version, op, state, cause, subject, name, arrival_no of each."""
        return list(self.client.items(f"/{receiver}/records", "after"))

    def arrivals(self, receiver: str) -> list[dict[str, Any]]:
        """Every request that arrived in full, in order; the columns are those of the simulator's table."""
        return list(self.client.items(f"/{receiver}/arrivals", "after"))

    def counts(self) -> dict[str, dict[str, Any]]:
        """By receiver: requests, accepted, duplicates, stale, … (see `services.simulator.reading.Counts`)."""
        return {entry["code"]: entry["counts"] for entry in self.client.get("/")["receivers"]}

    def set_faults(self, receiver: str, *rules: Mapping[str, object]) -> None:
        """Replace the receiver's fault rules (`services.simulator.faults.FaultRule`); none: it is well."""
        reply = self._admin.request("PUT", f"/admin/{receiver}/faults", body=rules)
        if reply.status != _OK:
            raise ReplyError(f"faults of {receiver}: {reply.status}: {reply.body}")
