"""Writes what deploy/ has from elsewhere: the chart's copies, schema and README.md, and what it renders.

`make chart` runs it; tests/deploy/test_current.py says when something is no longer current. The chart has
copies of the alerts and dashboards, since a chart can read only what is in its own folder.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml
from helm_python.chart import Chart

ROOT: Final = Path(__file__).resolve().parents[1]
CHART: Final = ROOT / "deploy/helm/registry-integrity-exporter"
MANIFESTS: Final = ROOT / "deploy/kubernetes"
# The plain manifests, by the values in ci/ that they are rendered with.
_MODES: Final = ("deployment", "cronjob")
ALERTMANAGER: Final = ROOT / "deploy/compose/alertmanager.yml"
# Folders whose files the chart has copies of, with their place in it.
_COPIED: Final = {"alerts/*.yml": "files/alerts", "deploy/grafana/*.json": "files/dashboards"}

# What the chart sets itself, and what belongs into a Secret.
_NOT_IN_VALUES: Final = frozenset({"password", "listen_address", "shard", "deadline"})
_OF_THE_PROGRAM: Final = "program"
# Go's regular expressions have no lookahead; the program itself is as strict as ever.
_LOOKAHEAD: Final = re.compile(r"\(\?=[^()]*\)")
# What only Helm means something by.
_HELM_LABELS: Final = frozenset({"helm.sh/chart", "app.kubernetes.io/managed-by"})

_DESCRIBED: Final = re.compile(r"^ *# -- ?")
_BLOCK: Final = re.compile(r"^```yaml\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_MARK: Final = "<!-- begin: values, written by `make chart` -->\n"
_END: Final = "<!-- end -->"

Json = dict[str, Any]


def copies() -> dict[Path, str]:
    """Give the chart's copies, by place."""
    return {
        CHART / folder / source.name: source.read_text("utf-8")
        for pattern, folder in _COPIED.items()
        for source in sorted(ROOT.glob(pattern))
    }


def outdated_copies() -> list[Path]:
    """Give the files in the places of copies that are a copy of nothing."""
    current = copies()
    there = (path for folder in _COPIED.values() for path in (CHART / folder).glob("*.*"))
    return sorted(path for path in there if path not in current)


def schema(text: str) -> str:
    """Write the values' schema with that of the program's configuration in it anew."""
    written: Json = json.loads(text)
    program: Json = json.loads((ROOT / "docs/configuration.schema.json").read_text("utf-8"))
    definitions: Json = program.pop("$defs")
    del program["$schema"], program["title"]
    own = {name: part for name, part in written["definitions"].items() if not _is_of_the_program(name)}
    theirs = {f"{_OF_THE_PROGRAM}.{name}": _embedded(part) for name, part in definitions.items()}
    written["properties"]["config"] = _embedded(program)
    written["definitions"] = own | theirs
    return json.dumps(written, indent=2, ensure_ascii=False) + "\n"


def _is_of_the_program(name: str) -> bool:
    return name.startswith(f"{_OF_THE_PROGRAM}.")


def _embedded(part: Any) -> Any:
    """Give a part of the program's schema as it stands in the chart's."""
    if isinstance(part, list):
        return [_embedded(one) for one in part]
    if not isinstance(part, dict):
        return part
    found = {key: _embedded(value) for key, value in part.items()}
    if isinstance(found.get("properties"), dict):
        found["properties"] = {
            key: value for key, value in found["properties"].items() if key not in _NOT_IN_VALUES
        }
    if isinstance(found.get("$ref"), str):
        found["$ref"] = found["$ref"].replace("#/$defs/", f"#/definitions/{_OF_THE_PROGRAM}.")
    if isinstance(found.get("pattern"), str):
        found["pattern"] = _LOOKAHEAD.sub("", found["pattern"])
    return found


def readme(text: str) -> str:
    """Write the chart's README.md with the table of its values anew."""
    if text.count(_MARK) != 1:
        raise SystemExit(f"{CHART / 'README.md'}: expected one place for the values, marked {_MARK}")
    before, _, rest = text.partition(_MARK)
    _, _, after = rest.partition(_END)
    rows = ["| Value | Default | Meaning |", "| --- | --- | --- |"]
    for value, default, meaning in described_values((CHART / "values.yaml").read_text("utf-8")):
        rows.append(f"| `{value}` | `{default}` | {meaning} |")
    table = "\n".join(rows)
    return f"{before}{_MARK}\n{table}\n\n{_END}{after}"


def described_values(text: str) -> list[tuple[str, str, str]]:
    """Give each value that has a comment: its path, its default as JSON, and its description.

    Raises:
        ValueError: a value has no description, nor has one that it is part of.
    """
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    if not isinstance(root, yaml.MappingNode):
        raise ValueError("expected a mapping")  # noqa: TRY004 - what is wrong is in a file
    return list(_described(root, text.splitlines(), yaml.safe_load(text), ""))


def _described(
    node: yaml.MappingNode, lines: list[str], values: Mapping[str, Any], prefix: str
) -> Iterator[tuple[str, str, str]]:
    for key, value in node.value:
        path = f"{prefix}{key.value}"
        description = _comment_above(lines, key.start_mark.line)
        if description:
            yield path, json.dumps(values[key.value], ensure_ascii=False), description
        elif isinstance(value, yaml.MappingNode) and value.value:
            yield from _described(value, lines, values[key.value], f"{path}.")
        else:
            raise ValueError(f"{path} has no description")


def _comment_above(lines: list[str], line: int) -> str:
    """Give the description that ends above a line."""
    found: list[str] = []
    while line > 0 and lines[line - 1].lstrip().startswith("#"):
        line -= 1
        found.insert(0, lines[line])
    begin = next((number for number, one in enumerate(found) if _DESCRIBED.match(one)), None)
    if begin is None:
        return ""
    first = _DESCRIBED.sub("", found[begin])
    return " ".join([first, *(one.lstrip(" #") for one in found[begin + 1 :])])


def manifest(mode: str) -> str:
    """Render the plain manifests of a mode."""
    values = yaml.safe_load((CHART / f"ci/{mode}-values.yaml").read_text("utf-8"))
    with Chart.load(CHART) as chart:
        rendered = chart.render(values, name="registry-integrity-exporter")
    objects = [
        _plain(found)
        for path, text in sorted(rendered.items())
        if path.endswith(".yaml")
        for found in yaml.safe_load_all(text)
        if found
    ]
    head = f"# Rendered from the chart with ci/{mode}-values.yaml by `make chart`; see docs/kubernetes.md.\n"
    return head + "---\n".join(yaml.dump(found, Dumper=_Dumper, sort_keys=False) for found in objects)


def alertmanager() -> str:
    """Give the example of docs/alerting.md."""
    text = (ROOT / "docs/alerting.md").read_text("utf-8")
    (example,) = (block for block in _BLOCK.findall(text) if "inhibit_rules:" in block)
    return f"# The example of docs/alerting.md, written by `make chart`; it sends to nobody.\n{example}"


class _Dumper(yaml.SafeDumper):
    """Writes texts of several lines as such, and lists below their key indented."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        super().increase_indent(flow, False)


def _write_text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if "\n" in text else None)


_Dumper.add_representer(str, _write_text)


def _plain(part: Any) -> Any:
    """Take away Helm's labels."""
    if isinstance(part, list):
        return [_plain(one) for one in part]
    if not isinstance(part, dict):
        return part
    return {key: _plain(value) for key, value in part.items() if key not in _HELM_LABELS}


def written() -> dict[Path, str]:
    """Give all files that are written, by place; the chart has to have its copies and its schema already."""
    schema_file, page = CHART / "values.schema.json", CHART / "README.md"
    return {
        page: readme(page.read_text("utf-8")),
        schema_file: schema(schema_file.read_text("utf-8")),
        ALERTMANAGER: alertmanager(),
        **copies(),
        **{MANIFESTS / f"{mode}.yaml": manifest(mode) for mode in _MODES},
    }


def main() -> None:
    """Write all of it."""
    for path in outdated_copies():
        path.unlink()
    schema_file = CHART / "values.schema.json"
    for path, text in {**copies(), schema_file: schema(schema_file.read_text("utf-8"))}.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    MANIFESTS.mkdir(exist_ok=True)
    for path, text in written().items():
        path.write_text(text, "utf-8")


if __name__ == "__main__":
    main()
