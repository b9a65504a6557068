"""What happens to a push: a fault may strike, the signature is verified, it is recorded, then answered."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING

from standardwebhooks import Webhook, WebhookVerificationError

from services.simulator.faults import FaultKind, FaultRule, Faults
from services.simulator.judgement import Unreadable, Verdict, answer, read_push
from services.simulator.message import problem
from services.simulator.store import Arrival

if TYPE_CHECKING:
    from services.simulator.journal import Journal
    from services.simulator.message import Request
    from services.simulator.receivers import Receiver
    from services.simulator.wire import Exchange


class Reception:
    """Takes the pushes of one receiver."""

    def __init__(self, receiver: Receiver, seed: int | None, journal: Journal) -> None:
        self.receiver = receiver
        self.faults = Faults(receiver.code, seed)
        self._webhook = Webhook(receiver.secret.get_secret_value())
        self._journal = journal
        self._loop = asyncio.get_running_loop()

    def receive(self, exchange: Exchange) -> None:
        """Record the push, and answer it once that is durable."""
        request = exchange.request
        fault = self.faults.draw()
        push = read_push(request.body)
        verdict, detail = None, ""
        if fault is not None and not fault.takes_effect:
            verdict = Verdict.FAULT
        elif detail := self._objection(request):
            verdict = Verdict.BAD_SIGNATURE
        elif isinstance(push, Unreadable):
            verdict, detail = Verdict.MALFORMED, push.reason
        arrival = Arrival(
            self.receiver.code,
            request.header(b"webhook-id") or None,
            request.at,
            exchange.connection.number,
            request.body,
            None if isinstance(push, Unreadable) else push,
            verdict,
            fault,
        )
        self._journal.append(arrival, partial(self._settle, exchange, fault, detail))

    def _objection(self, request: Request) -> str:
        """Why the signature is not accepted, or an empty string (Standard Webhooks; tolerance 5 minutes)."""
        names = (b"webhook-id", b"webhook-timestamp", b"webhook-signature")
        try:
            headers = {name.decode(): request.header(name) for name in names}
            self._webhook.verify(request.body, headers, json_parse=False)
        except WebhookVerificationError as error:
            return str(error)
        except ValueError:  # what the package lets through for a list or base64 or body that can't be read
            return "Invalid Signature Headers"
        return ""

    def _settle(
        self, exchange: Exchange, fault: FaultRule | None, detail: str, verdict: Verdict | None
    ) -> None:
        if verdict is None:
            exchange.answer(problem(500, "the push could not be recorded"))
            return
        reply = answer(verdict, fault, detail)
        if reply is None:
            exchange.abandon()
        elif fault is not None and fault.kind is FaultKind.LATENCY:
            self._loop.call_later(fault.seconds or 0, exchange.answer, reply)
        else:
            exchange.answer(reply)
