"""Takes too long on its first start, and none on its second."""

import pathlib
import time

from client import Client

marker = pathlib.Path("started")
if not marker.exists():
    marker.touch()
    time.sleep(600)
client = Client()
while True:
    client.respond(client.next(), b'"late but here"')
