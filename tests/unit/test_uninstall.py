from __future__ import annotations

from ccf_operator.uninstall import refusal


def test_the_refusal_names_every_network_and_both_ways_out() -> None:
    said = refusal(["a/bank", "b/mint"])
    assert "a/bank, b/mint" in said
    assert "kubectl delete ccfnetwork" in said
    assert "--no-hooks" in said
