"""boto3 with nothing but its environment."""

from typing import Any


def test_a_life(plain: Any, bucket: str, films: list[dict[str, Any]]) -> None:
    """An index is made, filled, queried under a filter, listed by pages, emptied and deleted."""
    index = {"vectorBucketName": bucket, "indexName": "films"}
    plain.create_index(**index, dataType="float32", dimension=2, distanceMetric="cosine")
    plain.put_vectors(**index, vectors=films)
    found = plain.query_vectors(
        **index,
        topK=5,
        queryVector={"float32": [1, 0]},
        filter={"$and": [{"genre": "horror"}, {"year": {"$gt": 1970}}]},
        returnMetadata=True,
        returnDistance=True,
    )
    assert found["distanceMetric"] == "cosine"
    assert [(each["key"], each["metadata"]) for each in found["vectors"]] == [("alien", films[0]["metadata"])]
    pages = list(plain.get_paginator("list_vectors").paginate(**index, PaginationConfig={"PageSize": 2}))
    assert [[each["key"] for each in page["vectors"]] for page in pages] == [["alien", "psycho"], ["up"]]
    plain.delete_vectors(**index, keys=["alien", "up"])
    assert plain.get_vectors(**index, keys=["alien", "up", "psycho"])["vectors"] == [{"key": "psycho"}]
    plain.delete_index(**index)
    plain.delete_vector_bucket(vectorBucketName=bucket)
