"""``python -m kedro run --pipelines=NAME --params=k=v,…``: what the journeys need of a project."""

import importlib.util
import os
import subprocess
import sys
import time
from pathlib import Path


def main() -> None:
    """Do what the pipeline says."""
    told = dict(option.lstrip("-").partition("=")[::2] for option in sys.argv[2:])
    params = dict(pair.partition("=")[::2] for pair in told.get("params", "").split(",") if pair)
    print("pipeline", told.get("pipelines"), "params", params, flush=True)
    {"failing": failing, "waiting": waiting}.get(told.get("pipelines", ""), writing)(params)


def writing(params: dict[str, str]) -> None:
    """Write what a project sees of the platform."""
    seen = [os.environ.get("BOUCLE_URL", ""), os.environ.get("BOUCLE_HOME", ""), params.get("pair", "")]
    seen.append(str(importlib.util.find_spec("boucle") is not None))
    Path("seen.txt").write_text("\n".join(seen), encoding="utf-8")
    print("written", flush=True)


def failing(params: dict[str, str]) -> None:
    """Fail, until the attempt that ``until`` says."""
    with Path("attempts.txt").open("a", encoding="utf-8") as file:
        file.write("x")
    n = Path("attempts.txt").stat().st_size
    if n < int(params.get("until", "99")):
        raise RuntimeError(f"the exchange gave no candles, time {n}")


def waiting(params: dict[str, str]) -> None:
    """Say who is here and wait for ever, with a child in a session of its own."""
    child = subprocess.Popen(["sleep", "600"], start_new_session=True)
    Path("pids.txt").write_text(f"{os.getpid()} {child.pid}", encoding="utf-8")
    time.sleep(600)


if __name__ == "__main__":
    main()
