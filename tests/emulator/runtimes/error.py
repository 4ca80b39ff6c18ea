"""Answers every event with an error."""

from client import Client

client = Client()
while True:
    client.fail(client.next(), b'{"errorMessage": "no", "errorType": "E"}', "Runtime.E")
