"""The effective configuration: what counts, as a file would have it, and where each value came from."""

import json
from collections.abc import Iterable, Iterator, Mapping
from math import inf
from typing import Any, Final

import yaml

from exporter.logs import printable
from exporter.settings.given import DEFAULT_PATHS, LIST_FORMS, REGISTRIES, REGISTRY_PATHS, TOP_PATHS, KeyPath
from exporter.settings.loading import Configuration

_DEFAULT: Final = "default"
_FIRST: Final[tuple[KeyPath, ...]] = (("name",), ("url",))
_DISPLACING: Final[Mapping[str, str]] = {"password": "password_file"}


def render_effective(configuration: Configuration) -> str:
    """Write the configuration as a YAML file that means the same, without secrets.

    Each value has a comment that tells its origin. What may stand at the top level for all registries is
    written out for each of them.
    """
    document = configuration.settings.model_dump(mode="json")
    own = tuple(path for path in TOP_PATHS if path not in {*DEFAULT_PATHS, REGISTRIES})
    lines = [*_lines(own, document, configuration.origins), "registries:"]
    paths = tuple(dict.fromkeys((*_FIRST, *REGISTRY_PATHS)))
    for registry, origins in zip(document["registries"], configuration.registry_origins, strict=True):
        first, *others = _lines(paths, registry, origins)
        lines += [f"  - {first}", *(f"    {line}" for line in others)]
    return "".join(f"{line}\n" for line in lines)


def _lines(
    paths: Iterable[KeyPath], document: Mapping[str, Any], origins: Mapping[KeyPath, str]
) -> Iterator[str]:
    section: KeyPath = ()
    for path in paths:
        if _is_left_out(path, document):
            continue
        *outer, name = path
        if outer and tuple(outer) != section:
            section = tuple(outer)
            yield from (f"{'  ' * depth}{key}:" for depth, key in enumerate(section))
        value = _value_at(document, LIST_FORMS.get(path, path))
        # An empty list of names is one; an empty list of anything else is what it is without a value.
        written = _written(value if value or path in LIST_FORMS or value in (False, 0) else None)
        yield f"{'  ' * len(outer)}{name}: {written}  # {printable(origins.get(path, _DEFAULT))}"


def _is_left_out(path: KeyPath, document: Mapping[str, Any]) -> bool:
    """Of two ways to say the same, the one that is not used: the other one's line stands for both."""
    *section, name = path
    if name in _DISPLACING:  # what the file holds stands here, too
        return _value_at(document, (*section, _DISPLACING[name])) is not None
    for short, long in LIST_FORMS.items():
        if path == short:
            return _value_at(document, long) is None
        if path[: len(short)] == short:
            return _value_at(document, long) is not None
    return False


def _value_at(document: Mapping[str, Any], path: KeyPath) -> Any:
    value: Any = document
    for key in path:
        value = value[key]
    return value


def _written(value: object) -> str:
    """Write a value in one line."""
    if isinstance(value, str) and not value.isprintable():
        return json.dumps(value)
    if isinstance(value, list):
        value = [_without_nothing(item) for item in value]
    written: str = yaml.safe_dump([value], default_flow_style=True, width=inf, sort_keys=False)
    return written.removeprefix("[").removesuffix("]\n")


def _without_nothing(item: object) -> object:
    if isinstance(item, Mapping):
        return {key: value for key, value in item.items() if value is not None}
    return item
