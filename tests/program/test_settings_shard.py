"""Which shard a process is: as it is told, or as Kubernetes tells the pod."""

import socket
from pathlib import Path

import pytest

from exporter.integrity import Shard
from exporter.settings import ConfigurationError, Settings, load_settings
from tests.program.loading import PREFIX, load, problems

REGISTRIES = ["http://a"]
EXPECTED = "expected I/N or auto/N, such as 0/8, with N from 1 to 256 and I from 0 to N-1"


def load_in(pod: dict[str, str], shard: str) -> Settings:
    """Load with a shard and with variables that are not the program's own."""
    return load_settings({"registries": REGISTRIES, "shard": shard}, None, pod)


@pytest.fixture(autouse=True)
def host(monkeypatch: pytest.MonkeyPatch) -> None:
    """The machine's name, which is nobody's business here."""
    monkeypatch.setattr(socket, "gethostname", lambda: "machine-77")


def test_without_a_shard_everything_is_walked(file: Path):
    """Which is the default, and what `null` in the file says."""
    assert load(registries=REGISTRIES).shard is None
    assert load(file, "shard: null", registries=REGISTRIES).shard is None


def test_flag_environment_and_file(file: Path):
    """Each counts more than the one after it."""
    assert load(file, "shard: 0/3", registries=REGISTRIES).shard == Shard(0, 3)
    environment = {"SHARD": "1/3"}
    assert load(file, registries=REGISTRIES, environment=environment).shard == Shard(1, 3)
    assert load(file, registries=REGISTRIES, environment=environment, shard="2/3").shard == Shard(2, 3)


@pytest.mark.parametrize("text", ["0/1", "7/8", "255/256", "0/256"])
def test_shards_are_read_and_written(text: str):
    """As they are given."""
    assert str(load(registries=REGISTRIES, shard=text).shard) == text


@pytest.mark.parametrize(
    "text",
    ["", "1", "/", "1/", "/8", "8/8", "9/8", "-1/8", "0/0", "auto/0", "0/257", "auto/257", "auto", "auto/",
     "AUTO/8", "1/8/8", " 1/8", "1 /8", "1.0/8", "٣/8", "1/8\n", "auto/8x", "1/99999999999999999999"],
)  # fmt: skip
def test_what_is_no_shard_is_refused(text: str):
    """With what was given, where, and what was expected."""
    assert problems(registries=REGISTRIES, shard=text) == [f"shard: {text!a}: {EXPECTED} (flag --shard)"]


def test_what_is_no_text_is_refused(file: Path):
    """YAML makes a number of what has no slash."""
    assert problems(file, "shard: 3", registries=REGISTRIES) == [f"shard: 3: {EXPECTED} ({file}, line 1)"]


@pytest.mark.parametrize(
    ("pod", "index"),
    [
        ({"JOB_COMPLETION_INDEX": "5"}, 5),
        ({"JOB_COMPLETION_INDEX": "0", "HOSTNAME": "exporter-3"}, 0),
        ({"HOSTNAME": "exporter-3"}, 3),
        ({"HOSTNAME": "registry-exporter-0"}, 0),
        ({"HOSTNAME": "exporter-7.exporter.monitoring.svc.cluster.local"}, 7),
        ({"JOB_COMPLETION_INDEX": "", "HOSTNAME": "exporter-2"}, 2),
    ],
    ids=str,
)
def test_auto_takes_the_number_of_the_pod(pod: dict[str, str], index: int):
    """Of an Indexed Job its index, else a StatefulSet's ordinal."""
    assert load_in(pod, "auto/8").shard == Shard(index, 8)


def test_auto_asks_the_machine_for_its_name_where_no_variable_has_it():
    """Not every shell exports `HOSTNAME`."""
    assert load_in({}, "auto/78").shard == Shard(77, 78)


def test_auto_in_the_environment_and_in_the_file(file: Path):
    """Where a pod template has it."""
    pod = {"HOSTNAME": "exporter-1", f"{PREFIX}REGISTRIES": "http://a"}
    file.write_text("shard: auto/2")
    assert load_settings({}, file, pod).shard == Shard(1, 2)
    assert load_settings({}, None, {**pod, f"{PREFIX}SHARD": "auto/3"}).shard == Shard(1, 3)


NO_INDEX = "expected I/N, since JOB_COMPLETION_INDEX is not set and the host name {} does not end in a number"


@pytest.mark.parametrize(
    ("pod", "expected"),
    [
        ({"HOSTNAME": "exporter-7d9f8b6c5-x2x9z"}, NO_INDEX.format("'exporter-7d9f8b6c5-x2x9z'")),
        ({"HOSTNAME": "exporter"}, NO_INDEX.format("'exporter'")),
        ({"HOSTNAME": "exporter1"}, NO_INDEX.format("'exporter1'")),
        ({"HOSTNAME": "exporter-01"}, NO_INDEX.format("'exporter-01'")),
        ({"HOSTNAME": "exporter-٣"}, NO_INDEX.format("'exporter-\\u0663'")),
        (
            {"HOSTNAME": "exporter-8"},
            "expected a number of shards greater than 8, which the host name 'exporter-8' gives",
        ),
        (
            {"JOB_COMPLETION_INDEX": "8", "HOSTNAME": "exporter-1"},
            "expected a number of shards greater than 8, which JOB_COMPLETION_INDEX gives",
        ),
        ({"JOB_COMPLETION_INDEX": "one"}, "expected I/N, since JOB_COMPLETION_INDEX is no number"),
        ({"JOB_COMPLETION_INDEX": "-1"}, "expected I/N, since JOB_COMPLETION_INDEX is no number"),
    ],
    ids=str,
)
def test_auto_without_a_number_that_fits(pod: dict[str, str], expected: str):
    """Better no exporter than one that walks another's share; the error names the key, its value and why."""
    with pytest.raises(ConfigurationError) as caught:
        load_in(pod, "auto/8")
    assert str(caught.value) == f"shard: 'auto/8': {expected} (flag --shard)"
