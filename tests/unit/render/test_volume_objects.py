"""The claim of a volume: it outlives everything."""

from __future__ import annotations

from ccf_operator.render import labels
from ccf_operator.render.volume_objects import claim
from unit.render.orders import NETWORK, NODE, VOLUME, spec


def test_nothing_takes_the_ledger_with_it() -> None:
    manifest = claim(spec(), NETWORK, VOLUME, NODE)

    assert "ownerReferences" not in manifest["metadata"]
    assert manifest["metadata"]["labels"][labels.NETWORK_UID] == NETWORK.uid
    assert manifest["metadata"]["annotations"][labels.CREATED_FOR] == NODE


def test_the_default_class_is_left_to_the_cluster() -> None:
    assert "storageClassName" not in claim(spec(), NETWORK, VOLUME, NODE)["spec"]


def test_storage_is_as_asked_for() -> None:
    storage = {"size": "1Gi", "storageClassName": "fast", "accessMode": "ReadWriteOncePod"}
    made = claim(spec(storage=storage), NETWORK, VOLUME, NODE)["spec"]

    assert made["resources"] == {"requests": {"storage": "1Gi"}}
    assert made["storageClassName"] == "fast"
    assert made["accessModes"] == ["ReadWriteOncePod"]
