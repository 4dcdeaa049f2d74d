"""Routes lead where they should, and a real Alertmanager understands us, both ways."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from boucle.adapters.channels import AlertmanagerChannel
from boucle.adapters.channels.form import fingerprint, labels_of
from boucle.adapters.memory.watched import WatchedMemory
from boucle.adapters.memory.watching import MemoryWatchStore
from boucle.core.alert import Alert
from boucle.core.check import Check
from boucle.monitoring.ports import AlertQuery
from boucle.web.app import create_app
from deploy.real import DEPLOY, eventually, free_port, ran, served, started, tool
from web.made_up import TOKEN, populated

CONFIG = DEPLOY / "alertmanager" / "alertmanager.yml"
OURS = Alert("a1", "churn", 2, Check("drift:âge", "fail", "moved"), "warning", 10**15, 10**15, owner="retention")


def test_the_configuration_is_right() -> None:
    assert "SUCCESS" in ran("amtool", "check-config", CONFIG)


@pytest.mark.parametrize(
    ("labels", "receivers"),
    [
        ({"severity": "critical", "alertname": "BoucleDown"}, "on-call"),
        ({"severity": "warning", "model": "churn"}, "boucle,team"),
        ({"severity": "critical", "model": "churn"}, "boucle,on-call"),
        ({"severity": "warning", "model": "churn", "source": "boucle", "owner": "retention"}, "retention-team"),
        ({"severity": "info", "model": "churn", "source": "boucle"}, "nobody"),
    ],
    ids=["process", "of-a-model", "critical-of-a-model", "ours-with-owner", "a-note"],
)
def test_an_alert_goes_to_those_it_concerns(labels: dict[str, str], receivers: str) -> None:
    told = [f"{name}={value}" for name, value in labels.items()]

    assert ran("amtool", "config", "routes", "test", f"--config.file={CONFIG}", *told).strip() == receivers


def test_a_real_alertmanager_takes_our_alerts_and_tells_us_those_of_others(tmp_path: Path) -> None:
    port, store = free_port(), MemoryWatchStore(WatchedMemory())
    address = f"http://127.0.0.1:{port}"
    with ExitStack() as running:
        url = running.enter_context(served(create_app(populated().plane(watching=store))))
        running.enter_context(started(command(tmp_path, url, port), tmp_path, f"{address}/-/ready"))
        AlertmanagerChannel(address).tell("opened", OURS, f"{url}/models/churn")
        AlertmanagerChannel(address).remind([(OURS, f"{url}/models/churn")])
        other = {"labels": {"alertname": "HighLatency", "model": "churn"}, "annotations": {"summary": "slow"}}
        httpx.post(f"{address}/api/v2/alerts", json=[other], trust_env=False).raise_for_status()

        known = {each["labels"]["alertname"]: each for each in listed(address)}
        assert sorted(known) == ["BoucleDrift", "HighLatency"]
        assert known["BoucleDrift"]["fingerprint"] == fingerprint(labels_of(OURS))
        eventually(lambda: store.alerts(AlertQuery("churn", is_open=True)))
        AlertmanagerChannel(address).tell("closed", OURS, "")
        eventually(lambda: [each["labels"]["alertname"] for each in listed(address)] == ["HighLatency"])

    (taken,) = store.alerts(AlertQuery("churn"))
    assert (taken.check.name, taken.check.observed) == ("alertmanager:HighLatency", "slow")
    assert taken.check.evidence["fingerprints"] == [known["HighLatency"]["fingerprint"]]


def command(folder: Path, url: str, port: int) -> list[str]:
    """Return the command of an Alertmanager with our configuration, its receiver led to a control plane at ``url``."""
    (folder / "token").write_text(TOKEN)
    text = CONFIG.read_text(encoding="utf-8").replace("http://localhost:8000", url)
    text = text.replace("/etc/alertmanager/boucle-token", str(folder / "token"))
    (folder / "alertmanager.yml").write_text(text)
    return [
        tool("prometheus-alertmanager"),
        f"--config.file={folder / 'alertmanager.yml'}",
        f"--storage.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
        "--cluster.listen-address=",
        "--log.level=warn",
    ]


def listed(address: str) -> list[dict[str, Any]]:
    """Return the alerts that an Alertmanager holds open."""
    found: list[dict[str, Any]] = httpx.get(f"{address}/api/v2/alerts", trust_env=False).json()
    return sorted(found, key=lambda each: each["labels"]["alertname"])
