"""Graphs by python-igraph."""

import igraph


def graph():
    return igraph.Graph.Formula("a-b, b-c, c-d, d-a, a-c")


def rank(event):
    return [round(value, 4) for value in graph().pagerank()]


def path(event):
    made = graph()
    return [made.vs[node]["name"] for node in made.get_shortest_path("b", event["to"])]


def famous(event):
    made = igraph.Graph.Famous(event["name"])
    return [made.vcount(), made.ecount(), made.girth()]


def communities(event):
    made = igraph.Graph.Famous("Zachary")
    return len(set(getattr(made, f"community_{event['method']}")(**event.get("options", {})).membership)) > 1


def layout(event):
    return len(graph().layout(event["layout"]))


def flow(event):
    made = igraph.Graph(directed=True, edges=[(0, 1), (1, 2), (0, 2)])
    return made.maxflow(0, 2, [1, 1, 2]).value


def written(event):
    made = graph()
    return [made.get_adjacency().shape[0], made.summary().splitlines()[0].split("--")[0].split()[0]]


def frame(event):
    return [made["name"] for made in graph().to_dict_list()[0]]


def matching(event):
    made = igraph.Graph.Full_Bipartite(2, 3)
    return [len(made.maximum_bipartite_matching()), made.is_bipartite()]


def stored(event):
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        file = str(Path(folder, f"g.{event['format']}"))
        graph().save(file, format=event["format"])
        return igraph.Graph.Load(file, format=event["format"]).ecount()


def handler(event, context):
    actions = (rank, path, famous, communities, layout, flow, written, frame, matching, stored)
    return {action.__name__: action for action in actions}[event["do"]](event)
