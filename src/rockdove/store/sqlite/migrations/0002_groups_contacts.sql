-- How long senders may change their messages.
ALTER TABLE tenant ADD COLUMN recall_seconds INTEGER NOT NULL DEFAULT 120;
ALTER TABLE tenant ADD COLUMN edit_seconds INTEGER NOT NULL DEFAULT 900;

-- Tokens that a device was given before are dead.
ALTER TABLE device ADD COLUMN kicked_ms INTEGER NOT NULL DEFAULT 0;

-- What a user deleted for himself: all up to here, and single messages.
ALTER TABLE member ADD COLUMN cleared_seq INTEGER NOT NULL DEFAULT 0;

CREATE TABLE hidden (
    user         INTEGER NOT NULL,
    conversation INTEGER NOT NULL,
    seq          INTEGER NOT NULL,
    PRIMARY KEY (user, conversation, seq)
) WITHOUT ROWID;

CREATE INDEX hidden_seq ON hidden (conversation, seq);

-- A group is a conversation with an id below 2^32.
CREATE TABLE chat_group (
    conversation     INTEGER PRIMARY KEY AUTOINCREMENT,
    tenant           INTEGER NOT NULL,
    id               TEXT NOT NULL,
    name             TEXT NOT NULL,
    owner            INTEGER NOT NULL,
    created_ms       INTEGER NOT NULL,
    join_policy      INTEGER NOT NULL,
    members_invite   INTEGER NOT NULL,
    only_admins_post INTEGER NOT NULL,
    history_for_new  INTEGER NOT NULL,
    announcement     TEXT NOT NULL,
    avatar_url       TEXT NOT NULL,
    size             INTEGER NOT NULL,
    version          INTEGER NOT NULL,
    muted_until_ms   INTEGER NOT NULL,
    dissolved        INTEGER NOT NULL,
    UNIQUE (tenant, id)
);

-- Present members. Each also has a row in `member`, which stays.
CREATE TABLE group_member (
    conversation   INTEGER NOT NULL,
    user           INTEGER NOT NULL,
    role           INTEGER NOT NULL,
    joined_ms      INTEGER NOT NULL,
    after_seq      INTEGER NOT NULL,
    muted_until_ms INTEGER NOT NULL,
    PRIMARY KEY (conversation, user)
) WITHOUT ROWID;

CREATE INDEX group_member_user ON group_member (user);

-- What former members may still read, and present ones from earlier times.
CREATE TABLE former_member (
    user         INTEGER NOT NULL,
    conversation INTEGER NOT NULL,
    after_seq    INTEGER NOT NULL,
    through_seq  INTEGER NOT NULL,
    PRIMARY KEY (user, conversation, after_seq)
) WITHOUT ROWID;

CREATE INDEX former_member_conversation ON former_member (conversation);

CREATE TABLE join_request (
    conversation INTEGER NOT NULL,
    user         INTEGER NOT NULL,
    asked_ms     INTEGER NOT NULL,
    PRIMARY KEY (conversation, user)
) WITHOUT ROWID;

-- Who has read how far, of groups only.
CREATE INDEX member_read ON member (conversation, read_seq) WHERE conversation < 4294967296;

CREATE TABLE contact (
    user       INTEGER NOT NULL,
    peer       INTEGER NOT NULL,
    state      INTEGER NOT NULL,
    blocked    INTEGER NOT NULL,
    remark     TEXT NOT NULL,
    greeting   TEXT NOT NULL,
    updated_ms INTEGER NOT NULL,
    version    INTEGER NOT NULL,
    PRIMARY KEY (user, peer)
) WITHOUT ROWID;

CREATE UNIQUE INDEX contact_version ON contact (user, version);

-- EDITs of a message, so that a recall finds them.
CREATE TABLE edit (
    msgid INTEGER NOT NULL,
    edit  INTEGER NOT NULL,
    PRIMARY KEY (msgid, edit)
) WITHOUT ROWID;

CREATE TABLE profile (
    user       INTEGER PRIMARY KEY,
    tenant     INTEGER NOT NULL,
    nickname   TEXT NOT NULL,
    folded     TEXT NOT NULL,  -- the nickname for searching: casefolded
    avatar_url TEXT NOT NULL,
    ext        TEXT NOT NULL   -- JSON
);

CREATE INDEX profile_folded ON profile (tenant, folded);

CREATE INDEX user_folded ON user (tenant, lower(name));
