"""Statements signed with an ed25519 key, as DSSE envelopes (https://github.com/secure-systems-lab/dsse), one a line."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
    load_der_public_key,
)

from provenance.statement import PAYLOAD, ProvenanceError

PREFIX = "ed25519:"


def new_key() -> tuple[str, str]:
    """A private key for TIDEGATE_SIGNING_KEY, and its public key for trust.toml."""
    private = Ed25519PrivateKey.generate()
    return _text(private.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())), public_of(private)


def read_key(text: str) -> Ed25519PrivateKey:
    """The private key in *text*. Raises `ProvenanceError`, without the text."""
    try:
        found = load_der_private_key(_bytes(text.strip()), None)
    except (ValueError, TypeError) as error:
        raise ProvenanceError(
            "TIDEGATE_SIGNING_KEY is not a private key; make one: python -m provenance key"
        ) from error
    if not isinstance(found, Ed25519PrivateKey):
        raise ProvenanceError("TIDEGATE_SIGNING_KEY is not an ed25519 key; make one: python -m provenance key")
    return found


def public_of(private: Ed25519PrivateKey) -> str:
    """The public key of *private*, as in trust.toml."""
    return _text(private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def sign(payload: bytes, private: Ed25519PrivateKey) -> str:
    """*payload* in an envelope signed by *private*, as one line of JSON."""
    signature = {"keyid": public_of(private), "sig": base64.b64encode(private.sign(_signed(payload))).decode()}
    envelope = {"payload": base64.b64encode(payload).decode(), "payloadType": PAYLOAD, "signatures": [signature]}
    return json.dumps(envelope)


def opened(envelope: Mapping[str, Any], keys: Iterable[str]) -> bytes:
    """What the *envelope* holds, if one of the public *keys* signed it. Raises `ProvenanceError`.

    The name of a key in the envelope is a hint that anybody can write: every key is tried.
    """
    if envelope.get("payloadType") != PAYLOAD:
        raise ProvenanceError(f"the envelope holds {envelope.get('payloadType')!r}; expected {PAYLOAD}")
    try:
        payload = base64.b64decode(envelope["payload"], validate=True)
        signatures = [base64.b64decode(each["sig"], validate=True) for each in envelope["signatures"]]
    except (KeyError, TypeError, ValueError) as error:
        raise ProvenanceError("the envelope is damaged: payload or signature cannot be read") from error
    if not signatures:
        raise ProvenanceError("the envelope has no signature")
    known = [*keys]
    if not known:
        raise ProvenanceError("it is signed with a key, and provenance/trust.toml names none")
    if not any(_verifies(key, signature, payload) for key in known for signature in signatures):
        raise ProvenanceError(
            "the signature does not belong to what is signed, or its key is not in provenance/trust.toml"
        )
    return payload


def _verifies(key: str, signature: bytes, payload: bytes) -> bool:
    try:
        public = load_der_public_key(_bytes(key))
        if not isinstance(public, Ed25519PublicKey):
            return False
        public.verify(signature, _signed(payload))
    except (InvalidSignature, ValueError):
        return False
    return True


def _signed(payload: bytes) -> bytes:
    """DSSE's pre-authentication encoding: the type is signed, too."""
    return b"DSSEv1 %d %s %d %s" % (len(PAYLOAD), PAYLOAD.encode(), len(payload), payload)


def _text(content: bytes) -> str:
    return PREFIX + base64.b64encode(content).decode()


def _bytes(text: str) -> bytes:
    return base64.b64decode(text.removeprefix(PREFIX), validate=True)
