-- What a node calls instead of sending statements one by one: a transaction never waits for it with locks in hand. No rule about
-- people is in here. Each function does all or nothing, and says why not.

-- Rows to lock for these conversations, made where they are missing; and the state of who may write there.
CREATE FUNCTION open_conversations(conversations bigint[]) RETURNS TABLE (id bigint, version bigint)
LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM unnest(conversations) AS n (id) WHERE NOT EXISTS (SELECT FROM conversation c WHERE c.id = n.id)) THEN
        INSERT INTO conversation (id, tenant)
            SELECT n.id, a.tenant FROM unnest(conversations) AS n (id) JOIN account a ON a.id = n.id >> 32
            WHERE n.id >= 4294967296 ORDER BY n.id
            ON CONFLICT DO NOTHING;
        INSERT INTO conversation (id, tenant)
            SELECT g.conversation, g.tenant FROM unnest(conversations) AS n (id) JOIN chat_group g ON g.conversation = n.id
            ORDER BY n.id
            ON CONFLICT DO NOTHING;
        INSERT INTO member (account, conversation)
            SELECT u.account, n.id FROM unnest(conversations) AS n (id),
                LATERAL (SELECT n.id >> 32 UNION SELECT n.id & 4294967295) AS u (account)
            WHERE n.id >= 4294967296 ORDER BY n.id, u.account
            ON CONFLICT DO NOTHING;
    END IF;
    RETURN QUERY SELECT c.id, c.version FROM conversation c WHERE c.id = ANY (conversations);
END $$;

-- Who may write in these conversations changes: what nodes know of it is void.
CREATE FUNCTION raise_versions(conversations bigint[]) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM open_conversations(conversations);
    PERFORM FROM conversation c WHERE c.id = ANY (conversations) ORDER BY c.id FOR NO KEY UPDATE;
    UPDATE conversation c SET version = c.version + 1 WHERE c.id = ANY (conversations);
END $$;

-- In low bits of msgids that are given here; core/msgid.py.
CREATE SEQUENCE msgid_number MINVALUE 0 MAXVALUE 2097151 CYCLE;

-- Store messages. `conversations`, upwards by id, are all that are judged by; of each its version, how many messages it gets, the msgids
-- of the first and the last one. The requests that are looked for are those of the messages, if no others are named. Each message
-- names its place in `conversations`, from 1, and its number among those it gets.
--
-- Within a conversation msgids grow with seq. Where somebody else was faster, and his is above, the messages get others: `given` has
-- the msgids of all messages, if any was changed.
--
-- Returns the last seqs of before; or, when nothing was stored, one of: the conversations with another version; the requests that
-- were stored earlier, as rows of device, seqid, msgid, seq, digest.
CREATE FUNCTION store_messages(
    conversations bigint[], versions bigint[], counts bigint[], first_msgids bigint[], last_msgids bigint[],
    asked_devices bigint[], asked_seqids bigint[],
    places integer[], numbers bigint[], msgids bigint[], devices bigint[], seqids bigint[], digests bigint[],
    senders integer[], counted boolean[], records bytea[],
    OUT heads bigint[], OUT stale bigint[], OUT given bigint[], OUT earlier bigint[]
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
    SELECT array_agg(ARRAY[r.device, r.seqid, r.msgid, r.seq, r.digest]) INTO earlier
        FROM unnest(coalesce(asked_devices, devices), coalesce(asked_seqids, seqids)) AS a (device, seqid)
        JOIN request r ON r.device = a.device AND r.seqid = a.seqid;
    IF earlier IS NOT NULL THEN
        heads := NULL;
        RETURN;
    END IF;
    IF EXISTS (SELECT FROM unnest(found_msgids, first_msgids) AS n (had, first) WHERE n.had >= n.first) THEN
        clock := (extract(epoch FROM clock_timestamp()) * 1000)::bigint - 1704067200000;
        FOR n IN 1 .. cardinality(msgids) LOOP
            IF found_msgids[places[n]] >= first_msgids[places[n]] THEN
                next_msgid := greatest(clock, found_msgids[places[n]] >> 22) << 22 | 2097152 | nextval('msgid_number');
                IF next_msgid <= found_msgids[places[n]] THEN
                    next_msgid := next_msgid + 4194304;  -- the next ms
                END IF;
                msgids[n] := next_msgid;
                found_msgids[places[n]] := next_msgid;
                last_msgids[places[n]] := next_msgid;
            END IF;
        END LOOP;
        given := msgids;
    END IF;
    INSERT INTO message (conversation, seq, msgid, device, seqid, sender, counted, whole, record)
        SELECT conversations[m.place], heads[m.place] + m.number, m.msgid, m.device, m.seqid, m.sender, m.counted, false, m.record
        FROM unnest(places, numbers, msgids, devices, seqids, senders, counted, records)
            AS m (place, number, msgid, device, seqid, sender, counted, record);
    INSERT INTO request (device, seqid, msgid, seq, digest)
        SELECT m.device, m.seqid, m.msgid, heads[m.place] + m.number, m.digest
        FROM unnest(places, numbers, msgids, devices, seqids, digests) AS m (place, number, msgid, device, seqid, digest)
        WHERE m.seqid <> -9223372036854775808;
    UPDATE conversation c SET last_seq = c.last_seq + n.count, last_msgid = n.last
        FROM unnest(conversations, counts, last_msgids) AS n (id, count, last)
        WHERE c.id = n.id AND n.count > 0;
END $$;

-- Move cursors, never back, and note which devices are here.
CREATE FUNCTION store_marks(devices bigint[], conversations bigint[], seqs bigint[], seen bigint[], now_ms bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    IF cardinality(devices) > 0 THEN
        INSERT INTO cursor (device, conversation, seq)
            SELECT k.device, k.conversation, k.seq FROM unnest(devices, conversations, seqs) AS k (device, conversation, seq)
            ON CONFLICT (device, conversation) DO UPDATE SET seq = excluded.seq WHERE excluded.seq > cursor.seq;
    END IF;
    IF cardinality(seen) > 0 THEN
        UPDATE device d SET last_seen_ms = now_ms WHERE d.id = ANY (seen);
    END IF;
END $$;

-- All of a batch without changes, in one transaction. Returns what store_messages returns, and whether this node may write.
CREATE FUNCTION store_batch(
    this_node smallint, this_lane smallint, this_token bigint, this_batch bigint,
    mark_devices bigint[], mark_conversations bigint[], mark_seqs bigint[], seen bigint[], now_ms bigint,
    conversations bigint[], versions bigint[], counts bigint[], first_msgids bigint[], last_msgids bigint[],
    asked_devices bigint[], asked_seqids bigint[],
    places integer[], numbers bigint[], msgids bigint[], devices bigint[], seqids bigint[], digests bigint[],
    senders integer[], counted boolean[], records bytea[],
    OUT alive boolean, OUT heads bigint[], OUT stale bigint[], OUT given bigint[], OUT earlier bigint[]
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
        SELECT s.heads, s.stale, s.given, s.earlier INTO heads, stale, given, earlier
            FROM store_messages(
                conversations, versions, counts, first_msgids, last_msgids, asked_devices, asked_seqids,
                places, numbers, msgids, devices, seqids, digests, senders, counted, records) s;
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
        IF (SELECT m.msgid < in_msgid FROM message m WHERE m.conversation = in_conversation AND m.seq = middle) THEN
            low := middle;
        ELSE
            high := middle;
        END IF;
    END LOOP;
    RETURN low;
END $$;
