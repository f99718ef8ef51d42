"""Keeping connections: whatever is saved has been checked as a whole."""

from collections.abc import Iterator
from dataclasses import replace

from api.base.problems import FieldError, invalid, pointer
from api.base.text import MASK
from api.calendars.slots import rules_of
from api.deployment import Deployment
from api.egress.policy import EgressError, EgressPolicy, destination
from api.resources.calendar import (
    CalendarConnection,
    ChangeCalendarConnection,
    CreateCalendarConnection,
    EventType,
    NewCalendarConnection,
)


async def create_connection(
    deployment: Deployment, asked: CreateCalendarConnection
) -> CalendarConnection:
    """Keep a new connection. Raises Problem with a pointer to every wrong field."""
    password = asked.password
    new = NewCalendarConnection(
        **asked.model_dump(exclude={"password"}),
        sealed_password=None if password is None else deployment.seal.seal(password),
    )
    errors = list(_errors(deployment, new, asked.event_types))
    if password == MASK:
        detail = "is the mask that is shown in its place; give the password itself"
        errors.append(FieldError(detail, pointer("password")))
    if errors:
        raise invalid(errors)
    return await deployment.store.calendars.create(new)


async def change_connection(
    deployment: Deployment, connection_id: str, asked: ChangeCalendarConnection
) -> CalendarConnection:
    """Change what was given.

    Raises NotFound, and Problem with a pointer to every wrong field.
    """
    before = await deployment.store.calendars.get(connection_id)
    changes = asked.changes()
    given = changes.pop("password", MASK) != MASK
    if given:
        password = asked.password
        changes["sealed_password"] = None if password is None else deployment.seal.seal(password)
    after = replace(before, **changes)
    types = [EventType.model_validate(one) for one in after.event_types]
    errors = list(_errors(deployment, after, types))
    kept = after.sealed_password is not None and not given
    if kept and destination(after.url) != destination(before.url):
        # Else whoever may change a connection could have its password sent to themselves.
        errors.append(FieldError("give it again: the URL is on another server", "/password"))
    if errors:
        raise invalid(errors)
    return await deployment.store.calendars.change(connection_id, changes)


def _errors(
    deployment: Deployment, connection: NewCalendarConnection, types: list[EventType]
) -> Iterator[FieldError]:
    try:
        parts = EgressPolicy(deployment.settings.tools).check_url(connection.url)
    except EgressError as error:
        yield FieldError(str(error), pointer("url"))
    else:
        if connection.kind == "caldav" and parts.query:
            yield FieldError("the URL of a collection has no query (?…)", pointer("url"))
    if connection.username is None and connection.sealed_password is not None:
        yield FieldError("is needed with a password", pointer("username"))
    if connection.username is not None and connection.sealed_password is None:
        yield FieldError("is needed with a user name", pointer("password"))
    taken: set[str] = set()
    for index, one in enumerate(types):
        if one.id in taken:
            detail = "another event type has this id"
            yield FieldError(detail, pointer("event_types", index, "id"))
        taken.add(one.id)
        rules = rules_of(one)
        if rules.opening >= rules.closing:
            yield FieldError("must be later than start", pointer("event_types", index, "end"))
        elif rules.opening + rules.duration > rules.closing:
            detail = "does not fit between start and end"
            yield FieldError(detail, pointer("event_types", index, "duration_minutes"))
