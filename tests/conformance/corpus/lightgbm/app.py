"""Trees by LightGBM: trained on a small table, stored as text and read again."""

import lightgbm
import numpy as np

POINTS = np.arange(200.0).reshape(100, 2)
ANSWERS = (POINTS[:, 0] > 90).astype(int)
QUIET = {"verbose": -1, "min_data_in_leaf": 2, "num_threads": 1, "deterministic": True, "seed": 1}


def train(**options):
    return lightgbm.train({"objective": "binary", **QUIET, **options}, lightgbm.Dataset(POINTS, ANSWERS), 10)


def predict(event):
    return [round(float(value)) for value in train().predict(np.array(event["points"], dtype=float))]


def stored(event):
    text = train().model_to_string()
    return [text.splitlines()[0], lightgbm.Booster(model_str=text).num_trees()]


def boosting(event):
    return train(boosting=event["boosting"], **event.get("options", {})).num_trees()


def classifier(event):
    model = lightgbm.LGBMClassifier(n_estimators=5, **{k: v for k, v in QUIET.items() if k != "seed"})
    return bool(model.fit(POINTS, ANSWERS).score(POINTS, ANSWERS) > 0.9)


def regressor(event):
    model = lightgbm.LGBMRegressor(objective=event["objective"], n_estimators=5, verbose=-1, min_child_samples=2)
    return len(model.fit(POINTS, POINTS[:, 1]).predict(POINTS[:3]))


def importance(event):
    return len(train().feature_importance(event["kind"]))


def validated(event):
    found = lightgbm.cv({"objective": "binary", **QUIET}, lightgbm.Dataset(POINTS, ANSWERS), 3, nfold=2, seed=1)
    return sorted(found)


def dumped(event):
    return sorted(train().dump_model())[:3]


def broken(event):
    try:
        lightgbm.Booster(model_str="nonsense")
    except lightgbm.basic.LightGBMError as error:
        return type(error).__name__
    return None


def handler(event, context):
    actions = (predict, stored, boosting, classifier, regressor, importance, validated, dumped, broken)
    return {action.__name__: action for action in actions}[event["do"]](event)
