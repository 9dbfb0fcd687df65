"""Where the files of a history are: Hive partitions by project and month, which DuckDB and polars read as they are."""

import re
from datetime import UTC, date, datetime
from urllib.parse import quote, unquote

from attrs import frozen

_NAME = re.compile(r"(?P<table>[a-z_]+)/project=(?P<project>[^/]+)/month=(?P<month>\d{4}-\d{2})/(?P=table)\.parquet")


@frozen(order=True)
class Partition:
    """The rows of one table, project and month."""

    table: str
    project: str
    """The slug."""
    month: str
    """Such as `2026-11`, in UTC."""

    @property
    def name(self) -> str:
        """The path of its file below the history: `runs/project=gh%2Facme%2Fapi/month=2026-11/runs.parquet`."""
        return f"{folder_of(self.table, self.project)}/month={self.month}/{self.table}.parquet"

    @classmethod
    def parse(cls, name: str) -> "Partition | None":
        """Return the partition with this name; None for any other file."""
        match = _NAME.fullmatch(name)
        if match is None:
            return None
        found = cls(match["table"], unquote(match["project"]), match["month"])
        return found if found.name == name else None


def folder_of(table: str, project: str) -> str:
    """Return the folder of a table of a project, below the history."""
    return f"{table}/project={quote(project, safe='')}"


def month_of(day: date | datetime) -> str:
    """Return the month of a day, or of a time in UTC."""
    if isinstance(day, datetime):
        day = day.astimezone(UTC)
    return f"{day.year:04}-{day.month:02}"
