-- What the release that wrote format 1 executed, and two vectors as it stored them.
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
INSERT INTO settings VALUES ('token_secret', x'000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f');
INSERT INTO buckets (name, created, sse_type, default_mode) VALUES ('demo', 1, 'AES256', 'ENHANCED');
INSERT INTO indexes (bucket_id, name, created, dimension, metric, non_filterable, sse_type, mode, generation, count,
    last_sequence) VALUES (1, 'flat', 2, 2, 'euclidean', '["text"]', 'AES256', 'ENHANCED', 1, 2, 2);
INSERT INTO records VALUES (1 << 40 | 1, 1, 'one', CAST('{"n":1}' AS BLOB), CAST('{"text":"a red cat"}' AS BLOB));
INSERT INTO records VALUES (1 << 40 | 2, 1, 'two', NULL, CAST('{"text":"a blue dog"}' AS BLOB));
INSERT INTO vectors VALUES (1 << 40 | 1, x'0000803f00000040'), (1 << 40 | 2, x'0000004000000000');
PRAGMA application_id = 0x53335645;
PRAGMA user_version = 1;
PRAGMA journal_mode = WAL;
