-- What the release that wrote format 2 executed, and what it stored: `two` was overwritten, a third vector deleted, and
-- `text` is searchable.
CREATE TABLE settings (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE buckets (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    created INTEGER NOT NULL,
    sse_type TEXT NOT NULL,
    kms_key_arn TEXT,
    default_mode TEXT NOT NULL,
    policy TEXT
);
CREATE TABLE indexes (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    bucket_id INTEGER NOT NULL REFERENCES buckets (id),
    name TEXT NOT NULL,
    created INTEGER NOT NULL,
    dimension INTEGER NOT NULL,
    metric TEXT NOT NULL,
    non_filterable TEXT NOT NULL,
    sse_type TEXT NOT NULL,
    kms_key_arn TEXT,
    mode TEXT NOT NULL,
    generation INTEGER NOT NULL DEFAULT 0,
    rewritten INTEGER NOT NULL DEFAULT 0,
    count INTEGER NOT NULL DEFAULT 0,
    last_sequence INTEGER NOT NULL DEFAULT 0,
    UNIQUE (bucket_id, name)
);
CREATE TABLE tags (
    bucket_id INTEGER NOT NULL REFERENCES buckets (id),
    index_id INTEGER NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (bucket_id, index_id, key)
) WITHOUT ROWID;
CREATE TABLE records (
    id INTEGER PRIMARY KEY,
    index_id INTEGER NOT NULL REFERENCES indexes (id),
    key TEXT NOT NULL,
    filterable BLOB,
    other BLOB,
    UNIQUE (index_id, key)
);
CREATE TABLE vectors (id INTEGER PRIMARY KEY, data BLOB NOT NULL);
CREATE TABLE text_keys (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    index_id INTEGER NOT NULL REFERENCES indexes (id),
    key TEXT NOT NULL,
    language TEXT,
    documents INTEGER NOT NULL DEFAULT 0,
    length INTEGER NOT NULL DEFAULT 0,
    UNIQUE (index_id, key)
);
CREATE TABLE texts (
    text_key INTEGER NOT NULL REFERENCES text_keys (id),
    record INTEGER NOT NULL,
    terms TEXT NOT NULL,
    PRIMARY KEY (text_key, record)
) WITHOUT ROWID;
CREATE TABLE postings (
    id INTEGER PRIMARY KEY,
    text_key INTEGER NOT NULL REFERENCES text_keys (id),
    term TEXT NOT NULL,
    first INTEGER NOT NULL,
    data BLOB NOT NULL,
    UNIQUE (text_key, term, first)
);
INSERT INTO settings VALUES ('token_secret', x'000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f');
INSERT INTO buckets VALUES (1, 'demo', 1, 'AES256', NULL, 'ENHANCED', NULL);
INSERT INTO indexes VALUES (1, 1, 'flat', 1, 2, 'euclidean', '["text"]', 'AES256', NULL, 'ENHANCED', 3, 3, 3, 4);
INSERT INTO indexes VALUES (2, 1, 'empty', 1, 3, 'cosine', '[]', 'AES256', NULL, 'ENHANCED', 0, 0, 0, 0);
INSERT INTO tags VALUES (1, 1, 'team', 'a');
INSERT INTO records VALUES (1 << 40 | 1, 1, 'one', CAST('{"n":1}' AS BLOB), CAST('{"text":"a red cat"}' AS BLOB));
INSERT INTO records VALUES (1 << 40 | 2, 1, 'two', NULL, CAST('{"text":"a green bird"}' AS BLOB));
INSERT INTO records VALUES (1 << 40 | 4, 1, 'four', NULL, CAST('{"text":"a dog"}' AS BLOB));
INSERT INTO vectors VALUES (1 << 40 | 1, x'0000803f00000040'), (1 << 40 | 2, x'0000404000000000');
INSERT INTO vectors VALUES (1 << 40 | 4, x'0000804000000000');
INSERT INTO text_keys VALUES (1, 1, 'text', NULL, 3, 8);
INSERT INTO texts VALUES (1, 1 << 40 | 1, 'a red cat'), (1, 1 << 40 | 2, 'a green bird'), (1, 1 << 40 | 4, 'a dog');
INSERT INTO postings VALUES (1, 1, 'a', 1 << 40 | 1, x'000000000100030001000000010003000300000001000200');
INSERT INTO postings VALUES (3, 1, 'cat', 1 << 40 | 1, x'0000000001000300');
INSERT INTO postings VALUES (4, 1, 'dog', 1 << 40 | 2, x'0200000001000200');
INSERT INTO postings VALUES (5, 1, 'red', 1 << 40 | 1, x'0000000001000300');
INSERT INTO postings VALUES (6, 1, 'bird', 1 << 40 | 2, x'0000000001000300');
INSERT INTO postings VALUES (7, 1, 'green', 1 << 40 | 2, x'0000000001000300');
PRAGMA application_id = 0x53335645;
PRAGMA user_version = 2;
PRAGMA journal_mode = WAL;
