"""The configuration file: YAML, in which a key stands once and has a line to be found at."""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import yaml
from yaml.composer import ComposerError

from exporter.settings.given import (
    FILE_PATHS,
    REGISTRIES,
    TOP_PATHS,
    ConfigurationError,
    Given,
    Source,
    Values,
    read_keys,
    read_registries,
)

_MAPPING: Final = "tag:yaml.org,2002:map"
_TIMESTAMP: Final = "tag:yaml.org,2002:timestamp"
# What the parser quotes may be a secret, but for single characters and its own words, such as <block end>.
_QUOTATION = re.compile(r"""(['"])(?!<)(?!\1)..+\1""")


def read_file(path: Path) -> Source:
    """Read a configuration file.

    Raises:
        ConfigurationError: it cannot be read, or is not YAML with a mapping at its top.
    """
    itself = Given("config", str(path), "flag --config")
    document = _load(path, itself)

    def origin_of(table: Mapping[Any, Any], key: object) -> str:
        line = f", line {table.lines[key]}" if isinstance(table, _Table) else ""
        return f"{path}{line}"

    values, problems = read_keys(document, TOP_PATHS, "", origin_of)
    source = Source(values, problems=problems)
    if REGISTRIES in values:
        source.registries, problems = read_registries(values[REGISTRIES], origin_of)
        source.problems += problems
    for found in (values, *(entry.values for entry in source.registries or ())):
        _resolve_paths(found, path.parent)
    return source


def _load(path: Path, itself: Given) -> "_Table":
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise ConfigurationError(
            [itself.problem(f"expected a file that can be read: {error.strerror}")]
        ) from None
    except UnicodeDecodeError:
        raise ConfigurationError([itself.problem("expected a file of UTF-8 text")]) from None
    try:
        document = _parse(text)
    except yaml.MarkedYAMLError as error:
        raise ConfigurationError([itself.problem(f"expected YAML: {_explained(error)}")]) from None
    except (yaml.YAMLError, ValueError, RecursionError):
        # A character that YAML forbids, a number too long to convert, nesting too deep to follow.
        raise ConfigurationError([itself.problem("expected YAML that can be read")]) from None
    if document is None:
        return _Table({}, {})
    if not isinstance(document, _Table):
        raise ConfigurationError([itself.problem("expected a mapping of keys to values")])
    return document


def _explained(error: yaml.MarkedYAMLError) -> str:
    problem = _QUOTATION.sub("'***'", error.problem or error.context or "no document")
    mark = error.problem_mark or error.context_mark
    return f"{problem} in line {mark.line + 1}, column {mark.column + 1}" if mark is not None else problem


def _resolve_paths(values: Values, folder: Path) -> None:
    # As Prometheus does, so that a configuration and its secrets can be moved together.
    for path in FILE_PATHS & values.keys():
        given = values[path]
        if isinstance(given.value, str) and given.value:
            values[path] = replace(given, value=str(folder / given.value))


class _Table(dict[Any, Any]):
    """A mapping that knows the line of each of its keys."""

    def __init__(self, items: Mapping[Any, Any], lines: Mapping[Any, int]) -> None:
        super().__init__(items)
        self.lines = lines


class _Loader(yaml.SafeLoader):
    """The loader of `yaml.safe_load`, but that a key may not stand twice, and that dates stay texts."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - as the class above has it
        first: [(tag, grammar) for tag, grammar in resolvers if tag != _TIMESTAMP]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def compose_mapping_node(self, anchor: Any) -> Any:
        """Compose a mapping. Nothing is merged into it yet, so that what stands twice is a mistake."""
        node = super().compose_mapping_node(anchor)
        marks: dict[tuple[str, str], yaml.Mark] = {}
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode):
                first = marks.setdefault((key.tag, key.value), key.start_mark)
                if first is not key.start_mark:
                    text = f"{key.value} stands in line {first.line + 1} already, and again"
                    raise ComposerError(None, None, text, key.start_mark)
        return node

    def construct_table(self, node: yaml.MappingNode) -> _Table:
        """Make a mapping and note its lines."""
        items = self.construct_mapping(node, deep=True)
        lines = {self.construct_object(key): key.start_mark.line + 1 for key, _ in node.value}
        return _Table(items, lines)


_Loader.add_constructor(_MAPPING, _Loader.construct_table)


def _parse(text: str) -> object:
    loader = _Loader(text)
    try:
        return loader.get_single_data()
    finally:
        loader.dispose()
