"""Rendering the chart, and saying what a value changes in it."""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import yaml
from helm_python.chart import Chart

from tools.chart import CHART

NAME = "registry-integrity"
FULL_NAME = f"{NAME}-registry-integrity-exporter"
MODES = ("deployment", "statefulset", "cronjob")
REGISTRIES = [{"name": "private", "url": "https://registry.example.com"}]

Json = dict[str, Any]


@dataclass(frozen=True)
class Absent:
    """What is not there, in a comparison."""


ABSENT = Absent()


def values_of(mode: str, more: Mapping[str, Any] | None = None) -> Json:
    """Values that a mode needs, and more; where a ConfigMap is there already, no registries."""
    base: Json = {
        "mode": mode,
        "config": {} if "existingConfigMap" in (more or {}) else {"registries": REGISTRIES},
    }
    if mode == "statefulset":
        base["shards"] = 3
    return merged(base, more or {})


def merged(first: Mapping[str, Any], second: Mapping[str, Any]) -> Json:
    """Merge as Helm does: mappings key by key, all else whole."""
    both = dict(first)
    for key, value in second.items():
        old = both.get(key)
        both[key] = merged(old, value) if isinstance(old, dict) and isinstance(value, dict) else value
    return both


@cache
def chart() -> Chart:
    return Chart.load(CHART)


def render(values: Mapping[str, Any], name: str = NAME) -> list[Json]:
    """Render all objects; a pod template's checksum is that of the configuration beside it."""
    rendered = chart().render(dict(values), name=name, namespace="monitoring")
    texts = [text for path, text in sorted(rendered.items()) if path.endswith(".yaml")]
    objects = [found for text in texts for found in yaml.safe_load_all(text) if found]
    names = [(found["kind"], found["metadata"]["name"]) for found in objects]
    assert len(set(names)) == len(names)
    return objects


def notes(values: Mapping[str, Any]) -> str:
    """Render what Helm prints after an installation."""
    rendered = chart().render(dict(values), name=NAME, namespace="monitoring")
    return rendered[f"{CHART.name}/templates/NOTES.txt"]


def one(objects: list[Json], kind: str) -> Json:
    """Return the only object of a kind."""
    (found,) = (found for found in objects if found["kind"] == kind)
    return found


def pods(objects: list[Json]) -> Iterator[Json]:
    """Give the spec of every pod that the objects lead to."""
    for found in objects:
        if found["kind"] in {"Deployment", "StatefulSet"}:
            yield found["spec"]["template"]["spec"]
        if found["kind"] == "CronJob":
            yield found["spec"]["jobTemplate"]["spec"]["template"]["spec"]


def configuration(objects: list[Json]) -> str:
    """Return the configuration file that the chart wrote."""
    (text,) = (found["data"]["config.yml"] for found in objects if "config.yml" in found.get("data", {}))
    assert isinstance(text, str)
    return text


def changes(values: Mapping[str, Any], base: Mapping[str, Any]) -> dict[str, Any]:
    """Say what differs from what `base` renders, by path: the new value, or ABSENT."""
    return dict(_differences(_by_kind(render(base)), _by_kind(render(values)), ""))


def _by_kind(objects: list[Json]) -> Json:
    """Arrange objects by kind and, of several, by name; the configuration as what it says."""
    kinds = [found["kind"] for found in objects]
    arranged = {}
    for found in objects:
        kind, name = found["kind"], found["metadata"]["name"]
        readable = _with_checked_sum(found, objects)
        if "config.yml" in found.get("data", {}):
            readable = merged(readable, {"data": {"config.yml": yaml.safe_load(found["data"]["config.yml"])}})
        arranged[kind if kinds.count(kind) == 1 else f"{kind}({name})"] = readable
    return arranged


def _with_checked_sum(found: Json, objects: list[Json]) -> Json:
    """Take away the sum of the configuration from a pod template, once it is known to be right."""
    annotations = found.get("spec", {}).get("template", {}).get("metadata", {}).get("annotations", {})
    if "checksum/config" not in annotations:
        return found
    text = configuration(objects).removesuffix("\n")
    assert annotations["checksum/config"] == hashlib.sha256(text.encode()).hexdigest()
    readable = merged(found, {})
    metadata = found["spec"]["template"]["metadata"]
    kept = {key: value for key, value in metadata.items() if key != "annotations"}
    rest = {key: value for key, value in annotations.items() if key != "checksum/config"}
    readable["spec"] = readable["spec"] | {
        "template": readable["spec"]["template"]
        | {"metadata": kept | ({"annotations": rest} if rest else {})}
    }
    return readable


def _differences(before: Any, after: Any, path: str) -> Iterator[tuple[str, Any]]:
    before, after = _by_name(before), _by_name(after)
    if isinstance(before, dict) and isinstance(after, dict):
        for key in sorted({*before, *after}):
            below = f"{path}{key}" if key.startswith("[") or not path else f"{path}.{key}"
            yield from _differences(before.get(key, ABSENT), after.get(key, ABSENT), below)
    elif before != after:
        yield path, _as_it_was(after)


def _by_name(value: Any) -> Any:
    """Arrange a list of things with names by these, so that one more is one difference."""
    if isinstance(value, list) and value and all(isinstance(item, dict) and "name" in item for item in value):
        return {f"[{item['name']}]": item for item in value}
    return value


def _as_it_was(value: Any) -> Any:
    return (
        list(value.values())
        if isinstance(value, dict) and all(str(key)[:1] == "[" for key in value)
        else value
    )
