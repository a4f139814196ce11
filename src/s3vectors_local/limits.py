"""The limits of the service, named, each with its source.

model: botocore 1.44.5, service model 2025-07-15. guide: Amazon S3 User Guide. probe: published probes of the live
service. own: this engine's, where the service publishes none.
"""

from typing import Final

NAME_LENGTH: Final = (3, 63)  # model: bucket and index names, characters
PREFIX_LENGTH: Final = (1, 63)  # model: ListVectorBuckets, ListIndexes
KMS_KEY_ARN_LENGTH: Final = (1, 2048)  # model
RESOURCE_ARN_LENGTH: Final = (0, 1011)  # model

BUCKETS: Final = 10_000  # guide: an account and Region
INDEXES: Final = 10_000  # guide: a bucket
DIMENSION: Final = (1, 4096)  # model
NON_FILTERABLE_KEYS: Final = (0, 10)  # model; at least 1 before botocore 1.44.4
METADATA_KEY_LENGTH: Final = (1, 63)  # model: of a non-filterable or a text-searchable key only
TEXT_KEYS: Final = (0, 10)  # model: text-searchable keys of an index
TEXT_KEYS_DELETED: Final = (1, 10)  # model: UpdateMetadataConfiguration
TEXT_TERMS: Final = 65_535  # own: of one text; what follows is not searchable
TERM_LENGTH: Final = 255  # own: characters of a word that count

KEY_LENGTH: Final = (1, 1024)  # model: characters
KEY_BYTES: Final = 1024  # probe: UTF-8 bytes
METADATA_KEYS: Final = 50  # guide: a vector
METADATA_BYTES: Final = 40_960  # guide "40 KB"; probe: inclusive
FILTERABLE_BYTES: Final = 2_048  # guide "2 KB"; probe: inclusive

PUT_VECTORS: Final = (1, 500)  # model
DELETE_KEYS: Final = (1, 500)  # model
GET_KEYS: Final = (1, 100)  # model
BODY_BYTES: Final = 20 * 1024 * 1024  # guide; probe: inclusive

TOP_K: Final = (1, 10_000)  # guide, since 2026-06-16; the model has no maximum
QUERY_PAGE: Final = 100  # guide: results of one response
QUERY_TEXTS: Final = (1, 10)  # model
QUERY_TEXT_LENGTH: Final = (1, 1024)  # model
FUSION_DEPTH: Final = 1_000  # own: places of each ranking that fusion looks at, topK if that is more
FILTER_CONSTRAINTS: Final = 100  # guide: evaluated values, ENHANCED
FILTER_DEPTH: Final = 64  # own: nested $and and $or

LIST_RESULTS: Final = (1, 500)  # model: ListVectorBuckets, ListIndexes
LIST_DEFAULT: Final = 500  # own: the model names no default for buckets and indexes
LIST_VECTORS: Final = (1, 1000)  # model
LIST_VECTORS_DEFAULT: Final = 500  # model
LIST_PAGE_BYTES: Final = 1_000_000  # model: "about 1 MB" processed
SEGMENT_COUNT: Final = (1, 16)  # model
SEGMENT_INDEX: Final = (0, 15)  # model
LIST_TOKEN_LENGTH: Final = (1, 512)  # model: ListVectorBuckets, ListIndexes
LIST_VECTORS_TOKEN_LENGTH: Final = (1, 2048)  # model
QUERY_TOKEN_LENGTH: Final = (1, 4096)  # model

TAGS: Final = 50  # guide: a resource
TAG_KEY_LENGTH: Final = (1, 128)  # model
TAG_VALUE_LENGTH: Final = (0, 256)  # model

QUERY_TOKEN_SECONDS: Final = 300  # own; guide: "some minutes"
QUERY_SNAPSHOT_BYTES: Final = 256 * 1024 * 1024  # own: all paged queries together; the oldest are dropped first
STREAM_BYTES: Final = 8 * 1024 * 1024  # own: rows that are compared at a time
