"""A certificate authority and two transparency logs like Sigstore's, with keys of their own, for bundles in tests.

A certificate carries a signed certificate timestamp, and each entry of the log a promise, an inclusion proof (the log has
one entry) and a signed checkpoint, so that the library verifies these bundles by the same steps as GitHub's.
"""

import base64
import hashlib
import json
import struct
from datetime import UTC, datetime, timedelta

import rfc8785
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

AT = datetime(2026, 3, 1, 3, 17, tzinfo=UTC)
EXTENSION = "1.3.6.1.4.1.57264.1"
SCT_LIST = ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
PAYLOAD = "application/vnd.in-toto+json"
LOG = "rekor.test"
USES = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
USES += ("key_cert_sign", "crl_sign", "encipher_only", "decipher_only")


def text(content):
    return base64.b64encode(content).decode()


def der(key):
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def key_id(key):
    return hashlib.sha256(der(key)).digest()


def usage(*names):
    return x509.KeyUsage(**{name: name in names for name in USES})


def der_string(content, tag):
    length = bytes([len(content)]) if len(content) < 128 else b"\x81" + bytes([len(content)])
    return bytes([tag]) + (length if len(content) < 256 else b"\x82" + len(content).to_bytes(2, "big")) + content


def envelope(payload, sign, kind=PAYLOAD):
    """A DSSE envelope of *payload*."""
    signed = b"DSSEv1 %d %s %d %s" % (len(kind), kind.encode(), len(payload), payload)
    return {"payload": text(payload), "payloadType": kind, "signatures": [{"sig": text(sign(signed)), "keyid": ""}]}


class PocketSigstore:
    """One authority with its logs; *valid* are the days before and after `AT` on which the authority may sign."""

    def __init__(self, valid=(365, 365)):
        self.authority, self.issued, self.logged = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))
        name = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, "pocket")])
        self.start, self.end = AT - timedelta(days=valid[0]), AT + timedelta(days=valid[1])
        identifier = x509.SubjectKeyIdentifier.from_public_key(self.authority.public_key())
        self.root = (
            self._new(name, name, self.authority, self.start, self.end)
            .add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
            .add_extension(usage("key_cert_sign", "crl_sign"), critical=True)
            .add_extension(identifier, critical=False)
            .sign(self.authority, hashes.SHA256())
        )

    def _new(self, subject, issuer, key, start, end):
        made = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
        return made.serial_number(x509.random_serial_number()).not_valid_before(start).not_valid_after(end)

    def trusted_root(self):
        """The authority and the logs, as in a trusted_root.json."""
        times = {"start": self.start.isoformat().replace("+00:00", "Z")}

        def log(key):
            public = {"rawBytes": text(der(key)), "keyDetails": "PKIX_ECDSA_P256_SHA_256", "validFor": times}
            return {
                "baseUrl": f"https://{LOG}",
                "hashAlgorithm": "SHA2_256",
                "publicKey": public,
                "logId": {"keyId": text(key_id(key))},
            }

        authority = {
            "subject": {"organization": "pocket", "commonName": "pocket"},
            "uri": "https://fulcio.test",
            "certChain": {"certificates": [{"rawBytes": text(self.root.public_bytes(Encoding.DER))}]},
            "validFor": times,
        }
        return {
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [log(self.logged)],
            "certificateAuthorities": [authority],
            "ctlogs": [log(self.issued)],
            "timestampAuthorities": [],
        }

    def bundle(self, payload, repository, workflow, ref, *, source_ref="", signer="", issuer="", at=AT, kind=PAYLOAD):
        """A Sigstore bundle, as actions/attest makes it in a run of *workflow* of *repository* on *ref*.

        *source_ref* and *signer*, where the run is on another ref than the workflow, or of another repository.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        where = f"https://github.com/{repository}"
        identity = f"https://github.com/{signer or repository}/{workflow}@{ref}"
        named = {8: issuer or "https://token.actions.githubusercontent.com", 9: identity, 12: where}
        named |= {14: source_ref or ref, 18: identity}
        certificate = self._certificate(key, identity, named, at)
        body = envelope(payload, lambda content: key.sign(content, ec.ECDSA(hashes.SHA256())), kind)
        return {
            "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "verificationMaterial": {
                "certificate": {"rawBytes": text(certificate.public_bytes(Encoding.DER))},
                "tlogEntries": [self._entry(certificate, payload, body, at)],
                "timestampVerificationData": {"rfc3161Timestamps": []},
            },
            "dsseEnvelope": body,
        }

    def _certificate(self, key, identity, named, at):
        made = (
            self._new(x509.Name([]), self.root.subject, key, at - timedelta(minutes=1), at + timedelta(minutes=9))
            .add_extension(usage("digital_signature"), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.authority.public_key()), critical=False
            )
            .add_extension(x509.SubjectAlternativeName([x509.UniformResourceIdentifier(identity)]), critical=True)
        )
        for number, value in named.items():
            name = ObjectIdentifier(f"{EXTENSION}.{number}")
            made = made.add_extension(
                x509.UnrecognizedExtension(name, der_string(value.encode(), 0x0C)), critical=False
            )
        before = made.sign(self.authority, hashes.SHA256()).tbs_certificate_bytes
        promised = x509.UnrecognizedExtension(SCT_LIST, der_string(self._promises(before, at), 0x04))
        return made.add_extension(promised, critical=False).sign(self.authority, hashes.SHA256())

    def _promises(self, before, at):
        """The list of signed certificate timestamps (RFC 6962) for a certificate without it: one."""
        milliseconds = int(at.timestamp() * 1000)
        head = struct.pack("!BBQH", 0, 0, milliseconds, 1) + key_id(self.authority)
        entry = head + len(before).to_bytes(3, "big") + before + b"\0\0"
        signature = self.issued.sign(entry, ec.ECDSA(hashes.SHA256()))
        signed = b"\x04\x03" + struct.pack("!H", len(signature)) + signature
        one = b"\0" + key_id(self.issued) + struct.pack("!Q", milliseconds) + b"\0\0" + signed
        return struct.pack("!HH", len(one) + 2, len(one)) + one

    def _entry(self, certificate, payload, body, at):
        """An entry of the transparency log, which has this one alone."""
        pem = certificate.public_bytes(Encoding.PEM)
        signatures = [{"signature": each["sig"], "verifier": text(pem)} for each in body["signatures"]]
        digest = hashlib.sha256(payload).hexdigest()
        spec = {
            "envelopeHash": {"algorithm": "sha256", "value": hashlib.sha256(json.dumps(body).encode()).hexdigest()},
            "payloadHash": {"algorithm": "sha256", "value": digest},
            "signatures": signatures,
        }
        content = rfc8785.dumps({"apiVersion": "0.0.1", "kind": "dsse", "spec": spec})
        log, when = key_id(self.logged), int(at.timestamp())
        promised = rfc8785.dumps({"body": text(content), "integratedTime": when, "logID": log.hex(), "logIndex": 0})
        root = hashlib.sha256(b"\0" + content).digest()
        note = f"{LOG}\n1\n{text(root)}\n"
        line = text(log[:4] + self._log(note.encode()))
        return {
            "logIndex": "0",
            "logId": {"keyId": text(log)},
            "kindVersion": {"kind": "dsse", "version": "0.0.1"},
            "integratedTime": str(when),
            "inclusionPromise": {"signedEntryTimestamp": text(self._log(promised))},
            "inclusionProof": {
                "logIndex": "0",
                "rootHash": text(root),
                "treeSize": "1",
                "hashes": [],
                "checkpoint": {"envelope": f"{note}\n— {LOG} {line}\n"},
            },
            "canonicalizedBody": text(content),
        }

    def _log(self, content):
        return self.logged.sign(content, ec.ECDSA(hashes.SHA256()))
