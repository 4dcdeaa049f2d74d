"""The first turn of the loop: train, deploy, ask, renew, roll back. Run it with `make penguins`.

The table is the one of the `palmerpenguins` wheel (Horst, Hill and Gorman 2020, CC0): 344 penguins of three
species, with texts, dates and missing values, exactly as the field notes have them.
"""

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import palmerpenguins
import pandas as pd
from rich.console import Console
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder

sys.path.insert(0, str(Path(__file__).parent))
from season import Season  # a transformer of our own, in the file beside: boucle finds it and carries it

ROOT = Path(__file__).resolve().parents[1]
NUMBERS = ["Culmen Length (mm)", "Culmen Depth (mm)", "Flipper Length (mm)", "Body Mass (g)"]
TEXTS = ["Island", "Sex"]
DATE = ["Date Egg"]
SPECIES = "Species"
out = Console(highlight=False, soft_wrap=True)


def read() -> pd.DataFrame:
    """Return the penguins: raw rows, nothing cleaned."""
    file = Path(palmerpenguins.__file__).parent / "data" / "penguins-raw.csv"
    return pd.read_csv(file, parse_dates=DATE)[[*NUMBERS, *TEXTS, *DATE, SPECIES]]


def pipeline(model: object) -> Pipeline:
    """Return preprocessing and model as one: what is deployed takes the raw rows."""
    prepare = make_column_transformer(
        (SimpleImputer(strategy="median"), NUMBERS),
        (make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore")), TEXTS),
        (Season(), DATE),
        sparse_threshold=0.0,
    )
    return make_pipeline(prepare, model)


def say(title: str) -> None:
    """Print what comes next."""
    out.print(f"\n[bold]{title}[/]")


def ask(name: str, row: dict[str, object], deployment: Any) -> None:
    """Ask one row three ways, and show that the answers are the same."""
    asked = deployment.predict([row])
    by_sdk = asked.predictions[0]
    surest = float(asked.probabilities[0].max())
    by_cli = subprocess.run(
        [sys.executable, "-m", "boucle.cli.main", "predict", name, "-", "--json"],
        input=json.dumps([row]),
        capture_output=True,
        text=True,
        check=True,
    )
    command = ["curl", "-sS", deployment.url, "-H", "Content-Type: application/json", "-d", json.dumps([row])]
    by_curl = subprocess.run(command, capture_output=True, text=True, check=True)
    answers = {
        "SDK": str(by_sdk),
        "CLI": json.loads(by_cli.stdout)["predictions"][0],
        "curl": json.loads(by_curl.stdout)["predictions"][0],
    }
    for way, answer in answers.items():
        out.print(f"  {way:<5} {answer}")
    out.print(f"  version {asked.version} answered, {surest:.4%} sure")
    if len(set(answers.values())) != 1:
        raise SystemExit(f"The three ways disagree: {answers}")


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

    say("2. A pipeline, trained on raw rows: texts, dates, missing values")
    penguins = read()
    X, y = penguins.drop(columns=SPECIES), penguins[SPECIES]
    X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
    forest = pipeline(RandomForestClassifier(n_estimators=60, random_state=0)).fit(X_train, y_train)
    accuracy = round(float(forest.score(X_test, y_test)), 4)
    out.print(f"  {len(X_train)} rows to learn from, {len(X_test)} kept apart; accuracy {accuracy:.1%}")

    say("3. boucle.deploy(forest, 'penguins', example=penguins, target='Species')")
    first = boucle.deploy(
        forest,
        "penguins",
        example=penguins,
        target=SPECIES,
        metrics={"accuracy": accuracy},
        description="Which species is this penguin?",
    )

    say("4. One row, three ways")
    row = json.loads(X_test.head(1).to_json(orient="records", date_format="iso"))[0]
    ask("penguins", row, first)

    say("5. A second version, promoted")
    trees = pipeline(HistGradientBoostingClassifier(max_iter=40, random_state=0)).fit(X_train, y_train)
    second = boucle.deploy(
        trees,
        "penguins",
        example=penguins,
        target=SPECIES,
        metrics={"accuracy": round(float(trees.score(X_test, y_test)), 4)},
        description="Which species is this penguin?",
    )
    second.promote()
    ask("penguins", row, second)

    say("6. And back at once")
    second.rollback()
    ask("penguins", row, first)

    say("The platform stays up until: boucle down")
    out.print(f"  Models       {told['url']}/")
    out.print(f"  This model   {told['url']}/models/penguins")
    out.print(f"  Predictions  {told['gateway_url']}/models/penguins/invocations")
    out.print(f"  API          {told['url']}/api/docs")
    out.print(f"  Use it       export BOUCLE_HOME={os.environ['BOUCLE_HOME']}")
    out.print("  Stop it      .venv/bin/boucle down")
    out.print(f"\n[dim]{time.perf_counter() - began:.1f} s in all[/]")


if __name__ == "__main__":
    main()
