-- What the release that wrote format 3 left: `two` was overwritten, a third vector deleted, `text` is searchable; its rows
-- are in the folder beside this file.
BEGIN TRANSACTION;
CREATE TABLE buckets (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    created INTEGER NOT NULL,
    sse_type TEXT NOT NULL,
    kms_key_arn TEXT,
    default_mode TEXT NOT NULL,
    policy TEXT
);
INSERT INTO "buckets" VALUES(1,'demo',1795543181,'AES256',NULL,'ENHANCED',NULL);
CREATE TABLE dead (
    index_id INTEGER NOT NULL,
    generation INTEGER NOT NULL,
    slot INTEGER NOT NULL,
    PRIMARY KEY (index_id, generation, slot)
) WITHOUT ROWID;
INSERT INTO "dead" VALUES(1,2,1);
INSERT INTO "dead" VALUES(1,3,2);
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
    count INTEGER NOT NULL DEFAULT 0,
    last_sequence INTEGER NOT NULL DEFAULT 0,
    slab INTEGER NOT NULL DEFAULT 1,
    slots INTEGER NOT NULL DEFAULT 0,
    UNIQUE (bucket_id, name)
);
INSERT INTO "indexes" VALUES(1,1,'flat',1795543181,2,'euclidean','[]','AES256',NULL,'ENHANCED',3,3,4,1,5);
CREATE TABLE postings (
    id INTEGER PRIMARY KEY,
    text_key INTEGER NOT NULL REFERENCES text_keys (id),
    term TEXT NOT NULL,
    first INTEGER NOT NULL,
    data BLOB NOT NULL,
    UNIQUE (text_key, term, first)
);
INSERT INTO "postings" VALUES(2,1,'cat',1099511627777,X'0000000001000200');
INSERT INTO "postings" VALUES(5,1,'red',1099511627777,X'0000000001000200');
INSERT INTO "postings" VALUES(6,1,'bird',1099511627778,X'0000000001000200');
INSERT INTO "postings" VALUES(7,1,'dog',1099511627780,X'0000000001000100');
INSERT INTO "postings" VALUES(8,1,'green',1099511627778,X'0000000001000200');
CREATE TABLE records (
    id INTEGER PRIMARY KEY,
    index_id INTEGER NOT NULL REFERENCES indexes (id),
    key TEXT NOT NULL,
    filterable BLOB,
    other BLOB,
    slot INTEGER NOT NULL DEFAULT 0,
    UNIQUE (index_id, key)
);
INSERT INTO "records" VALUES(1099511627777,1,'one',X'7B2274657874223A22612072656420636174222C226E223A317D',NULL,0);
INSERT INTO "records" VALUES(1099511627778,1,'two',X'7B2274657874223A226120677265656E2062697264227D',NULL,3);
INSERT INTO "records" VALUES(1099511627780,1,'four',X'7B2274657874223A226120646F67227D',NULL,4);
CREATE TABLE settings (name TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
INSERT INTO "settings" VALUES('token_secret',X'BA5B14F246F91F6754F6EF4A394150246592F6ABFD979C5A1C2807E6E2585529');
CREATE TABLE tags (
    bucket_id INTEGER NOT NULL REFERENCES buckets (id),
    index_id INTEGER NOT NULL,
    key TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (bucket_id, index_id, key)
) WITHOUT ROWID;
INSERT INTO "tags" VALUES(1,1,'team','a');
CREATE TABLE text_keys (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    index_id INTEGER NOT NULL REFERENCES indexes (id),
    key TEXT NOT NULL,
    language TEXT,
    documents INTEGER NOT NULL DEFAULT 0,
    length INTEGER NOT NULL DEFAULT 0,
    UNIQUE (index_id, key)
);
INSERT INTO "text_keys" VALUES(1,1,'text','en',3,5);
CREATE TABLE texts (
    text_key INTEGER NOT NULL REFERENCES text_keys (id),
    record INTEGER NOT NULL,
    terms TEXT NOT NULL,
    PRIMARY KEY (text_key, record)
) WITHOUT ROWID;
INSERT INTO "texts" VALUES(1,1099511627777,'red cat');
INSERT INTO "texts" VALUES(1,1099511627778,'green bird');
INSERT INTO "texts" VALUES(1,1099511627780,'dog');
DELETE FROM "sqlite_sequence";
INSERT INTO "sqlite_sequence" VALUES('buckets',1);
INSERT INTO "sqlite_sequence" VALUES('indexes',1);
INSERT INTO "sqlite_sequence" VALUES('text_keys',1);
COMMIT;
PRAGMA application_id = 1395873349;
PRAGMA user_version = 3;
PRAGMA journal_mode = WAL;
