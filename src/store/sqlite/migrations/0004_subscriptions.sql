-- Who wants to hear of answers, and what they are owed.

CREATE TABLE subscription (
    subscription_id TEXT    NOT NULL PRIMARY KEY,
    -- The guide's version at whose endpoint it was made.
    guide           TEXT    NOT NULL,
    client          TEXT    NOT NULL,
    status          TEXT    NOT NULL CHECK (status IN ('requested', 'active', 'error', 'off')),
    is_deleted      INTEGER NOT NULL DEFAULT 0 CHECK (is_deleted IN (0, 1)),
    endpoint        TEXT    NOT NULL,
    content         TEXT    NOT NULL CHECK (content IN ('id-only', 'full-resource')),
    media_type      TEXT    NOT NULL,
    end_at_ms       INTEGER,
    -- The number of its last event.
    last_event      INTEGER NOT NULL DEFAULT 0 CHECK (last_event >= 0),
    -- Why it is in error.
    fault           TEXT,
    -- An array of header lines.
    headers         TEXT    NOT NULL CHECK (json_valid(headers)),
    -- An array of arrays of values: of each one must be the sender's.
    filters         TEXT    NOT NULL CHECK (json_valid(filters)),
    resource        TEXT    NOT NULL CHECK (json_valid(resource))
) STRICT, WITHOUT ROWID;

CREATE INDEX subscription_by_client ON subscription (client, status);
CREATE INDEX subscription_by_end ON subscription (end_at_ms)
    WHERE status <> 'off' AND end_at_ms IS NOT NULL;

-- One notification. A place is never used again, so that the outcome of a try is never noted on
-- another one.
CREATE TABLE outbox (
    outbox_id       INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    subscription_id TEXT    NOT NULL REFERENCES subscription (subscription_id),
    -- 0 is the handshake.
    event_number    INTEGER NOT NULL CHECK (event_number >= 0),
    case_id         TEXT,
    answer_number   INTEGER,
    happened_at_ms  INTEGER NOT NULL,
    state           TEXT    NOT NULL CHECK (state IN ('waiting', 'accepted', 'dead', 'unwanted')),
    tries           INTEGER NOT NULL DEFAULT 0,
    -- How long was waited before the tries so far.
    waited_ms       INTEGER NOT NULL DEFAULT 0,
    -- When it is tried next; when it ended.
    due_at_ms       INTEGER NOT NULL,
    failure         TEXT,
    UNIQUE (subscription_id, event_number),
    FOREIGN KEY (case_id, answer_number) REFERENCES answer (case_id, answer_number),
    CHECK ((event_number = 0) = (case_id IS NULL)),
    CHECK ((case_id IS NULL) = (answer_number IS NULL))
) STRICT;

CREATE INDEX outbox_by_due ON outbox (due_at_ms) WHERE state = 'waiting';
CREATE INDEX outbox_by_order ON outbox (subscription_id, event_number) WHERE state = 'waiting';
CREATE INDEX outbox_dead ON outbox (outbox_id) WHERE state = 'dead';
