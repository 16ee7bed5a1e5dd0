"""The command line: which scenarios, of which shape, how often."""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.machine import describe
from bench.options import Options
from bench.results import Result, table
from bench.scenarios import SCENARIOS
from bench.shape import PLATFORMS, Shape

_DEFAULTS = Options()


def main(arguments: Sequence[str]) -> int:
    """Measure, print a table, and write what was measured where `--json` says."""
    given = _parser().parse_args(arguments)
    options = Options(
        shape=Shape(given.repositories, given.tags, given.platforms),
        connections=given.connections,
        runs=given.runs,
        delay=given.delay / 1000,
        hey_requests=given.hey_requests,
        curl_requests=given.curl_requests,
        scrape_repositories=given.scrape_repositories,
        scale_references=given.references,
        scale_factors=given.factors,
        scale_runs=given.scale_runs,
        layer_mebibytes=given.layer,
    )
    machine = describe()
    print("\n".join(f"- {name}: {value}" for name, value in machine.items()))
    results = {}
    for name, result in _measure(given.scenario or list(SCENARIOS), options):
        print(f"\n## {name}: {result.title}\n\n{table(result.rows)}", flush=True)
        results[name] = result
    if given.json is not None:
        document = {"machine": machine, "options": asdict(options), "scenarios": _in_json(results)}
        given.json.write_text(json.dumps(document, indent=2) + "\n", "utf-8")
    return 0


def _measure(names: Sequence[str], options: Options) -> Iterator[tuple[str, Result]]:
    for name in names:
        print(f"measuring: {name}", file=sys.stderr, flush=True)
        yield name, SCENARIOS[name](options)


def _in_json(results: dict[str, Result]) -> dict[str, Any]:
    return {
        name: {
            "title": result.title,
            "rows": [{**asdict(row), "ratio": row.ratio, "met": row.met} for row in result.rows],
            "measured": result.measured,
        }
        for name, result in results.items()
    }


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measure a cycle. A ratio is the median of the runs, each of which measures both sides.",
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument(
        "scenario", nargs="*", type=_scenario, help=f"of {', '.join(SCENARIOS)}; default: all"
    )
    shape = _DEFAULTS.shape
    for name, default, meaning in (
        ("repositories", shape.repositories, "repositories"),
        ("tags", shape.tags, "tags of each repository"),
        ("platforms", shape.platforms, f"images of each tag, at most {len(PLATFORMS)}"),
        ("connections", _DEFAULTS.connections, "connections of each side but curl"),
        ("runs", _DEFAULTS.runs, "runs of every scenario but scale"),
        ("hey-requests", _DEFAULTS.hey_requests, "requests of each kind that hey makes"),
        ("curl-requests", _DEFAULTS.curl_requests, "requests that curl makes"),
        ("scrape-repositories", _DEFAULTS.scrape_repositories, "repositories of the scraped metrics"),
        ("layer", _DEFAULTS.layer_mebibytes, "MiB of the layer that is read whole"),
        ("references", _DEFAULTS.scale_references, "references of the smallest registry of scale"),
        ("scale-runs", _DEFAULTS.scale_runs, "runs of scale"),
    ):
        parser.add_argument(f"--{name}", type=_positive, default=default, metavar="N", help=meaning)
    parser.add_argument(
        "--factors",
        type=_factors,
        default=_DEFAULTS.scale_factors,
        metavar="N,N",
        help="how many times larger the registries of scale are, two or more, smallest first",
    )
    parser.add_argument(
        "--delay", type=float, default=_DEFAULTS.delay * 1000, metavar="MS", help="milliseconds of latency"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="where to write all that was measured")
    return parser


def _scenario(text: str) -> str:
    if text not in SCENARIOS:
        raise argparse.ArgumentTypeError(f"{text} is none of {', '.join(SCENARIOS)}")
    return text


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a number from 1 on")
    return number


def _factors(text: str) -> tuple[int, ...]:
    factors = tuple(_positive(part) for part in text.split(","))
    if not factors[1:] or list(factors) != sorted(set(factors)):
        raise argparse.ArgumentTypeError(f"{text} is not two or more numbers, the smallest first")
    return factors
