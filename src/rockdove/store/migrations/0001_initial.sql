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
    last_seqid    INTEGER NOT NULL DEFAULT 0,  -- up to date as far as message is settled
    last_seen_ms  INTEGER NOT NULL,
    UNIQUE (user, name)
);

-- The log of everything, in the order of arrival: the only table that a send must write.
CREATE TABLE message (
    msgid        INTEGER PRIMARY KEY,
    conversation INTEGER NOT NULL,
    seq          INTEGER NOT NULL,
    sender       INTEGER NOT NULL,
    device       INTEGER NOT NULL,
    seqid        INTEGER NOT NULL,  -- unsigned 64 bits, stored as signed
    digest       INTEGER NOT NULL,  -- of the sender's content
    record       BLOB NOT NULL
);

-- What finds messages again. Settled from the log later and in bulk; see store/sqlite/tail.py.
CREATE TABLE place (
    conversation INTEGER NOT NULL,
    seq          INTEGER NOT NULL,
    msgid        INTEGER NOT NULL,
    sender       INTEGER NOT NULL,
    PRIMARY KEY (conversation, seq)
) WITHOUT ROWID;

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
    last_seq   INTEGER NOT NULL DEFAULT 0,   -- up to date as far as message is settled
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
