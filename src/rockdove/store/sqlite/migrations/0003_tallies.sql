-- How many messages of each sender may be unread, of every 4,096 seqs that are settled; see store/sqlite/tallies.py.
CREATE TABLE tally (
    conversation INTEGER NOT NULL,
    first_seq    INTEGER NOT NULL,
    entries      BLOB NOT NULL,  -- senders, and how many messages of each
    PRIMARY KEY (conversation, first_seq)
) WITHOUT ROWID;
