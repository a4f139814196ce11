"""What the functions write to their logs."""

import json
import re

import pytest
from tests.system.cloud import SECRET, Cloud


def test_nothing_secret(cloud: Cloud, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
    """No line holds a text, a question, a vector or a secret; each function counts what it did."""
    cloud.bedrock.faults.refused = lambda body: "zanzibar" in str(body)
    cloud.upload("a.txt", b"The hippopotamus of Zanzibar. " * 60)
    cloud.bedrock.faults.refused = None
    cloud.query({"query": "hippopotamus questions"})
    cloud.query({"query": 5, "filter": {"hippopotamus": 1}})
    cloud.query({"query": "hippopotamus", "filter": {"$hippopotamus": []}})
    cloud.upload("broken.pdf", b"%PDF-1.7 hippopotamus", expect="FAILED")
    cloud.delete("a.txt")
    out, error = capfd.readouterr()
    said = out + error + "".join(record.getMessage() for record in caplog.records if "moto" not in record.name)
    assert "hippopotamus" not in said.lower()
    assert SECRET not in said
    assert not re.search(r"-?0\.\d{5,}, ?-?0\.\d{5,}", said)
    lines = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
    metrics = [line for line in lines if "_aws" in line]
    assert {line["function"] for line in metrics} >= {
        "plan",
        "embed_sync",
        "store_embeddings",
        "query_handler",
        "forget",
    }
    assert all(line["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "Nestor" for line in metrics)
    embedded = [line for line in metrics if "SegmentsEmbedded" in line]
    assert embedded
