"""Where in the rows of a table connection ids are: any attribute, whole or inside its text."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from reaper.core.discovery.leaves import keyed_maps, leaves
from reaper.core.rows.ids import is_of_one_case, looks_like_id
from reaper.core.rows.items import Item, text_of

_ID = re.compile(r"[A-Za-z0-9_-]{11,22}={1,2}")
"""As API Gateway issues them, told from other words by the sign at their end."""

_ID_INSIDE = re.compile(rf"(?<![A-Za-z0-9_=-]){_ID.pattern}(?![A-Za-z0-9=])")

_STAND_IN_ID = re.compile(r"[A-Za-z0-9_-]{4,64}")

_NAME = re.compile(r"conn|socket|ws_?id|^ws$|session_?id|client_?id", re.IGNORECASE)
_GOOD_NAME = re.compile(r"(conn(ection)?|socket|ws)[_-]?(id)?s?$", re.IGNORECASE)

_MARKS = re.compile(r"[#|:/]")
"""Between the parts of a composite key."""


class IdPlace(NamedTuple):
    setting: str
    """For REAPER_CONNECTION_ID_ATTRIBUTE."""
    pattern: str
    """For REAPER_CONNECTION_ID_PATTERN; empty for the whole value."""
    ids: dict[int, list[str]]
    """By the index of the row in the sample."""
    others: list[str]
    """Texts there that are no ids."""
    is_certain: bool
    """Whether the ids have the form that API Gateway gives them, and no library has changed."""

    @property
    def is_of_members(self) -> bool:
        """Whether a row may hold several."""
        return "[]" in self.setting or "{}" in self.setting or self.held_together

    @property
    def held_together(self) -> bool:
        return any(len(ids) > 1 for ids in self.ids.values())

    @property
    def distinct(self) -> list[str]:
        return list(dict.fromkeys(one for ids in self.ids.values() for one in ids))

    @property
    def has_good_name(self) -> bool:
        return _GOOD_NAME.search(_last_name(self.setting)) is not None


def id_places(items: Sequence[Item], key_names: Sequence[str]) -> list[IdPlace]:
    """Every place that holds ids, the likeliest first."""
    texts: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)
    for n, item in enumerate(items):
        for setting, value in leaves(item):
            if (text := text_of(value)) is not None and "S" in value:
                texts[setting].append((n, text))
        for setting, keys in keyed_maps(item):
            if keys and all(_ID.fullmatch(key) for key in keys):
                texts[setting] += [(n, key) for key in keys]
    places = [place for setting, held in texts.items() if (place := _place(setting, held))]
    return sorted(places, key=lambda place: _rank(place, key_names, len(items)), reverse=True)


def _rank(place: IdPlace, key_names: Sequence[str], rows: int) -> tuple[object, ...]:
    is_key = place.setting in key_names
    is_plain = not place.pattern
    return (
        place.is_certain,
        not place.is_of_members,
        place.has_good_name and is_plain,
        is_key,
        place.has_good_name,
        is_plain,
        len(place.ids) / rows,
    )


def _place(setting: str, held: Sequence[tuple[int, str]]) -> IdPlace | None:
    whole = [(n, text) for n, text in held if _ID.fullmatch(text)]
    if len(whole) * 2 > len(held):
        others = [text for _, text in held if not _ID.fullmatch(text)]
        pattern = _ID.pattern if others else ""
        return _made(setting, pattern, whole, others)
    inside = [(n, text) for n, text in held if _ID_INSIDE.search(text)]
    if inside:
        return _composite(setting, held, inside)
    if not whole and _NAME.search(_last_name(setting)):
        likely = [(n, text) for n, text in held if _STAND_IN_ID.fullmatch(text)]
        if len(likely) == len(held):
            return _made(setting, "", likely, [])._replace(is_certain=False)
    return None


def _made(
    setting: str, pattern: str, held: Iterable[tuple[int, str]], others: list[str]
) -> IdPlace:
    ids: defaultdict[int, list[str]] = defaultdict(list)
    for n, text in held:
        ids[n].append(text)
    letters = [text for texts in ids.values() for text in texts]
    changed = sum(map(is_of_one_case, letters)) * 2 > len(letters)
    is_certain = not changed and all(map(looks_like_id, letters))
    return IdPlace(setting, pattern, dict(ids), others, is_certain)


def _composite(
    setting: str, held: Sequence[tuple[int, str]], inside: Sequence[tuple[int, str]]
) -> IdPlace:
    """The kind of text that holds ids most often, as a pattern whose group is the id."""
    kinds: defaultdict[tuple[str, int, int], list[tuple[int, str]]] = defaultdict(list)
    for n, text in inside:
        match = _ID_INSIDE.search(text)
        assert match is not None
        before, after = _MARKS.findall(text[: match.start()]), _MARKS.findall(text[match.end() :])
        kinds[_MARKS.split(text)[0] if before else "", len(before), len(after)].append((n, text))
    chosen = max(kinds.values(), key=len)
    pattern = _pattern([text for _, text in chosen])
    compiled = re.compile(pattern)
    found = [(n, match[1]) for n, text in held if (match := compiled.fullmatch(text))]
    others = [text for _, text in held if not compiled.fullmatch(text)]
    return _made(setting, pattern, found, others)


def _pattern(texts: Sequence[str]) -> str:
    """What all of them share as it stands, what differs as any text without a mark."""
    matches = [match for text in texts if (match := _ID_INSIDE.search(text))]
    before = _shared([match.string[: match.start()] for match in matches])
    after = _shared([match.string[match.end() :] for match in matches])
    return f"{before}({_ID.pattern}){after}"


def _shared(texts: Sequence[str]) -> str:
    parts = [re.split(r"([#|:/])", text) for text in texts]
    columns = zip(*parts, strict=False)
    return "".join(_one_or_any(Counter(column)) for column in columns)


def _one_or_any(column: Counter[str]) -> str:
    if len(column) > 1:
        return "[^#|:/]*"
    (text,) = column
    return re.sub(r"([.^$*+?{}\[\]\\|()])", r"\\\1", text)


def _last_name(setting: str) -> str:
    return re.sub(r"[\[\]{}]", "", setting).rsplit(".", 1)[-1]
