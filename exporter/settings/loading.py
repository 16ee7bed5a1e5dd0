"""From flags, environment and file to settings: which value counts, and what to say of a wrong one."""

import re
import socket
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from exporter.settings.environment import read_environment
from exporter.settings.file import read_file
from exporter.settings.given import (
    DEFAULT_PATHS,
    LIST_FORMS,
    REGISTRIES,
    Amendment,
    ConfigurationError,
    Entry,
    Given,
    KeyPath,
    Source,
    Values,
    read_addresses,
)
from exporter.settings.lists import GLOB_EXPECTED
from exporter.settings.models import Settings
from exporter.settings.selections import IgnoreSettings, OverrideSettings
from exporter.settings.shards import number_shard
from exporter.settings.values import URL_EXPECTED, WrongValueError, default_name

_PASSWORD: Final = frozenset({("password",), ("password_file",)})
# Ways of which the one that counts more displaces the others, unless it is nothing.
_ALTERNATIVES: Final[tuple[tuple[frozenset[KeyPath], ...], ...]] = (
    (frozenset({("username",), *_PASSWORD}), frozenset({("docker_config",)}), frozenset({("cloud",)})),
    (
        frozenset({("repositories",)}),
        frozenset({("repositories", "include"), ("repositories", "exclude")}),
    ),
    (frozenset({("pushgateway", "password")}), frozenset({("pushgateway", "password_file")})),
)
_AS_GIVEN: Final[dict[tuple[str | int, ...], KeyPath]] = {field: path for path, field in LIST_FORMS.items()}
_KEYS_OF_ENTRIES: Final = {
    "overrides": tuple(OverrideSettings.model_fields),
    "ignore": tuple(IgnoreSettings.model_fields),
}
# Flags that are called otherwise than their keys.
_KEYS_OF_FLAGS: Final[Mapping[str, KeyPath]] = {"pushgateway": ("pushgateway", "url")}
_NO_REGISTRY: Final = (
    "registries: nothing: expected at least one registry,"
    " from --registry, REGISTRY_INTEGRITY_REGISTRIES or the file"
)


@dataclass(frozen=True, slots=True)
class Configuration:
    """The settings, and where each value came from; what is not in the mappings is a default."""

    settings: Settings
    origins: Mapping[KeyPath, str]
    registry_origins: tuple[Mapping[KeyPath, str], ...]


def load_settings(
    flags: Mapping[str, object],
    config_file: Path | None,
    environment: Mapping[str, str],
    *,
    needs_registry: bool = True,
) -> Settings:
    """Do as `load_configuration`, for who does not care where a value came from."""
    return load_configuration(flags, config_file, environment, needs_registry=needs_registry).settings


def load_configuration(
    flags: Mapping[str, object],
    config_file: Path | None,
    environment: Mapping[str, str],
    *,
    needs_registry: bool = True,
) -> Configuration:
    """Read and merge all sources, and check the result.

    A flag counts more than the environment, that more than the file, that more than a default. Of what one
    source gives, a registry's own value counts more than the one for all registries. The list of registries
    is taken whole, from the source that counts most among those that have one.

    `flags` maps keys of settings to texts, and `registries` to texts of the form `URL` or `NAME=URL`; what
    is None was not given. `needs_registry` says whether a configuration without any registry is wrong.

    Raises:
        ConfigurationError: something is wrong; the error tells all of it, and no secret.
    """
    sources = (
        _read_flags(flags),
        read_environment(environment),
        read_file(config_file) if config_file is not None else Source(),
    )
    merged = _Merged(sources)
    merged.settle(("shard",), partial(number_shard, environment=environment, host_name=socket.gethostname()))
    problems = [*(problem for source in sources for problem in source.problems), *merged.problems]
    try:
        settings = Settings(**merged.document())
    except ValidationError as error:
        # No cause: pydantic's error holds the values themselves.
        raise ConfigurationError([*problems, *merged.explain(error)]) from None
    if needs_registry and not settings.registries and not problems:
        problems = [_NO_REGISTRY]
    if problems:
        raise ConfigurationError(problems)
    return Configuration(settings, *merged.origins())


def _read_flags(flags: Mapping[str, object]) -> Source:
    source = Source()
    for name, value in flags.items():
        if isinstance(value, str):
            path = _KEYS_OF_FLAGS.get(name) or tuple(name.split("."))
            source.values[path] = Given(name, value, f"flag --{name.replace('_', '-')}")
    addresses = flags.get("registries")
    if isinstance(addresses, Sequence) and addresses:
        listed = Given("registries", addresses, "flag --registry")
        source.values[REGISTRIES] = listed
        source.registries = read_addresses(addresses, listed.origin)
    return source


class _Merged:
    """The values that count, at the top level and for each registry."""

    def __init__(self, sources: Sequence[Source]) -> None:
        """Merge sources, of which the first counts most."""
        self.problems: list[str] = []
        listings = [source for source in sources if source.registries is not None]
        self._entries = (listings[0].registries or ()) if listings else ()
        self._replaced = [source.registries or () for source in listings[1:]]
        self._top = _merge(source.values for source in reversed(sources))
        layers: list[list[Values]] = [[] for _ in self._entries]
        for source in reversed(sources):
            defaults = {path: given for path, given in source.values.items() if path in DEFAULT_PATHS}
            for entry, layer in zip(self._entries, layers, strict=True):
                layer.append(defaults)
                if listings[0] is source:
                    layer.append(entry.values)
            amended: list[Values] = [{} for _ in self._entries]
            for amendment in source.amendments:
                for position in self._addressed(amendment):
                    amended[position][amendment.path] = amendment.given
            for layer, values in zip(layers, amended, strict=True):
                layer.append(values)
        self._registries = [_merge(layer) for layer in layers]

    def settle(self, path: KeyPath, read: Callable[[object], object]) -> None:
        """Put in the place of a value of the top level what it comes to on this machine."""
        given = self._top.get(path)
        if given is None:
            return
        try:
            self._top[path] = replace(given, value=read(given.value))
        except WrongValueError as error:
            self.problems.append(given.problem(str(error)))
            del self._top[path]

    def document(self) -> dict[str, Any]:
        """What the models read."""
        return {**_nested(self._top), "registries": [_nested(values) for values in self._registries]}

    def origins(self) -> tuple[Mapping[KeyPath, str], tuple[Mapping[KeyPath, str], ...]]:
        """Where the values came from, at the top level and for each registry."""
        return _origins(self._top), tuple(map(_origins, self._registries))

    def explain(self, error: ValidationError) -> Iterator[str]:
        """Tell what the models found wrong."""
        for details in error.errors(include_url=False):
            place = tuple(details["loc"])
            values, path, prefix, origin = self._top, place, "", "default"
            if place[:1] == REGISTRIES and len(place) > 1:
                entry = self._entries[int(place[1])]
                values, path = self._registries[int(place[1])], place[2:]
                prefix, origin = f"{entry.key}.", entry.origin
            wrong = details.get("ctx", {}).get("error")
            path = _AS_GIVEN.get(path, path)
            if isinstance(wrong, WrongValueError) and wrong.key is not None:
                key: tuple[str | int, ...] = tuple(wrong.key.split("."))
            else:
                key = path
            given = _find(values, key) or Given(f"{prefix}{'.'.join(map(str, key))}", None, origin)
            if isinstance(wrong, WrongValueError):
                yield given.problem(str(wrong), wrong.value)
            else:
                yield _misshapen(given, details["type"], path)

    def _addressed(self, amendment: Amendment) -> Sequence[int]:
        positions = _positions(amendment.registry, self._entries)
        if len(positions) > 1:
            text = "expected the position of a registry, since this may be the name of several"
            self.problems.append(amendment.given.problem(text))
            return ()
        # What belongs to a registry of a list that another list replaced waits for that list's return.
        if not positions and not any(_positions(amendment.registry, entries) for entries in self._replaced):
            self.problems.append(
                amendment.given.problem("expected the name or the position of a registry that is listed")
            )
        return positions


def _origins(values: Values) -> Mapping[KeyPath, str]:
    return {path: given.whereabouts for path, given in values.items()}


def _find(values: Values, path: Sequence[str | int]) -> Given | None:
    """Find what was given at a path, or within what was given above it."""
    for length in range(len(path), 0, -1):
        above = tuple(map(str, path[:length]))
        if above in values:
            return values[above] if length == len(path) else values[above].within(path[length:])
    return None


def _misshapen(given: Given, kind: str, path: Sequence[str | int]) -> str:
    """Tell what pydantic itself found wrong: a key that is missing or unknown, or what is no mapping."""
    section = str(path[0])
    match kind:
        case "missing":
            return given.problem(GLOB_EXPECTED if section in _KEYS_OF_ENTRIES else URL_EXPECTED)
        case "extra_forbidden" | "invalid_key":
            return given.unknown(_KEYS_OF_ENTRIES[section])
        case _:
            return given.problem("expected a mapping")


def _merge(layers: Iterable[Values]) -> Values:
    """Merge layers, of which the last counts most."""
    merged: Values = {}
    for layer in layers:
        if not _PASSWORD.isdisjoint(layer):
            # Two ways to give one value: whichever counts more displaces the other.
            merged = {path: given for path, given in merged.items() if path not in _PASSWORD}
        for ways in _ALTERNATIVES:
            used = [way for way in ways if any(_displaces(path, layer) for path in way)]
            displaced = {path for way in ways if used and way not in used for path in way}
            merged = {path: given for path, given in merged.items() if path not in displaced}
        merged |= layer
    return merged


def _displaces(path: KeyPath, layer: Values) -> bool:
    return path in layer and (layer[path].value is not None or path in LIST_FORMS)


def _nested(values: Values) -> dict[str, Any]:
    document: dict[str, Any] = {}
    for path, given in values.items():
        *outer, name = LIST_FORMS.get(path, path)
        section = document
        for key in outer:
            section = section.setdefault(key, {})
        section[name] = given.value
    return document


def _positions(registry: str, entries: Sequence[Entry]) -> list[int]:
    named = [
        position
        for position, entry in enumerate(entries)
        if _as_variable(_name_of(entry)) == _as_variable(registry)
    ]
    if not named and re.fullmatch("[0-9]{1,6}", registry) and int(registry) < len(entries):
        return [int(registry)]
    return named


def _as_variable(name: str) -> str:
    return re.sub("[^A-Z0-9]", "_", name.upper())


def _name_of(entry: Entry) -> str:
    name, url = entry.values.get(("name",)), entry.values.get(("url",))
    if name is not None:
        return str(name.value)
    try:
        return default_name(str(url.value)) if url is not None else ""
    except ValueError:  # no URL, which the models will say
        return ""
