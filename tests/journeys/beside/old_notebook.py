"""What a notebook of another environment runs: fit, deploy, and print what its own model says about new rows.

python old_notebook.py NAME       with BOUCLE_URL and BOUCLE_HOME set
"""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import sklearn
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

sys.path.insert(0, str(Path(__file__).resolve().parent))

import boucle

random = np.random.default_rng(3)
rows = pd.DataFrame(
    {
        "age": random.integers(18, 90, 400).astype(float),
        "city": random.choice(["Lyon", "Paris", "Lille"], 400),
    }
)
rows.loc[::7, "age"] = np.nan
left = (rows["age"].fillna(50) + (rows["city"] == "Lyon") * 20 + random.normal(0, 5, 400)) > 60

prepare = make_column_transformer((SimpleImputer(), ["age"]), (OneHotEncoder(handle_unknown="ignore"), ["city"]))
pipeline = make_pipeline(prepare, LogisticRegression(max_iter=500)).fit(rows, left)
deployment = boucle.deploy(pipeline, sys.argv[1], example=rows)
unseen = rows.sample(200, random_state=1)
answer = deployment.predict(unseen)
difference = float(np.abs(answer.probabilities - pipeline.predict_proba(unseen)).max())
print(
    json.dumps(
        {
            "scikit-learn": sklearn.__version__,
            "python": sys.version.split()[0],
            "version": deployment.version,
            "difference": difference,
            "rows": unseen.head(3).to_dict(orient="records"),
            "probabilities": pipeline.predict_proba(unseen.head(3)).tolist(),
        }
    )
)
