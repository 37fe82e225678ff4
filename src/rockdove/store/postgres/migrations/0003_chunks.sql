DO $$
BEGIN
    IF EXISTS (SELECT FROM node WHERE token <> 0 AND seen > now() - interval '15 seconds') THEN
        RAISE 'nodes of an earlier rockdove are running, which cannot go on with the tables of this one: stop them all first';
    END IF;
END $$;

-- Messages that follow each other lie in one row, a chunk: those of one device, stored with one commit one behind the other in one
-- conversation, whose seqids count upwards by one and whose msgids by `step`. It is named by its last message; the numbers of the
-- others follow from their place. `records` has of each message: length and digest, 4 bytes each, highest first, then the record.
-- A chunk has 64 messages at most, and its msgids lie within 65536: so whatever looks for one message looks at few rows.
CREATE TABLE chunk (
    conversation bigint NOT NULL,
    last_seq     bigint NOT NULL,
    last_msgid   bigint NOT NULL,
    device       bigint NOT NULL,
    last_seqid   bigint NOT NULL,  -- as in `request`
    sender       integer NOT NULL,
    size         smallint NOT NULL,  -- how many messages
    step         smallint NOT NULL,
    counted      boolean NOT NULL,  -- whether they are unread for those who have not read them
    whole        boolean NOT NULL,  -- whether the records are all of the messages; else msgid, seq and time are to be added
    records      bytea NOT NULL
) WITH (toast_tuple_target = 8160, autovacuum_vacuum_insert_scale_factor = 0.05, autovacuum_vacuum_scale_factor = 0.05);

ALTER TABLE request RENAME TO all_requests;

INSERT INTO chunk
    SELECT m.conversation, m.seq, m.msgid, m.device, m.seqid, m.sender, 1, 1, m.counted, m.whole,
        int4send(length(m.record)) || substring(int8send(coalesce(r.digest, 0)) FROM 5) || m.record
    FROM message m LEFT JOIN all_requests r ON r.device = m.device AND r.seqid = m.seqid
    ORDER BY m.msgid;

ALTER TABLE chunk ADD PRIMARY KEY (conversation, last_seq);
CREATE INDEX chunk_msgid ON chunk (last_msgid);
CREATE INDEX chunk_request ON chunk (device, last_seqid);

-- The keys of messages that were cut, until they may be forgotten; those of others are in their chunks.
CREATE TABLE request (
    device bigint NOT NULL,
    seqid  bigint NOT NULL,
    msgid  bigint NOT NULL,
    seq    bigint NOT NULL,
    digest bigint NOT NULL
);

INSERT INTO request SELECT r.* FROM all_requests r JOIN request_expiry e ON e.device = r.device AND e.seqid = r.seqid;

ALTER TABLE request ADD PRIMARY KEY (device, seqid);
CREATE INDEX request_msgid ON request (msgid);

DROP TABLE request_expiry, all_requests, message;

-- A chunk gets its msgids together: 64 that count by one.
ALTER SEQUENCE msgid_number INCREMENT 64 RESTART 0;

DROP FUNCTION store_batch, store_messages, seq_below;

-- Store chunks. `conversations`, upwards by id, are all that are judged by; of each its version, how many messages it gets, the msgids
-- of the first and the last one. The requests that are looked for are those of the chunks, if no others are named. Each chunk names
-- its place in `conversations`, from 1, and the number of its last message among those that it gets.
--
-- Within a conversation msgids grow with seq. Where somebody else was faster, and his is above, the messages get others: `given` has
-- the last msgid of each chunk for which that is so, and counts by one.
--
-- A device is locked: two conversations cannot get the same request at once.
--
-- Returns the last seqs of before; or, when nothing was stored, the conversations with another version, or that requests among
-- these were stored earlier.
CREATE FUNCTION store_messages(
    conversations bigint[], versions bigint[], counts bigint[], first_msgids bigint[], last_msgids bigint[],
    asked_devices bigint[], asked_seqids bigint[],
    places integer[], numbers bigint[], msgids bigint[], devices bigint[], seqids bigint[],
    senders integer[], sizes smallint[], counted boolean[], records bytea[],
    OUT heads bigint[], OUT stale bigint[], OUT given bigint[], OUT repeats boolean
)
LANGUAGE plpgsql AS $$
DECLARE
    found_ids bigint[];
    found_versions bigint[];
    found_msgids bigint[];
    clock bigint;
    next_msgid bigint;
BEGIN
    SELECT array_agg(l.id), array_agg(l.version), array_agg(l.last_seq), array_agg(l.last_msgid)
        INTO found_ids, found_versions, heads, found_msgids
        FROM (SELECT c.id, c.version, c.last_seq, c.last_msgid FROM conversation c
              WHERE c.id = ANY (conversations) ORDER BY c.id FOR NO KEY UPDATE) l;
    IF found_ids IS DISTINCT FROM conversations OR found_versions <> versions THEN
        heads := NULL;
        SELECT array_agg(n.id) INTO stale
            FROM unnest(conversations, versions) AS n (id, version)
            WHERE NOT EXISTS (SELECT FROM conversation c WHERE c.id = n.id AND c.version = n.version);
        RETURN;
    END IF;
    PERFORM FROM device d WHERE d.id = ANY (devices) ORDER BY d.id FOR NO KEY UPDATE;
    SELECT true INTO repeats
        FROM unnest(coalesce(asked_devices, devices), coalesce(asked_seqids, seqids), CASE WHEN asked_devices IS NULL THEN sizes END)
            AS a (device, seqid, size)
        WHERE a.seqid <> -9223372036854775808 AND (
            (SELECT k.last_seqid - k.size < a.seqid FROM chunk k
             WHERE k.device = a.device AND k.last_seqid > a.seqid - coalesce(a.size, 1) ORDER BY k.last_seqid LIMIT 1)
            OR EXISTS (SELECT FROM request r
                WHERE r.device = a.device AND r.seqid > a.seqid - coalesce(a.size, 1) AND r.seqid <= a.seqid))
        LIMIT 1;
    IF repeats THEN
        heads := NULL;
        RETURN;
    END IF;
    IF EXISTS (SELECT FROM unnest(found_msgids, first_msgids) AS n (had, first) WHERE n.had >= n.first) THEN
        clock := (extract(epoch FROM clock_timestamp()) * 1000)::bigint - 1704067200000;
        given := array_fill(NULL::bigint, ARRAY[cardinality(msgids)]);
        FOR n IN 1 .. cardinality(msgids) LOOP
            IF found_msgids[places[n]] >= first_msgids[places[n]] THEN
                next_msgid := greatest(clock, found_msgids[places[n]] >> 22) << 22 | 2097152 | nextval('msgid_number');
                IF next_msgid <= found_msgids[places[n]] THEN
                    next_msgid := next_msgid + 4194304;  -- the next ms
                END IF;
                given[n] := next_msgid + sizes[n] - 1;
                found_msgids[places[n]] := given[n];
                last_msgids[places[n]] := given[n];
            END IF;
        END LOOP;
    END IF;
    INSERT INTO chunk (conversation, last_seq, last_msgid, device, last_seqid, sender, size, step, counted, whole, records)
        SELECT conversations[m.place], heads[m.place] + m.number, coalesce(m.given, m.msgid), m.device, m.seqid, m.sender, m.size,
            CASE WHEN m.given IS NULL THEN 1024 ELSE 1 END, m.counted, false, m.records
        FROM unnest(places, numbers, msgids, given, devices, seqids, senders, sizes, counted, records)
            AS m (place, number, msgid, given, device, seqid, sender, size, counted, records);
    UPDATE conversation c SET last_seq = c.last_seq + n.count, last_msgid = n.last
        FROM unnest(conversations, counts, last_msgids) AS n (id, count, last)
        WHERE c.id = n.id AND n.count > 0;
END $$;

-- All of a batch without changes, in one transaction. Returns what store_messages returns, and whether this node may write.
CREATE FUNCTION store_batch(
    this_node smallint, this_lane smallint, this_token bigint, this_batch bigint,
    mark_devices bigint[], mark_conversations bigint[], mark_seqs bigint[], seen bigint[], now_ms bigint,
    conversations bigint[], versions bigint[], counts bigint[], first_msgids bigint[], last_msgids bigint[],
    asked_devices bigint[], asked_seqids bigint[],
    places integer[], numbers bigint[], msgids bigint[], devices bigint[], seqids bigint[],
    senders integer[], sizes smallint[], counted boolean[], records bytea[],
    OUT alive boolean, OUT heads bigint[], OUT stale bigint[], OUT given bigint[], OUT repeats boolean
)
LANGUAGE plpgsql AS $$
DECLARE
    committed_before bigint;
BEGIN
    SELECT l.committed INTO committed_before FROM lane l WHERE l.node = this_node AND l.lane = this_lane;
    UPDATE lane l SET batch = this_batch, committed = this_batch
        WHERE l.node = this_node AND l.lane = this_lane AND l.token = this_token AND l.batch < this_batch;
    alive := FOUND;
    IF NOT alive THEN
        RETURN;
    END IF;
    IF cardinality(conversations) > 0 THEN
        SELECT s.heads, s.stale, s.given, s.repeats INTO heads, stale, given, repeats
            FROM store_messages(
                conversations, versions, counts, first_msgids, last_msgids, asked_devices, asked_seqids,
                places, numbers, msgids, devices, seqids, senders, sizes, counted, records) s;
        IF heads IS NULL THEN  -- nothing was stored: nor is this batch
            UPDATE lane l SET batch = this_batch - 1, committed = committed_before
                WHERE l.node = this_node AND l.lane = this_lane;
            RETURN;
        END IF;
    END IF;
    PERFORM store_marks(mark_devices, mark_conversations, mark_seqs, seen, now_ms);
END $$;

-- The last seq of the messages whose msgid lies below this one, 0 if there is none: msgids grow with seq.
CREATE FUNCTION seq_below(in_conversation bigint, in_msgid bigint) RETURNS bigint
LANGUAGE plpgsql STABLE AS $$
DECLARE
    low bigint;  -- below
    high bigint;  -- not below
    newest bigint;
    middle bigint;
BEGIN
    SELECT c.first_seq - 1, c.last_seq + 1, c.last_msgid INTO low, high, newest FROM conversation c WHERE c.id = in_conversation;
    IF newest < in_msgid THEN
        RETURN high - 1;
    END IF;
    WHILE high - low > 1 LOOP
        middle := (low + high) / 2;
        IF (SELECT k.last_msgid - (k.last_seq - middle) * k.step < in_msgid FROM chunk k
            WHERE k.conversation = in_conversation AND k.last_seq >= middle ORDER BY k.last_seq LIMIT 1) THEN
            low := middle;
        ELSE
            high := middle;
        END IF;
    END LOOP;
    RETURN low;
END $$;
