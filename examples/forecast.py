"""The first turn of the loop: fetch, train, prove, deploy, forecast, and look at it. Run it with `make demo`.

The project is `projects/crypto`. Its candles come from Binance where that can be reached; else real hourly candles of
EUR/USD of 2017 are replayed by a small exchange that speaks Binance's protocol, and the run says so.
"""

import csv
import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import httpx
from rich.console import Console

ROOT = Path(__file__).resolve().parents[1]
PROJECT = ROOT / "projects" / "crypto"
STAND_IN = "eurusd"
out = Console(highlight=False, soft_wrap=True)


def say(title: str) -> None:
    """Print what comes next."""
    out.print(f"\n[bold]{title}[/]")


def boucle_cli(*arguments: str, text: str | None = None) -> str:
    """Run a command of boucle and return what it printed; its progress is shown as it comes."""
    command = [sys.executable, "-m", "boucle.cli.main", *arguments]
    done = subprocess.run(command, input=text, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(done.returncode)
    return done.stdout


def newest_model(client: Any) -> str:
    """Return the model that was deployed last."""
    models = client.models()
    return str(max(models, key=lambda model: client.history(model["name"])[-1]["at"])["name"])


def ask(name: str, deployment: Any, window: str) -> None:
    """Ask for the next close three ways, and show that the answers are the same."""
    rows = list(csv.DictReader(io.StringIO(window)))
    candles = [{key: text if key == "timestamp" else float(text) for key, text in row.items()} for row in rows]
    asked = deployment.predict(candles)
    by_cli = json.loads(boucle_cli("predict", name, "-", "--json", text=window))
    command = ["curl", "-sS", deployment.url, "-H", "Content-Type: text/csv", "-H", "Accept: application/json"]
    done = subprocess.run([*command, "--data-binary", "@-"], input=window, capture_output=True, text=True, check=True)
    answers = {
        "SDK": (float(asked.predictions[0]), asked.intervals[0].tolist()),
        "CLI": (by_cli["predictions"][0], by_cli["intervals"][0]),
        "curl": (json.loads(done.stdout)["predictions"][0], json.loads(done.stdout)["intervals"][0]),
    }
    out.print(f"  the last of 120 candles begins {rows[-1]['timestamp']} and closes at {rows[-1]['close']}")
    for way, (close, (low, high)) in answers.items():
        out.print(f"  {way:<5} next close {close:.6g}, in nine of ten cases between {low:.6g} and {high:.6g}")
    out.print(f"  naive next close {float(rows[-1]['close']):.6g}: what the forecast must not be worse than")
    if len({str(answer) for answer in answers.values()}) != 1:
        raise SystemExit(f"The three ways disagree: {answers}")


def show_card(deployment: Any) -> None:
    """Print what the model is worth, as its card has it."""
    told = deployment.metrics
    out.print(f"  error of the model      {told['mae']:.6g}")
    out.print(
        f"  error of the naive one  {told['naive_mae']:.6g}: ratio {told['naive_ratio']:.4f}, no skill is claimed"
    )
    out.print(f"  the interval held       {told['coverage']:.1%} of the test hours (90 % meant)")
    out.print(f"  its Winkler score       {told['winkler_ratio']:.3f} of that of an interval of constant width")


def hourly(name: str) -> str:
    """Return how this forecast is renewed each hour; that of a year long past cannot be."""
    if name == STAND_IN:
        return "needs Binance: these candles are of 2017 and get no newer"
    return f"boucle schedule add {name} --project {PROJECT} --cron '2 * * * *'"


def main() -> None:
    """Turn the loop once."""
    began = time.perf_counter()
    os.environ.setdefault("BOUCLE_HOME", str(ROOT / ".demo"))
    import boucle
    from boucle.bootstrap.starting import ensure_up
    from boucle.settings import load

    say("1. The platform")
    told = ensure_up(load(port=0, gateway_port=0), detach=True, tell=lambda _told: None) or {}
    os.environ["BOUCLE_URL"] = told["url"]
    out.print(f"  up at {told['url']}")

    say("2. boucle run projects/crypto: fetch, prepare, train, convert to ONNX with parity, deploy")
    command = [sys.executable, "-m", "boucle.cli.main", "run", str(PROJECT)]
    subprocess.run([*command, "--param", "fetching.when_unreachable=eurusd"], check=True)

    client = boucle.Client()
    name = newest_model(client)
    deployment = client.deployment(name)
    say(f"3. What {name} is worth, on hours that it was not trained on")
    show_card(deployment)

    say("4. The next close, three ways")
    window = httpx.get(f"{told['url']}/models/{name}/window.csv", trust_env=False).text
    ask(name, deployment, window)

    say("The platform stays up")
    out.print(f"  Models       {told['url']}/")
    out.print(f"  This model   {told['url']}/models/{name}")
    out.print(f"  Predictions  {told['gateway_url']}/models/{name}/invocations")
    out.print(f"  API          {told['url']}/api/docs")
    out.print(f"  Use it       export BOUCLE_HOME={os.environ['BOUCLE_HOME']} PATH={Path(sys.executable).parent}:$PATH")
    out.print(f"  Each hour    {hourly(name)}")
    out.print("  Stop it      boucle down (in a shell with these two)")
    out.print("  Forecasts of prices are no advice to buy or sell anything.")
    out.print(f"\n[dim]{time.perf_counter() - began:.1f} s in all[/]")


if __name__ == "__main__":
    main()
