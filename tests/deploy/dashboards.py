"""The dashboard in deploy/grafana/, and the form that its file has to have."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).resolve().parents[2]
FILE: Final = ROOT / "deploy/grafana/registry-integrity.json"
DATASOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}

Json = dict[str, Any]


@dataclass(frozen=True)
class Query:
    """An expression of the dashboard, and whose it is."""

    owner: str
    expression: str


def load() -> Json:
    """Read the dashboard."""
    dashboard: Json = json.loads(FILE.read_text("utf-8"))
    return dashboard


def panels(dashboard: Json) -> list[Json]:
    """All panels that show something."""
    return [panel for panel in dashboard["panels"] if panel["type"] != "row"]


def queries(dashboard: Json) -> Iterator[Query]:
    """All expressions of panels and annotations."""
    for panel in panels(dashboard):
        for target in panel["targets"]:
            yield Query(f"{panel['title']} {target['refId']}", target["expr"])
    for annotation in dashboard["annotations"]["list"]:
        yield Query(annotation["name"], annotation["expr"])


def variables(dashboard: Json) -> Iterator[tuple[str, str, str]]:
    """The name of each variable that asks for values, with the selector and the label that it asks for."""
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            found = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["query"]["query"])
            assert found is not None, variable
            yield variable["name"], found[1], found[2]


def _object(required: Json, optional: Json | None = None) -> Json:
    return {
        "type": "object",
        "properties": {**required, **(optional or {})},
        "required": list(required),
        "additionalProperties": False,
    }


def _list(of: Json, least: int = 0) -> Json:
    return {"type": "array", "items": of, "minItems": least}


_TEXT: Final[Json] = {"type": "string", "minLength": 1}
_ANY_TEXT: Final[Json] = {"type": "string"}
_WHOLE: Final[Json] = {"type": "integer", "minimum": 0}
_FLAG: Final[Json] = {"type": "boolean"}
_ANYTHING: Final[Json] = {"type": "object"}
_COLOR: Final[Json] = {"enum": ["green", "orange", "yellow", "red"]}
# The units that Grafana's field options know and this dashboard uses.
_UNIT: Final[Json] = {"enum": ["short", "s", "bytes", "percentunit", "reqps"]}
_POSITION: Final = _object(
    {
        "x": {"type": "integer", "minimum": 0, "maximum": 23},
        "y": _WHOLE,
        "w": {"type": "integer", "minimum": 1, "maximum": 24},
        "h": {"type": "integer", "minimum": 1},
    }
)
_STEP: Final = _object({"color": _COLOR, "value": {"type": ["number", "null"]}})
_DEFAULTS: Final = _object(
    {
        "unit": _UNIT,
        "color": _object({"mode": {"enum": ["thresholds", "palette-classic"]}}),
        "thresholds": _object({"mode": {"const": "absolute"}, "steps": _list(_STEP, 1)}),
        "mappings": _list(_ANYTHING),
    },
    {"custom": _ANYTHING, "min": {"type": "number"}, "max": {"type": "number"}},
)
_OVERRIDE: Final = _object(
    {
        "matcher": _object({"id": {"const": "byName"}, "options": _TEXT}),
        "properties": _list(_object({"id": _TEXT, "value": {}}), 1),
    }
)
_TARGET: Final = _object(
    {
        "refId": {"type": "string", "pattern": "^[A-Z]$"},
        "datasource": {"const": DATASOURCE},
        "expr": _TEXT,
        "legendFormat": _TEXT,
        "instant": _FLAG,
        "range": _FLAG,
    },
    {"format": {"const": "table"}},
)
_ROW: Final = _object(
    {
        "id": _WHOLE,
        "type": {"const": "row"},
        "title": _TEXT,
        "collapsed": {"const": False},
        "gridPos": _POSITION,
        "panels": {"const": []},
    }
)
_PANEL: Final = _object(
    {
        "id": _WHOLE,
        "type": {"enum": ["stat", "timeseries", "table", "state-timeline"]},
        "title": _TEXT,
        "description": _TEXT,
        "datasource": {"const": DATASOURCE},
        "gridPos": _POSITION,
        "targets": _list(_TARGET, 1),
        "fieldConfig": _object({"defaults": _DEFAULTS, "overrides": _list(_OVERRIDE)}),
        "options": _ANYTHING,
    },
    {"transformations": _list(_object({"id": {"enum": ["merge", "organize"]}, "options": _ANYTHING}), 1)},
)
_QUERY_VARIABLE: Final = _object(
    {
        "name": _TEXT,
        "label": _TEXT,
        "type": {"const": "query"},
        "datasource": {"const": DATASOURCE},
        "query": _object({"query": _TEXT, "refId": _TEXT}),
        "definition": _TEXT,
        "refresh": {"const": 2},
        "sort": {"const": 1},
        "multi": {"const": True},
        "includeAll": {"const": True},
        "allValue": {"const": ".*"},
        "current": _ANYTHING,
        "hide": {"const": 0},
        "regex": _ANY_TEXT,
        "options": {"const": []},
    }
)
_DATASOURCE_VARIABLE: Final = _object(
    {
        "name": {"const": "datasource"},
        "label": _TEXT,
        "type": {"const": "datasource"},
        "query": {"const": "prometheus"},
        "current": {"const": {}},
        "hide": {"const": 0},
        "regex": _ANY_TEXT,
        "multi": {"const": False},
        "includeAll": {"const": False},
        "refresh": {"const": 1},
        "options": {"const": []},
    }
)
_ANNOTATION: Final = _object(
    {
        "name": _TEXT,
        "datasource": {"const": DATASOURCE},
        "enable": _FLAG,
        "hide": _FLAG,
        "iconColor": _COLOR,
        "expr": _TEXT,
        "titleFormat": _TEXT,
        "textFormat": _TEXT,
        "tagKeys": _TEXT,
        "step": _TEXT,
    }
)
SCHEMA: Final = _object(
    {
        "uid": {"type": "string", "pattern": "^[a-z-]{1,40}$"},
        "title": _TEXT,
        "description": _TEXT,
        "tags": _list(_TEXT, 1),
        "schemaVersion": {"type": "integer", "minimum": 36},
        "version": _WHOLE,
        "editable": _FLAG,
        "graphTooltip": {"enum": [0, 1, 2]},
        "timezone": _ANY_TEXT,
        "refresh": _TEXT,
        "time": _object({"from": _TEXT, "to": _TEXT}),
        "fiscalYearStartMonth": {"const": 0},
        "links": {"const": []},
        "templating": _object({"list": _list({"anyOf": [_DATASOURCE_VARIABLE, _QUERY_VARIABLE]}, 1)}),
        "annotations": _object({"list": _list(_ANNOTATION, 1)}),
        "panels": _list({"if": {"properties": {"type": {"const": "row"}}}, "then": _ROW, "else": _PANEL}, 1),
    }
)
