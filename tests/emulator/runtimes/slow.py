"""Takes as many seconds as the event says, and answers with its process id."""

import os
import time

from client import Client

client = Client()
while True:
    event = client.next()
    time.sleep(float(event.body))
    client.respond(event, str(os.getpid()).encode())
