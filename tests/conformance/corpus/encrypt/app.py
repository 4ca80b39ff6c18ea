"""Cryptography: tokens, hashes, keys, signatures and certificates."""

import base64
import datetime as dt

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives import constant_time, hashes, hmac, padding, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa, x25519
from cryptography.hazmat.primitives.asymmetric import padding as rsa_padding
from cryptography.hazmat.primitives.ciphers import Cipher, aead, algorithms, modes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

KEY = bytes(range(32))


def cbc(event):
    padder = padding.PKCS7(128).padder()
    padded = padder.update(event["text"].encode()) + padder.finalize()
    encryptor = Cipher(algorithms.AES(KEY), modes.CBC(KEY[:16])).encryptor()
    return base64.b64encode(encryptor.update(padded) + encryptor.finalize()).decode()


def fernet(event):
    key = base64.urlsafe_b64encode(KEY)
    token = Fernet(key).encrypt(event["text"].encode())
    try:
        MultiFernet([Fernet(key)]).decrypt(token[:-4] + b"AAA=")
    except InvalidToken:
        return Fernet(key).decrypt(token).decode()
    return None


def digest(event):
    made = hashes.Hash(getattr(hashes, event["hash"])())
    made.update(event["text"].encode())
    return made.finalize().hex()


def mac(event):
    made = hmac.HMAC(KEY, hashes.SHA256())
    made.update(event["text"].encode())
    return made.finalize().hex()


def derive(event):
    kinds = {
        "hkdf": lambda: HKDF(hashes.SHA256(), 16, b"salt", b"info"),
        "pbkdf2": lambda: PBKDF2HMAC(hashes.SHA256(), 16, b"salt", 1000),
        "scrypt": lambda: Scrypt(b"salt", 16, 2**4, 8, 1),
    }
    return kinds[event["kind"]]().derive(b"password").hex()


def sign(event):
    private = ed25519.Ed25519PrivateKey.from_private_bytes(KEY)
    signature = private.sign(event["text"].encode())
    try:
        private.public_key().verify(signature, b"something else")
    except InvalidSignature:
        return signature.hex()
    return None


def certificate(event):
    private = ec.derive_private_key(12345, ec.SECP256R1())
    name = x509.Name.from_rfc4514_string(event["name"])
    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    built = (
        x509.CertificateBuilder(name, name, private.public_key(), 7, start, start + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("example.com")]), critical=False)
        .sign(private, hashes.SHA256())
    )
    again = x509.load_pem_x509_certificate(built.public_bytes(serialization.Encoding.PEM))
    return [again.subject.rfc4514_string(), [extension.oid._name for extension in again.extensions]]


def identify(event):
    public = ec.derive_private_key(event["number"], ec.SECP256R1()).public_key()
    own = x509.SubjectKeyIdentifier.from_public_key(public)
    issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(public)
    return [own.digest.hex(), constant_time.bytes_eq(own.digest, issuer.key_identifier)]


def agree(event):
    one, other = (x25519.X25519PrivateKey.from_private_bytes(KEY[n:] + KEY[:n]) for n in (0, 1))
    return one.exchange(other.public_key()) == other.exchange(one.public_key())


def rsa_round(event):
    private = rsa.generate_private_key(65537, 2048)
    oaep = rsa_padding.OAEP(rsa_padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    return private.decrypt(private.public_key().encrypt(b"oak", oaep), oaep).decode()


def seal(event):
    return getattr(aead, event["kind"])(KEY).encrypt(KEY[:12], b"oak", None).hex()


def keys(event):
    private = ed25519.Ed25519PrivateKey.from_private_bytes(KEY)
    form = getattr(serialization.PrivateFormat, event["format"])
    plain = serialization.NoEncryption()
    text = private.private_bytes(serialization.Encoding.PEM, form, plain)
    return [
        text.split(b"\n")[0].decode(),
        type(
            serialization.load_ssh_public_key(
                private.public_key().public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
            )
        ).__name__,
    ]


def handler(event, context):
    actions = (cbc, fernet, digest, mac, derive, sign, certificate, identify, agree, rsa_round, seal, keys)
    return {action.__name__: action for action in actions}[event["do"]](event)
