"""TLS between two ends in memory, and what the certificates of the image say."""

import hashlib
import hmac
import secrets
import ssl
import urllib.error
import urllib.request


def authorities(event):
    return ssl.create_default_context().cert_store_stats()["x509_ca"] > 50


def hello(event):
    context = ssl.create_default_context()
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    made = context.wrap_bio(incoming, outgoing, server_hostname="example.com")
    try:
        made.do_handshake()
    except ssl.SSLWantReadError:
        data = outgoing.read()
        return [data[0], b"example.com" in data]
    return None


def ciphers(event):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = getattr(ssl.TLSVersion, event["version"])
    return [context.minimum_version.name, any("AES" in cipher["name"] for cipher in context.get_ciphers())]


def digest(event):
    return hashlib.new(event["hash"], event["text"].encode()).hexdigest()


def slow(event):
    if event["kind"] == "scrypt":
        return hashlib.scrypt(b"p", salt=b"s", n=16, r=8, p=1, dklen=16).hex()
    return hashlib.pbkdf2_hmac("sha512", b"p", b"s", 1000, 16).hex()


def mac(event):
    return [hmac.new(b"key", event["text"].encode(), "sha3_256").hexdigest(), len(secrets.token_urlsafe(16))]


def refused(event):
    try:
        urllib.request.urlopen("https://127.0.0.1:1", timeout=2)
    except urllib.error.URLError as error:
        return type(error.reason).__name__
    return None


def pem(event):
    return ssl.DER_cert_to_PEM_cert(b"abc").splitlines()


def handler(event, context):
    actions = (authorities, hello, ciphers, digest, slow, mac, refused, pem)
    return {action.__name__: action for action in actions}[event["do"]](event)
