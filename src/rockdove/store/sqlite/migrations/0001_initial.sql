-- Tenants and users. A user's id stays below 2^31: two of them make a conversation's id.
CREATE TABLE setting (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) WITHOUT ROWID;

CREATE TABLE tenant (
    id                  INTEGER PRIMARY KEY,
    org                 TEXT NOT NULL,
    appkey              TEXT NOT NULL,
    retention_days      INTEGER NOT NULL,
    strangers           INTEGER NOT NULL,
    password_cost       TEXT NOT NULL,
    messages_per_second INTEGER NOT NULL,
    token_secret        BLOB NOT NULL,
    UNIQUE (org, appkey)
);

CREATE TABLE user (
    id                 INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant             INTEGER NOT NULL REFERENCES tenant,
    name               TEXT NOT NULL,
    state              INTEGER NOT NULL DEFAULT 0,
    password_hash      TEXT NOT NULL,
    credential_version INTEGER NOT NULL DEFAULT 0,
    created_ms         INTEGER NOT NULL,
    UNIQUE (tenant, name)
);

-- Tells a running server what another process changed.
CREATE TABLE account_change (
    position INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant   INTEGER NOT NULL,
    user     INTEGER NOT NULL  -- 0: the tenant itself
);

CREATE TABLE device (
    id            INTEGER PRIMARY KEY,
    user          INTEGER NOT NULL REFERENCES user,
    name          TEXT NOT NULL,
    client        TEXT NOT NULL,
    last_seqid    INTEGER,  -- up to date as far as the log is settled
    last_seen_ms  INTEGER NOT NULL,
    UNIQUE (user, name)
);

-- The log of everything, in the order of arrival: the only table that a send must write. A row is a chunk: several
-- messages of one commit; see store/sqlite/chunk.py.
CREATE TABLE log (
    first_msgid INTEGER PRIMARY KEY,
    entries     BLOB NOT NULL
);

-- What finds messages again, in blocks. Settled from the log later and in bulk; see store/sqlite/tail.py.
CREATE TABLE place (
    conversation INTEGER NOT NULL,
    first_seq    INTEGER NOT NULL,
    last_seq     INTEGER NOT NULL,
    entries      BLOB NOT NULL,  -- msgid and sender of each seq
    PRIMARY KEY (conversation, first_seq)
) WITHOUT ROWID;

-- Keys of a device in blocks that do not overlap. Seqids are stored with 2^63 subtracted, which keeps their order.
CREATE TABLE request_block (
    device      INTEGER NOT NULL,
    first_seqid INTEGER NOT NULL,
    last_seqid  INTEGER NOT NULL,
    entries     BLOB NOT NULL,
    PRIMARY KEY (device, first_seqid)
) WITHOUT ROWID;

-- Keys that fell into the range of a block that was there already.
CREATE TABLE request (
    device INTEGER NOT NULL,
    seqid  INTEGER NOT NULL,
    msgid  INTEGER NOT NULL,
    seq    INTEGER NOT NULL,
    digest INTEGER NOT NULL,
    PRIMARY KEY (device, seqid)
) WITHOUT ROWID;

-- Keys of messages that were cut, until they may be forgotten.
CREATE TABLE request_expiry (
    msgid  INTEGER PRIMARY KEY,
    device INTEGER NOT NULL,
    seqid  INTEGER NOT NULL
);

CREATE TABLE conversation (
    id         INTEGER PRIMARY KEY,
    tenant     INTEGER NOT NULL,
    first_seq  INTEGER NOT NULL DEFAULT 1,
    last_seq   INTEGER NOT NULL DEFAULT 0,   -- up to date as far as the log is settled
    last_msgid INTEGER NOT NULL DEFAULT 0
);

CREATE INDEX conversation_tenant ON conversation (tenant, id);

CREATE TABLE member (
    user         INTEGER NOT NULL,
    conversation INTEGER NOT NULL,
    read_seq     INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (user, conversation)
) WITHOUT ROWID;

CREATE TABLE cursor (
    device       INTEGER NOT NULL,
    conversation INTEGER NOT NULL,
    seq          INTEGER NOT NULL,
    PRIMARY KEY (device, conversation)
) WITHOUT ROWID;
