"""The database itself keeps the ledger and the audit record append-only."""

from ctplatform.append_only import AppendOnlyTables

LEDGER = AppendOnlyTables(("readerstudy_ratingevent", "readerstudy_auditentry"), "readerstudy_refuse_change")
