"""A table of wines and a forest: pandas and scikit-learn together, data out of the package."""

import pandas as pd
from sklearn.datasets import load_wine
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import classification_report
from sklearn.model_selection import cross_val_score

WINES = load_wine(as_frame=True)
FOREST = RandomForestClassifier(n_estimators=20, random_state=1).fit(WINES.data, WINES.target)


def taste(event):
    return [str(WINES.target_names[kind]) for kind in FOREST.predict(WINES.data.iloc[event["rows"]])]


def table(event):
    return WINES.frame.groupby("target")[event["column"]].mean().round(3).to_dict()


def importance(event):
    ranked = pd.Series(FOREST.feature_importances_, index=WINES.feature_names).nlargest(6)
    return "proline" in ranked.index


def report(event):
    found = classification_report(WINES.target, FOREST.predict(WINES.data), output_dict=True, zero_division=0)
    return round(found["accuracy"], 1)


def validate(event):
    return bool(cross_val_score(FOREST, WINES.data, WINES.target, cv=3, scoring=event["scoring"]).mean() > 0.8)


def correlate(event):
    found = WINES.data[["alcohol", "proline"]].corr(method=event["method"])
    return round(float(found.iloc[0, 1]), 3)


def handler(event, context):
    actions = (taste, table, importance, report, validate, correlate)
    result = {action.__name__: action for action in actions}[event["do"]](event)
    return {str(key): value for key, value in result.items()} if isinstance(result, dict) else result
