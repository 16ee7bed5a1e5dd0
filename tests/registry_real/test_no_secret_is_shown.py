"""The whole program, at its most talkative, against registries that let it in and registries that do not."""

import asyncio
import base64
import json
from pathlib import Path

import httpx
import yaml

from exporter.registry import Credentials
from tests.parts.exporter import Exporter, run
from tests.parts.fixtures import StartRegistry
from tests.parts.token_service import TokenService
from tests.parts.waiting import wait_until
from tests.registry_real.test_htpasswd import Htpasswd
from tests.registry_real.walking import put

PASSWORD = "p4ss'w\"ö rd$"
WRONG = "wr0ng-0ne"
IDENTITY = "1dentity-t0ken"
SECRETS = (PASSWORD, WRONG, IDENTITY)


def spellings(*secrets: str) -> set[str]:
    """What would give a secret away: itself, as a header, in JSON and in Python."""
    pairs = {Credentials("ann", secret).basic.removeprefix("Basic ") for secret in secrets}
    written = {text for secret in secrets for text in (json.dumps(secret)[1:-1], repr(secret)[1:-1])}
    return {*secrets, *pairs, *written}


async def test_program_shows_no_secret_at_debug_level(
    tokens: TokenService, start_registry: StartRegistry, tmp_path: Path
):
    """Nor do the metrics, the page, a probe's document, or the complaint about a wrong configuration."""
    tokens.users, tokens.identity_tokens = {"ann": PASSWORD}, {IDENTITY: "ann"}
    tokens.lifetime = 2.0
    users = Htpasswd(tmp_path / "htpasswd")
    users.set("ann", PASSWORD)
    behind_password, behind_tokens = (
        start_registry(more=users.options),
        start_registry(more=tokens.registry_options),
    )
    for registry in (behind_password, behind_tokens):
        put(registry)
    for name, secret in (("right", PASSWORD), ("wrong", WRONG)):
        (tmp_path / name).write_text(f"{secret}\n")
    auth = base64.b64encode(f"ann:{PASSWORD}".encode()).decode()
    for name, entry in {
        "password.json": {"auth": auth},
        "identity.json": {"identitytoken": IDENTITY},
        "refused.json": {"identitytoken": WRONG},
    }.items():
        (tmp_path / name).write_text(json.dumps({"auths": {behind_tokens.host: entry}}))
    registries = [
        {"url": behind_password.url, "username": "ann", "password_file": "right"},
        {"url": behind_password.url, "username": "ann", "password_file": "wrong"},
        {"url": behind_tokens.url, "username": "ann", "password_file": "right"},
        {"url": behind_tokens.url, "username": "ann", "password_file": "wrong"},
        {"url": behind_tokens.url, "docker_config": "password.json"},
        {"url": behind_tokens.url, "docker_config": "identity.json"},
        {"url": behind_tokens.url, "docker_config": "refused.json"},
        {"url": "http://127.0.0.1:1", "username": "ann", "password_file": "right"},
    ]
    config = tmp_path / "config.yml"
    config.write_text(
        yaml.safe_dump({"registries": [{"name": f"r{n}", **one} for n, one in enumerate(registries)]})
    )
    arguments = (f"--config={config}", "--log-level=debug")

    exporter = await asyncio.to_thread(Exporter, tmp_path, *arguments)
    with exporter:
        await exporter.wait_for_cycles(2 * len(registries))
        # Quick registries have many cycles while a slow one has its first.
        await wait_until(
            lambda: exporter.samples("catalog_accessible"),
            lambda samples: len(samples) == len(registries),
            60.0,
            what="a cycle of every registry",
        )
        accessible = {
            sample.labels["registry"]: sample.value for sample in await exporter.samples("catalog_accessible")
        }
        async with httpx.AsyncClient(base_url=exporter.url, trust_env=False) as client:
            shown = [(await client.get(path)).text for path in ("/metrics", "/")]
    status, probed = await asyncio.to_thread(run, "probe", "--output=json", *arguments, folder=tmp_path)
    (tmp_path / "refused.json").write_text(f'{{"auths": {{"{behind_tokens.host}": {{"auth": "{WRONG}"')
    (tmp_path / "right").write_text(f"{PASSWORD}\n{PASSWORD}\n")
    refused, complaints = await asyncio.to_thread(run, "probe", *arguments, folder=tmp_path)

    assert accessible == {f"r{n}": float(n in {0, 2, 4, 5}) for n in range(8)}
    assert (status, refused) == (3, 2)
    said = "\n".join([*shown, *exporter.process.lines, *probed, *complaints])
    assert len(tokens.given) > 10
    assert "refused.json" in said
    assert [secret for secret in spellings(*SECRETS) | set(tokens.given) if secret in said] == []
