"""Writes docs/configuration.schema.json, and the tables of docs/configuration.md between their marks.

`make settings` runs it; tests/project/test_configuration.py says when they are no longer current.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final

from pydantic import BaseModel
from typer.main import get_group

from exporter.cli.commands import app
from exporter.settings import default_of, description_of, file_schema, variable_of
from exporter.settings.given import DEFAULT_PATHS, REGISTRY_PATHS, TOP_PATHS, KeyPath
from exporter.settings.selections import IgnoreSettings, OverrideSettings

DOCS: Final = Path(__file__).resolve().parents[1] / "docs"
SCHEMA: Final = DOCS / "configuration.schema.json"
PAGE: Final = DOCS / "configuration.md"

_MARKED: Final = "<!-- begin: {name}, written by `make settings` -->\n"
_END: Final = "<!-- end -->"
_HEAD: Final = ("Key", "Variable", "Flag", "Default", "Meaning")
_REGISTRIES: Final = {"registries", "url", "name"}  # which one flag gives


def schema() -> str:
    """Write the JSON Schema."""
    return json.dumps(file_schema(), indent=2, ensure_ascii=False) + "\n"


def page(text: str) -> str:
    """Write the page with its tables anew."""
    for name, table in tables().items():
        begin = _MARKED.format(name=name)
        if text.count(begin) != 1:
            raise SystemExit(f"{PAGE}: expected one place for the table {name}, marked {begin}")
        before, _, rest = text.partition(begin)
        _, _, after = rest.partition(_END)
        text = f"{before}{begin}\n{table}\n\n{_END}{after}"
    return text


def tables() -> dict[str, str]:
    """Give all tables by name."""
    own = [path for path in REGISTRY_PATHS if path not in DEFAULT_PATHS]
    program = [path for path in TOP_PATHS if path not in DEFAULT_PATHS]
    return {
        "program": _table(_HEAD, map(_row, program)),
        "registry-defaults": _table(_HEAD, map(_row, DEFAULT_PATHS)),
        "registry": _table(_HEAD, map(_row_of_registry, own)),
        "entries": _table(
            ("Key", "Meaning"),
            [*_rows_of_entries("overrides", OverrideSettings), *_rows_of_entries("ignore", IgnoreSettings)],
        ),
    }


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _row(path: KeyPath) -> list[str]:
    return [
        _code(".".join(path)),
        _code(variable_of(path)),
        _code(flag_of(path)),
        _code(default_of(path)),
        description_of(path),
    ]


def _row_of_registry(path: KeyPath) -> list[str]:
    variable = variable_of(("registries", "<name>", *path))
    return [_code(f"registries[].{'.'.join(path)}"), _code(variable), *_row(path)[2:]]


def _rows_of_entries(section: str, model: type[BaseModel]) -> Iterator[list[str]]:
    for name, field in model.model_fields.items():
        yield [_code(f"{section}[].{name}"), " ".join((field.description or "").split())]


def _code(text: str) -> str:
    return f"`{text}`" if text else ""


def flag_of(path: KeyPath) -> str:
    """Give the flag that sets a key, in whichever command; nothing where none does."""
    if path[0] in _REGISTRIES:
        return "--registry"
    if path == ("pushgateway", "url"):
        return "--pushgateway"
    spelling = f"--{'.'.join(path).replace('_', '-')}"
    flags = {
        spelling
        for command in get_group(app).commands.values()
        for parameter in command.params
        for spelling in parameter.opts
    }
    return spelling if spelling in flags else ""


def main() -> None:
    """Write both files."""
    SCHEMA.write_text(schema(), "utf-8")
    PAGE.write_text(page(PAGE.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    main()
