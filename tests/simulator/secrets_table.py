"""Ledger secrets on their way to every trusted node, encrypted for each (CCF facts §8.2, §8.8)."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from simulator import nodes_table
from simulator.gov_tables import write_json
from simulator.kv import Tx, Writes

LEDGER_SECRETS = "public:ccf.internal.ledger_secrets"
_OAEP = padding.OAEP(mgf=padding.MGF1(hashes.SHA256()), algorithm=hashes.SHA256(), label=None)


class EncryptionKey:
    """A node's RSA key pair; it lives as long as the process."""

    def __init__(self) -> None:
        self._private = rsa.generate_private_key(65537, 2048)
        public = self._private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        self.public_pem = public.decode()

    def decrypt(self, sealed: bytes) -> bytes:
        return self._private.decrypt(sealed, _OAEP)


def broadcast(tx: Tx, secrets: Mapping[int, bytes] | Mapping[None, bytes]) -> None:
    """Write `secrets` for every Trusted node; version None means "from the next entry on" (rekey)."""
    for node_id, row in nodes_table.rows(tx).items():
        if row["status"] != "Trusted":
            continue
        key = load_pem_public_key(row["encryption_pub_key"].encode())
        assert isinstance(key, rsa.RSAPublicKey)
        sealed = [
            {"encrypted_secret": base64.b64encode(key.encrypt(secret, _OAEP)).decode(), "version": version}
            for version, secret in secrets.items()
        ]
        write_json(tx, LEDGER_SECRETS, sealed, node_id.encode())


def received(writes: Writes, node_id: str, key: EncryptionKey) -> dict[int | None, bytes]:
    """The secrets that an entry's writes hold for this node."""
    value = writes.get(LEDGER_SECRETS, {}).get(node_id.encode())
    if value is None:
        return {}
    return {one["version"]: key.decrypt(base64.b64decode(one["encrypted_secret"])) for one in json.loads(value)}
