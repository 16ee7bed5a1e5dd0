"""docs/kubernetes.md says what is so: its values render, its places exist, and the pods see what it says."""

import re
from typing import Any

import pytest
import yaml

from tests.deploy.pod_files import PLACE
from tests.deploy.rendering import Json, merged, one, pods, render, values_of
from tests.deploy.restricted import violations
from tools.chart import CHART, ROOT

PAGE = (ROOT / "docs/kubernetes.md").read_text("utf-8")
README = (CHART / "README.md").read_text("utf-8")
BLOCKS: list[Json] = [yaml.safe_load(block) for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)]
NAMED = {"private", "mirror"}


def complete(block: Json) -> Json:
    """Give a block of the page the registries that it speaks of, where it does not have them."""
    registries = [{"name": name, "url": f"https://{name}.example.com"} for name in sorted(NAMED)]
    base = values_of(block.get("mode", "deployment"), {"config": {"registries": registries}})
    return merged(base, block)


@pytest.mark.parametrize("block", BLOCKS, ids=", ".join)
def test_values_render(block: Json):
    """Each block of values is accepted, and its pods are as restricted as all others."""
    (pod,) = pods(render(complete(block)))
    assert violations(pod) == []


def test_the_page_has_values():
    """As many blocks as there are to try."""
    assert len(BLOCKS) == 6


def test_where_secrets_are():
    """The folders and names that the page gives are those that the chart mounts."""
    parts: Json = {
        "password": {"secret": "a"},
        "ca": {"secret": "a"},
        "clientCertificate": {"secret": "a"},
    }
    docker: Json = {"dockerConfig": {"secret": "a"}}
    secrets = {"all": parts | docker, "registries": {"private": parts | docker}, "pushgateway": parts}
    (pod,) = pods(render(values_of("deployment", {"secrets": secrets})))
    (volume,) = (found for found in pod["volumes"] if found["name"] == "secrets")
    paths = {
        item["path"]
        for source in volume["projected"]["sources"]
        for item in next(iter(source.values()))["items"]
    }
    files = {"password", "ca.crt", "tls.crt", "tls.key"}
    assert paths == {
        *(f"all/{name}" for name in files | {"config.json"}),
        *(f"registries/private/{name}" for name in files | {"config.json"}),
        *(f"pushgateway/{name}" for name in files),
    }
    assert f"`{PLACE}/secrets`: `all/`, `registries/NAME/` and `pushgateway/`" in " ".join(PAGE.split())
    assert {name for name in files | {"config.json"} if f"`{name}`" not in PAGE} == set()


def test_deadlines_of_the_page():
    """The page's CronJob ends by itself before Kubernetes ends it, and both before the next run."""
    (block,) = (block for block in BLOCKS if block.get("mode") == "cronjob")
    job: Any = one(render(block), "CronJob")["spec"]["jobTemplate"]["spec"]
    arguments = job["template"]["spec"]["containers"][0]["args"]
    assert arguments[-2:] == ["--interval=30m", "--deadline=1500s"]
    assert 1500 < job["activeDeadlineSeconds"] < 30 * 60


def test_versions_of_the_page():
    """The page names the versions that the objects are checked against."""
    import kubernetes_validate

    newest = kubernetes_validate.latest_version().rpartition(".")[0]
    assert f"each object is checked against 1.29 and {newest}." in " ".join(PAGE.split())


@pytest.mark.parametrize(("page", "folder"), [(PAGE, ROOT / "docs"), (README, CHART)], ids=["page", "readme"])
def test_links(page: str, folder: Any):
    """What the pages link to is there, and so is what they speak of."""
    links = [link for link in re.findall(r"\]\(([^)#]+)", page) if "://" not in link]
    assert [link for link in links if not (folder / link).exists()] == []
    named = re.findall(r"(?<![\w/])(?:deploy|docs)/[\w./-]+\w", page)
    assert named != []
    assert [name for name in named if not (ROOT / name).exists()] == []
