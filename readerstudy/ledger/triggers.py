"""The database itself keeps the ledger, the audit record and what raters were told append-only."""

from ctplatform.append_only import AppendOnlyTables

LEDGER = AppendOnlyTables(("readerstudy_ratingevent", "readerstudy_auditentry"), "readerstudy_refuse_change")
TRUTHS_TOLD = AppendOnlyTables(("readerstudy_truthtold",), "readerstudy_refuse_change_of_told")
