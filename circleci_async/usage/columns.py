"""The types of the columns of usage exports."""

import re
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any, Final, TypeAlias

UsageRow: TypeAlias = dict[str, Any]
"""A row of a usage export, by column name."""

_INTEGER = re.compile(r"-?[0-9]{1,18}")
_NUMBER = re.compile(r"-?[0-9]{1,18}(\.[0-9]{1,18})?([eE][+-]?[0-9]{1,3})?")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_BOOLEANS = {"true": True, "false": False}
_NULLS = {"", r"\N"}  # `\N` is null in exports of CircleCI's database


def _integer(text: str) -> int | str:
    return int(text) if _INTEGER.fullmatch(text) else text


def _number(text: str) -> float | str:
    return float(text) if _NUMBER.fullmatch(text) else text


def _boolean(text: str) -> bool | str:
    return _BOOLEANS.get(text.lower(), text)


def _datetime(text: str) -> datetime | str:
    try:
        moment = datetime.fromisoformat(text)
        return moment.astimezone(UTC) if moment.tzinfo else moment.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return text


def _date(text: str) -> date | str:
    try:
        return date.fromisoformat(text) if _DATE.fullmatch(text) else _datetime(text)
    except ValueError:
        return text


_TYPES: Final[Mapping[str, Callable[[str], object]]] = {
    **dict.fromkeys(("JOB_RUN_NUMBER", "PARALLELISM", "PIPELINE_NUMBER"), _integer),
    **dict.fromkeys(
        (
            "COMPUTE_CREDITS",
            "DLC_CREDITS",
            "IPRANGES_CREDITS",
            "JOB_RUN_SECONDS",
            "LEASE_CREDITS",
            "LEASE_OVERAGE_CREDITS",
            "MAX_CPU_UTILIZATION_PCT",
            "MAX_RAM_UTILIZATION_PCT",
            "MEDIAN_CPU_UTILIZATION_PCT",
            "MEDIAN_RAM_UTILIZATION_PCT",
            "NETWORK_CREDITS",
            "STORAGE_CREDITS",
            "TOTAL_CREDITS",
            "USER_CREDITS",
        ),
        _number,
    ),
    **dict.fromkeys(("IS_UNREGISTERED_USER", "IS_WORKFLOW_SUCCESSFUL"), _boolean),
    **dict.fromkeys(
        (
            "JOB_RUN_QUEUED_AT",
            "JOB_RUN_STARTED_AT",
            "JOB_RUN_STOPPED_AT",
            "LAST_BUILD_FINISHED_AT",
            "PIPELINE_CREATED_AT",
            "WORKFLOW_FIRST_JOB_QUEUED_AT",
            "WORKFLOW_FIRST_JOB_STARTED_AT",
            "WORKFLOW_STOPPED_AT",
        ),
        _datetime,
    ),
    **dict.fromkeys(("JOB_RUN_DATE", "ORGANIZATION_CREATED_DATE", "PROJECT_CREATED_DATE"), _date),
}


def typed(row: Mapping[str, str]) -> UsageRow:
    """Return a row with the types of its columns.

    An empty value is None. Text that does not have the type of its column, or is in an unknown column, is kept.
    """
    return {
        name: None if text in _NULLS else convert(text) if (convert := _TYPES.get(name)) else text
        for name, text in row.items()
    }
