"""Values as they were given: under which key, where, and how an error shows them."""

import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Final, TypeAlias

from pydantic import BaseModel, SecretStr
from pydantic.fields import FieldInfo

from exporter.settings.models import RegistryDefaults, RegistrySettings, Settings
from exporter.settings.values import MASK

KeyPath: TypeAlias = tuple[str, ...]  # ("metrics", "image_host")
REGISTRIES: Final[KeyPath] = ("registries",)

_LONGEST_QUOTE: Final = 1000  # characters: paths are shown whole
_LOOKS_SECRET = re.compile(r"pass|pw|secret|token|auth|cred|key", re.IGNORECASE)
_PLAIN_KEY = re.compile(r"[!-~]{1,100}")
_SCHEME = re.compile(r"https?://", re.IGNORECASE)


class ConfigurationError(Exception):
    """The configuration is wrong; the text has one line for each problem, and no secret in it."""

    def __init__(self, problems: Iterable[str]) -> None:
        self.problems = tuple(dict.fromkeys(problems))
        super().__init__("\n".join(self.problems))


# A section that may be a list as well, and the field in which the list then is.
LIST_FORMS: Final[Mapping[KeyPath, KeyPath]] = {("repositories",): ("repositories", "names")}


def _paths(model: type[BaseModel]) -> tuple[KeyPath, ...]:
    paths: list[KeyPath] = []
    for name, info in model.model_fields.items():
        if isinstance(info.annotation, type) and issubclass(info.annotation, BaseModel):
            paths += [(name,)] if (name,) in LIST_FORMS else []
            paths += [(name, *rest) for rest in _paths(info.annotation)]
        else:
            paths.append((name,))
    return tuple(path for path in paths if path not in LIST_FORMS.values())


def field_of(path: KeyPath) -> FieldInfo:
    """Find what the models say of a key.

    Raises:
        KeyError: there is no such key.
    """
    *sections, name = path
    model: type[BaseModel] = next(one for one in (Settings, RegistrySettings) if path[0] in one.model_fields)
    for section in sections:
        annotation = model.model_fields[section].annotation
        if not (isinstance(annotation, type) and issubclass(annotation, BaseModel)):
            raise KeyError(path)
        model = annotation
    return model.model_fields[name]


DEFAULT_PATHS: Final = _paths(RegistryDefaults)
REGISTRY_PATHS: Final = _paths(RegistrySettings)
TOP_PATHS: Final = _paths(Settings)
_SECRET_KEYS: Final = frozenset(
    name for name, info in Settings.model_fields.items() if SecretStr.__name__ in str(info.annotation)
)
# Those that name a file.
FILE_PATHS: Final = frozenset(path for path in TOP_PATHS if Path.__name__ in str(field_of(path).annotation))

OriginOf: TypeAlias = Callable[[Mapping[Any, Any], object], str]


@dataclass(frozen=True, slots=True)
class Given:
    """One value: its key with dots, and its origin: a flag, a variable or a line of a file.

    `origin_of` tells the origin of what is within it, where that differs.
    """

    key: str
    value: Any = field(repr=False)
    origin: str
    origin_of: "OriginOf | None" = field(default=None, repr=False, compare=False)

    def within(self, path: Iterable[str | int]) -> "Given":
        """Give the value at a path within a list or a mapping; nothing, where there is none."""
        given = self
        if isinstance(self.value, str):  # what a variable has, in JSON
            with suppress(ValueError):
                given = replace(self, value=json.loads(self.value))
        for step in path:
            given = _inner(given, step)
        return given

    @property
    def whereabouts(self) -> str:
        """The origin, and the key where that alone does not tell it."""
        return self.origin if self.origin_of is None else f"{self.origin}, key {_shown_key(self.key)}"

    def problem(self, text: str, part: str | None = None, *, hidden: bool = False) -> str:
        """Say in one line what is wrong with it; `part` is what of the value to show, where not all."""
        shown = MASK if hidden else self._shown(self.value if part is None else part)
        return f"{_shown_key(self.key)}: {shown}: {text} ({self.origin})"

    def unknown(self, known: Iterable[str]) -> str:
        """Say in one line that there is no such key; `known` are those beside it."""
        name = self.key.rpartition(".")[2]
        close = get_close_matches(name, [*known], 1)
        # A secret may stand behind a misspelling of its key.
        meant_for_secret = _LOOKS_SECRET.search(name) or (close and close[0] in _SECRET_KEYS)
        shown = MASK if meant_for_secret else self._shown(self.value)
        hint = f"; did you mean {close[0]}?" if close else ""
        return f"{_shown_key(self.key)}: {shown}: expected a key that is known{hint} ({self.origin})"

    def _shown(self, value: object) -> str:
        return MASK if self.key.rpartition(".")[2] in _SECRET_KEYS else _written(value)


def _inner(given: Given, step: str | int) -> Given:
    outer, value, origin = given.value, None, given.origin
    if isinstance(outer, Mapping) and step in outer:
        value = outer[step]
        origin = given.origin_of(outer, step) if given.origin_of is not None else origin
    elif isinstance(outer, list) and isinstance(step, int):
        value = outer[step]
        origin = _origin_of_item(value, given, given.origin_of) if given.origin_of is not None else origin
    return Given(f"{given.key}.{step}", value, origin, given.origin_of)


def _written(value: object) -> str:
    match value:
        case str():
            return _quoted(_masked(value))
        case None:
            return "nothing"
        case bool() | int() | float():
            return str(value).lower()
        case _:
            # What is in a list or a mapping may be secret.
            return "a mapping" if isinstance(value, Mapping) else f"a {type(value).__name__}"


def _quoted(text: str) -> str:
    whole = ascii(text)
    return whole if len(whole) <= _LONGEST_QUOTE else f"{whole[:_LONGEST_QUOTE]}..."


def _shown_key(key: str) -> str:
    return key if _PLAIN_KEY.fullmatch(key) else _quoted(key)


def _masked(text: str) -> str:
    """Hide what of an address may be secret: a user before @, a token after ? or #."""
    match = _SCHEME.match(text)
    scheme = match[0] if match is not None else ""
    rest = text[len(scheme) :]
    query = re.search("[?#]", rest)
    if "@" in rest:
        # A password may hold any of these characters, so that only what follows it for certain is shown.
        return f"{scheme}{MASK}" if query else f"{scheme}{MASK}@{rest.rpartition('@')[2]}"
    return f"{scheme}{rest[: query.end()]}{MASK}" if query else text


Values: TypeAlias = dict[KeyPath, Given]


@dataclass(frozen=True, slots=True)
class Entry:
    """One registry of a list: how its keys begin, where it stands, and what is given there."""

    key: str
    origin: str
    values: Values


@dataclass(frozen=True, slots=True)
class Amendment:
    """A value for a listed registry; `registry` is its name, as a variable spells it, or its position."""

    registry: str
    path: KeyPath
    given: Given


@dataclass(slots=True)
class Source:
    """What one source gives. `registries` is None where it has no list of them."""

    values: Values = field(default_factory=dict)
    registries: tuple[Entry, ...] | None = None
    amendments: list[Amendment] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def read_keys(
    document: Mapping[Any, Any], paths: Sequence[KeyPath], prefix: str, origin_of: OriginOf
) -> tuple[Values, list[str]]:
    """Gather the known keys of a document, and a problem for each unknown one."""
    values: Values = {}
    problems: list[str] = []
    known = tuple(dict.fromkeys(path[0] for path in paths))
    for name, value in document.items():
        given = Given(f"{prefix}{name}", value, origin_of(document, name), origin_of)
        deeper = tuple(path[1:] for path in paths if path[0] == name and len(path) > 1)
        if name not in known:
            problems.append(given.unknown(known))
        elif not deeper or ((name,) in paths and not isinstance(value, Mapping)):
            values[(name,)] = given
        elif isinstance(value, Mapping):
            inner, more = read_keys(value, deeper, f"{given.key}.", origin_of)
            values |= {(name, *path): found for path, found in inner.items()}
            problems += more
        elif value is not None:
            problems.append(given.problem("expected a mapping"))
    return values, problems


def read_registries(listed: Given, origin_of: OriginOf) -> tuple[tuple[Entry, ...], list[str]]:
    """Read a list of registries, or a mapping of their names to their settings."""
    entries: list[Entry] = []
    problems: list[str] = []
    named = isinstance(listed.value, Mapping)
    if isinstance(listed.value, Mapping):
        items = [(name, value, origin_of(listed.value, name)) for name, value in listed.value.items()]
    elif isinstance(listed.value, list):
        items = [
            (position, value, _origin_of_item(value, listed, origin_of))
            for position, value in enumerate(listed.value)
        ]
    else:
        return (), [listed.problem("expected a list of registries, or a mapping of names to registries")]
    for label, value, origin in items:
        key = f"registries.{label}"
        if not isinstance(value, Mapping):
            problems.append(
                Given(key, value, origin).problem("expected the settings of a registry, with its url")
            )
            continue
        values, more = read_keys(value, REGISTRY_PATHS, f"{key}.", origin_of)
        problems += more
        if named:
            if ("name",) in values:
                problems.append(
                    values["name",].problem("expected no name, since the key above it is the name")
                )
            values[("name",)] = Given(f"{key}.name", label, origin)
        entries.append(Entry(key, origin, values))
    return tuple(entries), problems


def _origin_of_item(item: object, listed: Given, origin_of: OriginOf) -> str:
    # A list has no lines of its own; its items begin at their first key.
    return origin_of(item, next(iter(item))) if isinstance(item, Mapping) and item else listed.origin


def read_addresses(texts: Iterable[str], origin: str) -> tuple[Entry, ...]:
    """Read registries that are given as `URL` or `NAME=URL`."""
    entries = []
    for position, text in enumerate(texts):
        key = f"registries.{position}"
        name, equals, url = text.partition("=")
        if not (equals and name) or "/" in name:  # what stands there is all of a URL
            name, url = "", text
        values: Values = {("url",): Given(f"{key}.url", url, origin)}
        if name:
            values[("name",)] = Given(f"{key}.name", name, origin)
        entries.append(Entry(key, origin, values))
    return tuple(entries)
