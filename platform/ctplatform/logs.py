"""One JSON object per line, so that a log collector needs no pattern."""

import json
import logging
import re
from datetime import UTC, datetime

_LINK = re.compile(r"(/people/(?:invitation|reset)/)[^/\s'\"]+")
_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "request", "taskName"}


class JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        entry: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, tz=UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": without_links(record.getMessage()),
        }
        entry |= {key: value for key, value in vars(record).items() if key not in _STANDARD}
        if record.exc_info:
            entry["exception"] = without_links(self.formatException(record.exc_info))
        return json.dumps(entry, default=str)


def without_links(text: str) -> str:
    """An invitation's address makes an account for whoever reads it, a reset's opens one."""
    return _LINK.sub(r"\1…", text)
