"""Where things are in a node's containers and volume.

A volume's root holds `gen-<n>` directories. `stage` has the root to write, so that the kubelet never makes a directory
(a mistyped subPath would be created and look like an empty ledger); CCF has the root read-only and its own generation,
by subPath, to write.
"""

from __future__ import annotations

STAGE_VOLUME = "/volume"
"""The volume's root, in `stage`, read-write."""
VOLUME = "/ledger/volume"
"""The volume's root, in `ccf`, read-only."""
CURRENT = "/ledger/current"
"""The node's generation, in `ccf`, read-write."""
WORK = "/work"
"""CCF's working directory: scratch, gone with the pod (CCF facts §3)."""
CONFIG = "/config"
"""The node's ConfigMap."""

CONFIG_FILE = "config.json"
STAGE_FILE = "stage.json"
NODE_DATA_FILE = "node_data.json"
SERVICE_CERTIFICATE_FILE = "service_cert.pem"
"""Of a joiner: the service it joins."""
PREVIOUS_CERTIFICATE_FILE = "previous_service_cert.pem"
"""Of a candidate: the service it recovers."""


def generation(number: int) -> str:
    """Directory of a generation, below the volume's root."""
    return f"gen-{number}"


def ancestor_ledger(number: int) -> str:
    """Where CCF reads the ledger of an older generation of its volume."""
    return f"{VOLUME}/{generation(number)}/ledger"


def in_config(file: str) -> str:
    """Path of a file of the node's ConfigMap."""
    return f"{CONFIG}/{file}"


def constitution_file(index: int) -> str:
    """Key of the constitution's file number `index`; users' own names may clash with ours."""
    return f"constitution_{index}.js"


def member_certificate(index: int) -> str:
    """Key of a member's certificate."""
    return f"member_{index}_cert.pem"


def member_encryption_key(index: int) -> str:
    """Key of a member's public encryption key."""
    return f"member_{index}_encryption_key.pem"


def member_data(index: int) -> str:
    """Key of a member's data."""
    return f"member_{index}_data.json"
