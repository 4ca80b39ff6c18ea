"""Models of scikit-learn, trained on its own small data sets; the event names the kind."""

import io

import joblib
import numpy as np
from sklearn import datasets, metrics, model_selection, pipeline, preprocessing
from sklearn.linear_model import LogisticRegression
from sklearn.utils import all_estimators


def flowers():
    return model_selection.train_test_split(*datasets.load_iris(return_X_y=True), random_state=0)


def predict(event):
    train, test, answers, expected = flowers()
    model = pipeline.make_pipeline(preprocessing.StandardScaler(), LogisticRegression(max_iter=200)).fit(train, answers)
    return [bool(model.score(test, expected) > 0.9), model.predict([event["flower"]]).tolist()]


def kind(event):
    train, test, answers, expected = flowers()
    model = dict(all_estimators(event["filter"]))[event["name"]](**event.get("options", {}))
    return [type(model).__name__, bool(model.fit(train, answers).score(test, expected) > event.get("least", 0.85))]


def cluster(event):
    from sklearn import cluster as clusters

    points = np.array([[0.0, 0], [0, 1], [9, 9], [9, 8]])
    labels = getattr(clusters, event["name"])(**event["options"]).fit_predict(points)
    return [bool(labels[0] == labels[1]), bool(labels[0] != labels[2])]


def reduce(event):
    from sklearn.decomposition import NMF, PCA

    data = datasets.load_iris().data
    return [list(PCA(2).fit_transform(data).shape), list(NMF(2, max_iter=500, tol=1e-2).fit_transform(data).shape)]


def words(event):
    from sklearn.feature_extraction.text import TfidfVectorizer

    made = TfidfVectorizer(stop_words="english").fit(["the oak cask", "a pine cask"])
    return made.get_feature_names_out().tolist()


def score(event):
    found = metrics.get_scorer(event["scorer"])
    train, test, answers, expected = flowers()
    return bool(found(LogisticRegression(max_iter=200).fit(train, answers), test, expected) > 0.8)


def search(event):
    grid = model_selection.GridSearchCV(LogisticRegression(max_iter=300), {"C": [0.1, 1.0]}, cv=3)
    train, _, answers, _ = flowers()
    return sorted(grid.fit(train, answers).best_params_)


def dump(event):
    train, test, answers, expected = flowers()
    stream = io.BytesIO()
    joblib.dump(LogisticRegression(max_iter=200).fit(train, answers), stream, compress=event.get("compress", 0))
    stream.seek(0)
    return bool(joblib.load(stream).score(test, expected) > 0.9)


def data(event):
    found = getattr(datasets, f"load_{event['set']}")()
    return [list(found.data.shape), found.DESCR.splitlines()[0]]


def handler(event, context):
    actions = (predict, kind, cluster, reduce, words, score, search, dump, data)
    return {action.__name__: action for action in actions}[event["do"]](event)
