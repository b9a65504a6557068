"""The API: agencies check and poll, auditors read the ledger. One module a resource."""

from __future__ import annotations
