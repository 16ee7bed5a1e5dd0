"""The way of a new user, from the README to an alert: the commands of docs/first-alert.md, on other ports."""

import re
import shlex
import socket
import subprocess
import sys
from pathlib import Path

from tests.parts.programs import find_program

ROOT = Path(__file__).parents[2]
PORTS = ("9949", "19090", "19093")
MOST_COMMANDS = 10


def commands() -> list[str]:
    """The commands of the page."""
    (block,) = re.findall(r"```sh\n(.*?)```", (ROOT / "docs/first-alert.md").read_text("utf-8"), re.DOTALL)
    return block.splitlines()


def free_ports(count: int) -> list[str]:
    """Ports that nobody listened on a moment ago."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [str(one.getsockname()[1]) for one in sockets]
    finally:
        for one in sockets:
            one.close()


def script(folder: Path) -> str:
    """All that comes after installing, with the files it writes in a folder of the test's."""
    ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
    config = folder / "prometheus.yml"
    lines = commands()[3:]
    assert lines[0] == "make run &"
    lines[0] = f"{shlex.quote(sys.executable)} -m sample --listen-address=127.0.0.1:9949 &"
    text = "\n".join(lines).replace(".sample/", f"{folder}/")
    shown = (ROOT / "deploy/local/prometheus.yml").read_text("utf-8")
    assert "../../alerts/" in shown
    shown = shown.replace("../../alerts/", f"{ROOT}/alerts/")
    assert "deploy/local/prometheus.yml" in text
    text = text.replace("deploy/local/prometheus.yml", str(config))
    for usual, free in ports.items():
        text, shown = (re.sub(rf":{usual}\b", f":{free}", one) for one in (text, shown))
    config.write_text(shown, "utf-8")
    return f"set -mu\ntrap 'kill $(jobs -p) 2>/dev/null; wait' EXIT\n{text}\n"


def test_the_way_is_short():
    """Nobody reads a longer one to its end."""
    assert 0 < len(commands()) <= MOST_COMMANDS


def test_the_commands_lead_to_an_alert(tmp_path: Path):
    """It names the image, and nothing is left running."""
    folders = {find_program(name).parent for name in ("prometheus", "alertmanager", "amtool")}
    log = tmp_path / "output"
    with log.open("wb") as output:
        done = subprocess.run(
            ["bash", "-c", script(tmp_path)],
            cwd=ROOT,
            env={"PATH": ":".join(map(str, (*folders, "/usr/bin", "/bin"))), "HOME": str(tmp_path)},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            timeout=180,
            check=False,
        )
    told = log.read_text("utf-8", "replace")
    alerts = [line for line in told.splitlines() if "RegistryManifestIntegrityFailure" in line]
    assert done.returncode == 0, told[-4000:]
    assert len(alerts) == 1, told[-4000:]
    assert re.search(r"Broken: \S+/team/orphaned:latest \(child missing, linux/\w+\)", alerts[0]), alerts[0]
