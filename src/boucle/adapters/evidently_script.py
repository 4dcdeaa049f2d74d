"""Evidently's report on two tables; run by the Python of its own environment, so that it imports nothing of ours.

python -I evidently_script.py FOLDER        reads reference.parquet, current.parquet and columns.json (names by kind);
writes report.html
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from pathlib import Path
from typing import Any

REFERENCE, CURRENT, COLUMNS, REPORT = "reference.parquet", "current.parquet", "columns.json", "report.html"


def main(folder: Path) -> None:
    """Write the report of a folder."""
    pandas: Any = import_module("pandas")
    evidently: Any = import_module("evidently")
    presets: Any = import_module("evidently.presets")
    columns = json.loads((folder / COLUMNS).read_text("utf-8"))
    definition = evidently.DataDefinition(
        numerical_columns=columns["numerical"],
        categorical_columns=columns["categorical"],
        datetime_columns=columns["datetime"],
    )
    tables = []
    for name in (CURRENT, REFERENCE):
        frame = pandas.read_parquet(folder / name)
        for column in columns["numerical"]:
            frame[column] = frame[column].astype("float64")
        for column in columns["categorical"]:
            frame[column] = frame[column].astype(object)
        for column in columns["datetime"]:
            frame[column] = pandas.to_datetime(frame[column], utc=True).dt.tz_localize(None)
        tables.append(evidently.Dataset.from_pandas(frame, data_definition=definition))
    report = evidently.Report([presets.DataDriftPreset(), presets.DataSummaryPreset()])
    report.run(*tables).save_html(str(folder / REPORT))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
