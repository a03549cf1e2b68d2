from __future__ import annotations

from ccf_operator.uninstall import refusal


def test_the_refusal_names_every_network_and_all_ways_out() -> None:
    said = refusal(["a/bank", "b/mint"], "helm rollback ccf-operator 7")
    assert "a/bank, b/mint" in said
    assert "kubectl delete ccfnetwork" in said
    assert "--no-hooks" in said
    assert said.endswith("helm rollback ccf-operator 7")
