"""Where in the rows of a table connection ids are: any attribute, whole or inside its text."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import islice, takewhile
from typing import NamedTuple

from reaper.core.discovery.leaves import (
    MARK,
    MAX_MEMBERS,
    collection_of,
    entry_leaves,
    keyed_maps,
    leaves,
)
from reaper.core.rows.ids import is_of_one_case
from reaper.core.rows.items import (
    EACH_KEY,
    AttributePath,
    Item,
    attribute,
    attribute_path,
    text_of,
)
from reaper.core.rows.members import collection_in, members_of, put, stored_id

_ID = r"[A-Za-z0-9_-]{11,16}="
"""As API Gateway issues them: 16 signs in every public transcript, of which ``=`` is the last. More
would take a prefix or a digest in."""

_WHOLE_ID = re.compile(_ID)
_ID_INSIDE = re.compile(rf"(?<![A-Za-z0-9_=-]){_ID}(?![A-Za-z0-9=])")
_STAND_IN_ID = re.compile(r"[A-Za-z0-9_-]{4,64}")

_NAME = re.compile(r"conn|socket|ws_?id|^ws$|session_?id|client_?id", re.IGNORECASE)
_GOOD_NAME = re.compile(r"^(conn(ection)?|(web_?-?)?socket|ws)[_-]?(id)?s?$", re.IGNORECASE)
_OTHERS_NAME = re.compile(
    r"last|prev|old|former|send|owner|host|creat|author|from|guest|admin|leader|lower|index|by$",
    re.I,
)
"""Ids under such names are somebody's in some role, or no longer."""

_MARKS = re.compile(r"[#|:/,;@ ~]")
"""Between the parts of a composite key."""

_CONNECTION_WORD = re.compile(r"conn|socket|ws|session", re.IGNORECASE)

MAX_APART = 3500
"""So many members, of all rows together, are looked at by themselves."""

MAX_FIRST_PARTS = 5
"""More different ones are values, and no names of kinds."""


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
    is_of_members: bool = False
    """Whether a row may hold several."""
    unserved: str = ""
    """Why no setting leads to them."""

    @property
    def distinct(self) -> list[str]:
        return list(dict.fromkeys(one for ids in self.ids.values() for one in ids))

    @property
    def has_good_name(self) -> bool:
        return _GOOD_NAME.search(_last_name(self.setting)) is not None

    @property
    def is_somebodys(self) -> bool:
        """Whether its name says that the ids are not those of the row's own connection."""
        return _OTHERS_NAME.search(_last_name(self.setting)) is not None


def id_places(items: Sequence[Item], key_names: Sequence[str]) -> list[IdPlace]:
    """Every place that holds ids, the likeliest first."""
    texts: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)
    for n, item in enumerate(items):
        for setting, value in leaves(item):
            if "S" in value and (text := text_of(value)) is not None:
                texts[setting].append((n, text))
        for setting, keys in keyed_maps(item):
            if keys and all(_WHOLE_ID.fullmatch(key) for key in keys):
                texts[setting] += [(n, key) for key in keys]
    _join_entries(texts, items)
    places = [place for setting, held in texts.items() for place in _places(setting, held)]
    return sorted(places, key=lambda place: _rank(place, key_names, len(items)), reverse=True)


def _join_entries(texts: defaultdict[str, list[tuple[int, str]]], items: Sequence[Item]) -> None:
    """Where several entries of a map hold ids, as ``clients.ann.id`` and ``clients.bob.id``, their
    names are keys, and the place is ``clients{}.id``; or ``clients{}.`` where they are the entries.
    """
    by_entry: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)
    keys: defaultdict[str, set[str]] = defaultdict(set)
    for n, item in enumerate(items):
        for setting, key, value in entry_leaves(item):
            if _WHOLE_ID.fullmatch(text := value.get("S", "")):
                by_entry[setting].append((n, text))
                keys[setting].add(key)
    for setting, held in by_entry.items():
        are_names = setting.endswith(".") and all(map(_NAME.search, keys[setting]))
        if len(keys[setting]) > 1 and not are_names:
            inside = collection_of(setting).removesuffix("{}") + "."
            for name in [name for name in texts if name.startswith(inside)]:
                del texts[name]
            texts[setting] = held


def apart(items: Sequence[Item], place: IdPlace) -> tuple[list[Item], IdPlace]:
    """Each member as a row of its own, and the place of its id among those."""
    path = attribute_path(place.setting)
    found: list[Item] = []
    ids: dict[int, list[str]] = {}
    of_each = min(MAX_MEMBERS, max(1, MAX_APART // len(place.ids)))
    for n, wanted in place.ids.items():
        for member in islice(members_of(items[n], path, items[n]), of_each):
            text = text_of(stored_id(member.item, path)) or ""
            own = [one for one in wanted if one in text]
            if own:
                ids[len(found)] = own[:1]
                found.append(_with_marked_key(member.item, path))
    return found, place._replace(ids=ids)


def _with_marked_key(item: Item, path: AttributePath) -> Item:
    """Under the mark, as a setting names it, where the member is the entry of a map."""
    if EACH_KEY not in path:
        return item
    ((_, value),) = (attribute(item, collection_in(path)) or {})["M"].items()
    return put(item, collection_in(path), {"M": {EACH_KEY: value}})


def _rank(place: IdPlace, key_names: Sequence[str], rows: int) -> tuple[object, ...]:
    return (
        place.is_certain,
        not place.unserved,
        not place.is_of_members,
        not place.is_somebodys,
        place.setting in key_names and not place.pattern,
        place.has_good_name,
        _CONNECTION_WORD.search(place.pattern) is not None,
        place.setting in key_names,
        not place.pattern,
        place.pattern == _ID,
        len(place.ids) / rows,
    )


def _places(setting: str, held: Sequence[tuple[int, str]]) -> list[IdPlace]:
    whole = [(n, text) for n, text in held if _WHOLE_ID.fullmatch(text)]
    if len(whole) * 2 > len(held):
        others = [text for _, text in held if not _WHOLE_ID.fullmatch(text)]
        return [_made(setting, _ID if others else "", whole, others)]
    prefix = _prefix_of_ids([text for _, text in held])
    if prefix:
        return [_matched(setting, f"{_literal(prefix)}({_ID})", held)]
    inside = [(n, text) for n, text in held if _ID_INSIDE.search(text)]
    if inside:
        composite = [text for _, text in inside if not _WHOLE_ID.fullmatch(text)]
        patterns = [_ID] if whole else []
        patterns += _patterns(composite, is_of_members=bool(collection_of(setting)))
        return [_matched(setting, pattern, held) for pattern in patterns]
    if not whole and _NAME.search(_last_name(setting)):
        likely = [(n, text) for n, text in held if _STAND_IN_ID.fullmatch(text)]
        if len(likely) == len(held):
            return [_made(setting, "", likely, [])._replace(is_certain=False)]
    return []


def _made(
    setting: str, pattern: str, held: Iterable[tuple[int, str]], others: list[str]
) -> IdPlace:
    ids: defaultdict[int, list[str]] = defaultdict(list)
    for n, text in held:
        ids[n].append(text)
    found = [text for texts in ids.values() for text in texts]
    is_changed = sum(map(is_of_one_case, found)) * 2 > len(found)
    is_certain = not is_changed and all(_WHOLE_ID.fullmatch(text) for text in found)
    is_of_members = bool(collection_of(setting))
    return IdPlace(
        setting, pattern, dict(ids), others, is_certain, is_of_members, _unserved(setting)
    )


def _unserved(setting: str) -> str:
    if len(MARK.findall(setting)) > 1:
        return f"{setting} holds ids in collections inside of others, which no setting can name"
    if setting.endswith("{}."):
        name = setting.removesuffix("{}.")
        return (
            f"{name} is a map from something else to ids, which no setting can name: store a map in"
            f" each entry ({name}{{}}.connectionId)"
        )
    return ""


def _matched(setting: str, pattern: str, held: Sequence[tuple[int, str]]) -> IdPlace:
    compiled = re.compile(pattern)
    found = [(n, match[compiled.groups]) for n, text in held if (match := compiled.fullmatch(text))]
    others = [text for _, text in held if not compiled.fullmatch(text)]
    return _made(setting, pattern, found, others)


def _prefix_of_ids(texts: Sequence[str]) -> str:
    """``conn-`` before every id, whose sign might be one of the id's own."""
    columns = zip(*texts, strict=False) if len(texts) > 1 else ()
    shared = "".join(column[0] for column in takewhile(lambda signs: len(set(signs)) == 1, columns))
    prefix = re.sub(r"[A-Za-z0-9]*$", "", shared)
    rest = re.compile(r"[A-Za-z0-9_-]{15}=")
    is_prefix = prefix.endswith(("-", "_")) and not _MARKS.search(prefix)
    return prefix if is_prefix and all(rest.fullmatch(t[len(prefix) :]) for t in texts) else ""


def _patterns(texts: Sequence[str], *, is_of_members: bool) -> list[str]:
    """One for each kind of text that holds ids: a pattern whose group is the id. Members of a
    collection are all of one kind.
    """
    by_form: defaultdict[tuple[int, int], list[str]] = defaultdict(list)
    for text in texts:
        match = _ID_INSIDE.search(text)
        assert match is not None
        before, after = text[: match.start()], text[match.end() :]
        by_form[len(_MARKS.findall(before)), len(_MARKS.findall(after))].append(text)
    patterns: list[str] = []
    for form in by_form.values():
        by_first: defaultdict[str, list[str]] = defaultdict(list)
        for text in form:
            first = _MARKS.split(text)[0]
            by_first["" if _WHOLE_ID.fullmatch(first) else first].append(text)
        are_few = len(by_first) <= MAX_FIRST_PARTS and not any(map(_has_digit, by_first))
        groups = by_first.values() if are_few and not is_of_members else [form]
        patterns += [_pattern(group) for group in groups]
    return patterns


def _has_digit(text: str) -> bool:
    return any(sign.isdigit() for sign in text)


def _pattern(texts: Sequence[str]) -> str:
    """What all of them share as it stands, what differs as any text without a mark."""
    matches = [match for text in texts if (match := _ID_INSIDE.search(text))]
    before = _shared([match.string[: match.start()] for match in matches])
    after = _shared([match.string[match.end() :] for match in matches])
    return f"{before}({_ID}){after}"


def _shared(texts: Sequence[str]) -> str:
    parts = [re.split(rf"({_MARKS.pattern})", text) for text in texts]
    columns = zip(*parts, strict=False)
    return "".join(_one_or_any(Counter(column)) for column in columns)


def _one_or_any(column: Counter[str]) -> str:
    if len(column) > 1:
        return r"[^#|:/,;@ ~]*"
    (text,) = column
    return _literal(text)


def _literal(text: str) -> str:
    return re.sub(r"([.^$*+?{}\[\]\\|()])", r"\\\1", text)


def _last_name(setting: str) -> str:
    return re.sub(r"[\[\]{}]", "", setting).rsplit(".", 1)[-1]
