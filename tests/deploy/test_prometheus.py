"""The rules hold what they promise, and a real Prometheus reads a real control plane."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import httpx

from boucle.adapters.memory.watched import WatchedMemory
from boucle.adapters.memory.watching import MemoryWatchStore
from boucle.web.app import create_app
from deploy.real import DEPLOY, eventually, free_port, ran, served, started, tool
from gateway.conftest import Running, bank, launch
from routed import ROW
from web.made_up import populated

__all__ = ["bank", "launch"]  # fixtures

FOLDER = DEPLOY / "prometheus"


def test_rules_and_configuration_are_right(tmp_path: Path) -> None:
    shutil.copytree(FOLDER, tmp_path / "prometheus")

    assert "SUCCESS" in ran("promtool", "check", "config", tmp_path / "prometheus" / "prometheus.yml")
    assert "SUCCESS" in ran("promtool", "test", "rules", tmp_path / "prometheus" / "tests.yml")


def test_every_rule_is_tested_and_says_what_to_do() -> None:
    rules = (FOLDER / "rules.yml").read_text(encoding="utf-8")
    names = [line.split()[-1] for line in rules.splitlines() if "- alert:" in line]
    tests = (FOLDER / "tests.yml").read_text(encoding="utf-8")

    assert len(names) == 11
    assert [name for name in names if f"alertname: {name}\n" not in tests] == []
    assert rules.count("runbook_url: docs/monitoring.md#") == len(names)


def test_the_exposition_keeps_the_rules_of_names(bank: Running) -> None:
    bank.ask([ROW])
    with served(create_app(populated().plane(watching=MemoryWatchStore(WatchedMemory())))) as url:
        for address in (url, bank.url):
            text = httpx.get(f"{address}/metrics", trust_env=False).content
            command = [tool("promtool"), "check", "metrics"]
            checked = subprocess.run(command, input=text, capture_output=True, timeout=30, check=False)
            assert (checked.returncode, checked.stderr) == (0, b"")


def test_a_real_prometheus_reads_gateway_and_control_plane(tmp_path: Path, bank: Running) -> None:
    raising = bank.ask([ROW, ROW], "raising")
    assert raising.status_code == 200
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    with served(create_app(populated().plane(watching=MemoryWatchStore(WatchedMemory())))) as url:
        config = tmp_path / "prometheus.yml"
        config.write_text(
            "global: {scrape_interval: 200ms}\n"
            "scrape_configs:\n- job_name: boucle-control\n  static_configs:\n"
            f"  - targets: ['{url.removeprefix('http://')}']\n"
            f"- job_name: boucle-gateway\n  static_configs:\n  - targets: ['127.0.0.1:{bank.port}']\n"
        )
        command = [tool("prometheus"), f"--config.file={config}", f"--storage.tsdb.path={tmp_path / 'data'}"]
        command += [f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"]
        with started(command, tmp_path, f"{address}/-/ready"):
            eventually(lambda: asked(address, "up") == ["1", "1"])
            eventually(lambda: asked(address, 'boucle_predictions_total{model="raising"}') == ["2"])
            assert asked(address, 'boucle_requests_total{model="raising", status="2xx"}') == ["1"]
            assert asked(address, 'boucle_request_duration_seconds_count{model="raising"}') == ["1"]
            eventually(lambda: asked(address, 'boucle_champion_info{model="churn"}') == ["1"])
            assert asked(address, 'boucle_alerts_open{model="churn", severity="critical"}') == ["0"]


def asked(address: str, query: str) -> list[str]:
    """Return the values of a query."""
    answer = httpx.get(f"{address}/api/v1/query", params={"query": query}, trust_env=False).json()
    return [sample["value"][1] for sample in answer["data"]["result"]]
