"""Answers with as many bytes as the event says, and lives on."""

from client import Client, say

client = Client()
while True:
    event = client.next()
    told = client.respond(event, b"x" * int(event.body))
    say(told.status)
