"""The base of every API model: camelCase on the wire, snake_case in Python, unknown fields refused."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, PlainSerializer
from pydantic.alias_generators import to_camel


def _to_wire(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


Moment = Annotated[datetime, PlainSerializer(_to_wire, return_type=str, when_used="json")]
"""A point in time, UTC, RFC 3339 with milliseconds on the wire."""


class ApiModel(BaseModel):
    """A part of the API object."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        populate_by_name=True,
        extra="forbid",
        use_enum_values=False,
    )


class StatusModel(ApiModel):
    """A part of the status; fields of a newer operator are ignored, so that a rollback can read them."""

    model_config = ConfigDict(extra="ignore", validate_assignment=True)
