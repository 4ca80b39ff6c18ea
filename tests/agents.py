"""An image with an extension in it, as a team's Dockerfile would add one."""

from dataclasses import replace
from pathlib import Path

from builder.oci import BlobStore, Entry, History, Image, write_layout
from builder.outputs import open_image

AGENT = """\
#!/var/lang/bin/python3 -S
import http.client, json, os, sys

def call(method, path, body=None, **headers):
    api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    api.request(method, f"/2020-01-01/extension/{path}", body, headers)
    answer = api.getresponse()
    return answer.headers, answer.read()

headers, _ = call("POST", "register", '{"events": ["INVOKE", "SHUTDOWN"]}', **{"Lambda-Extension-Name": "agent"})
me = {"Lambda-Extension-Identifier": headers["Lambda-Extension-Identifier"]}
with open("/tmp/of-the-agent", "w") as file:
    file.write("x")
while True:
    event = json.loads(call("GET", "event/next", **me)[1])
    print("agent", os.getuid(), os.getcwd(), os.path.exists("/var/task/app.py"), event["eventType"], flush=True)
    if event["eventType"] == "SHUTDOWN":
        sys.exit()
"""


def write_image_with_agent(layout: Path, folder: Path) -> Path:
    """The image of a layout with an extension `agent` on top, and a folder beside that, as another layout."""
    image = open_image(f"oci:{layout}")
    store = BlobStore(layout)
    entries = [Entry.file("opt/extensions/agent", AGENT.encode(), 0o755), Entry.file("opt/extensions/lib/data", b"")]
    config = replace(image.config, history=(*image.config.history, History("COPY agent /opt/extensions/")))
    write_layout(Image.assemble(config, [*image.layers, store.add_layer(entries)], blobs=store), folder)
    return folder
