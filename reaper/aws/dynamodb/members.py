"""How members go out of a row, and back into one: update actions, and on what condition."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, cast

from pynamodb.expressions.condition import Condition
from pynamodb.expressions.operand import Value
from pynamodb.expressions.update import Action

from reaper.aws.dynamodb.conditions import holds, path_of
from reaper.core.rows.items import AttributePath, AttributeValue, Item, attribute
from reaper.core.rows.members import Leaving, Member, resolved
from reaper.core.rows.shape import RowShape


def removal(shape: RowShape, leaving: Leaving) -> tuple[list[Action], list[Condition]]:
    """Members go if each is where it was found and as it was, and so is what tells their row.

    The last of a list goes first. To DynamoDB all places are those before the update; where they
    were those after the action before, an order from the front would take others out.
    """
    collection = attribute(leaving.item, shape.collection) or {}
    conditions = [*_of_row(shape, leaving.item)]
    for member in leaving.members:
        conditions += _of_member(shape, collection, member)
    path = path_of(shape.collection)
    positions = sorted((member.position for member in leaving.members), reverse=True)
    if "SS" not in collection:
        return [path_of((*shape.collection, one)).remove() for one in positions], conditions
    if len(shape.collection) == 1:
        return [path.delete(_value({"SS": positions}))], conditions
    # DELETE knows attributes of the row only, none inside of maps.
    rest = {"SS": [text for text in collection["SS"] if text not in positions]}
    action = path.set(_value(rest)) if rest["SS"] else path.remove()
    return [action], [*conditions, holds(shape.collection, collection)]


def put_back(
    path: AttributePath, members: AttributeValue, held: AttributeValue | None
) -> tuple[Action, Condition]:
    """Adds a collection's members to what a row holds at ``path``; to a list, at its end.

    On condition that this is still what it holds.
    """
    ((kind, some),) = members.items()
    others = (held or {}).get(kind, type(some)())
    whole = {kind: others | some if kind == "M" else [*others, *some]}
    return path_of(path).set(_value(whole)), holds(path, held)


def _of_row(shape: RowShape, item: Item) -> Iterator[Condition]:
    for path in shape.watched:
        if not shape.is_beside_id(path):
            yield holds(path, attribute(item, path))


def _of_member(shape: RowShape, collection: AttributeValue, member: Member) -> Iterator[Condition]:
    id_path, *beside = zip(shape.watched, shape.watched_in(member.item), strict=True)
    if "SS" in collection:
        yield path_of(shape.collection).contains(_value({"S": member.position}))
    elif shape.is_keyed_by_id:
        yield path_of((*shape.collection, member.position)).exists()
    else:
        yield holds(resolved(id_path[0], member.position), id_path[1])
    for path, value in beside:
        if shape.is_beside_id(path):
            yield holds(resolved(path, member.position), value)


def _value(value: AttributeValue) -> Any:
    return cast(Any, Value(value))
