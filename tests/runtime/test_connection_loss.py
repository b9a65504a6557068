"""Which errors say that a connection is gone, so that work goes on with another, and which are faults."""

from __future__ import annotations

import asyncpg
import pytest

from services.runtime.postgres import is_connection_loss


@pytest.mark.parametrize(
    "error",
    [
        ConnectionRefusedError(),
        TimeoutError(),
        asyncpg.ConnectionDoesNotExistError(),
        asyncpg.exceptions.AdminShutdownError(),
        asyncpg.exceptions.CannotConnectNowError(),
        asyncpg.exceptions.ReadOnlySQLTransactionError(),
        # Seen when a server shut down between two transactions of a publisher, which then ended.
        asyncpg.InternalClientError("cannot switch to state 15; another operation (2) is in progress"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_lost_connection_is_told_from_a_fault(error: Exception) -> None:
    assert is_connection_loss(error)


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.UniqueViolationError(),
        asyncpg.InsufficientPrivilegeError(),
        asyncpg.UndefinedTableError(),
        ValueError(),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_fault_is_no_lost_connection(error: Exception) -> None:
    assert not is_connection_loss(error)
