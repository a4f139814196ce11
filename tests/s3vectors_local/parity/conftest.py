"""The service model, and one complete request for each of its operations."""

from typing import Any

import botocore.session
import pytest
from botocore.model import ServiceModel

ARN = "arn:aws:s3vectors:us-east-1:000000000000:bucket/demo"
BUCKET = {"vectorBucketName": "demo"}
INDEX = BUCKET | {"indexName": "flat"}
TEXTS = {"textSearchConfigurations": [{"metadataKey": "text", "language": "en", "status": "ACTIVE"}]}
ENCRYPTION = {"sseType": "aws:kms", "kmsKeyArn": "arn:aws:kms:us-east-1:000000000000:key/1"}
REQUESTS: dict[str, dict[str, Any]] = {
    "CreateVectorBucket": {"vectorBucketName": "new", "encryptionConfiguration": ENCRYPTION, "tags": {"a": "b"}},
    "CreateIndex": BUCKET
    | {
        "indexName": "new",
        "dataType": "float32",
        "dimension": 2,
        "distanceMetric": "cosine",
        "metadataConfiguration": {"nonFilterableMetadataKeys": ["text"]} | TEXTS,
        "encryptionConfiguration": ENCRYPTION,
        "tags": {"a": "b"},
    },
    "GetVectorBucket": BUCKET,
    "DeleteVectorBucket": BUCKET,
    "ListVectorBuckets": {},
    "PutVectorBucketPolicy": BUCKET | {"policy": '{"Statement": []}'},
    "GetVectorBucketPolicy": BUCKET,
    "DeleteVectorBucketPolicy": BUCKET,
    "PutVectorBucketDefaultIndexMode": BUCKET | {"defaultIndexMode": "ENHANCED"},
    "GetIndex": INDEX,
    "DeleteIndex": INDEX,
    "ListIndexes": BUCKET,
    "UpdateIndexMode": INDEX | {"indexMode": "ENHANCED"},
    "UpdateMetadataConfiguration": INDEX
    | {"add": TEXTS, "delete": {"textSearchConfigurations": [{"metadataKey": "text"}]}},
    "PutVectors": INDEX | {"vectors": [{"key": "k", "data": {"float32": [1, 2]}, "metadata": {"n": 1}}]},
    "GetVectors": INDEX | {"keys": ["k"]},
    "DeleteVectors": INDEX | {"keys": ["k"]},
    "ListVectors": INDEX,
    "QueryVectors": INDEX
    | {"topK": 1, "queryVector": {"float32": [1, 2]}, "queryTexts": [{"text": "x", "metadataKey": "text"}]},
    "ListTagsForResource": {"resourceArn": ARN},
    "TagResource": {"resourceArn": ARN, "tags": {"a": "b"}},
    "UntagResource": {"resourceArn": ARN, "tagKeys": ["a"]},
}


@pytest.fixture(scope="session")
def model() -> ServiceModel:
    """Give the service model of the installed botocore."""
    return botocore.session.get_session().get_service_model("s3vectors")


@pytest.fixture(scope="session")
def complete() -> dict[str, dict[str, Any]]:
    """Give the requests, by operation: every structure is there, and nothing is out of bounds."""
    return REQUESTS
