-- What was decided on, so that it can be decided again; and what became of the cards.

-- What the payer held of a member when something was decided, packed. Decisions share it.
CREATE TABLE payer_snapshot (
    digest      TEXT NOT NULL PRIMARY KEY CHECK (length(digest) = 64),
    held_packed BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- With what the lines of an answer were judged. An answer that a person gave has no row.
CREATE TABLE judged_with (
    case_id       TEXT    NOT NULL,
    answer_number INTEGER NOT NULL,
    judged_on     TEXT    NOT NULL,
    -- The digest of the plan and policies.
    rules         TEXT    NOT NULL,
    snapshot      TEXT    REFERENCES payer_snapshot (digest),
    PRIMARY KEY (case_id, answer_number),
    FOREIGN KEY (case_id, answer_number) REFERENCES answer (case_id, answer_number)
) STRICT, WITHOUT ROWID;

-- The same of a hook call; rows of older releases have none.
ALTER TABLE hook_call ADD COLUMN judged_on TEXT;
ALTER TABLE hook_call ADD COLUMN rules TEXT;
ALTER TABLE hook_call ADD COLUMN snapshot TEXT REFERENCES payer_snapshot (digest);
-- What came of asking the client's FHIR server, packed; NULL: it was not asked.
ALTER TABLE hook_call ADD COLUMN gathered_packed BLOB;

ALTER TABLE coverage_assertion ADD COLUMN coverage_reference TEXT;
-- What a Claim may rest on: `no-auth`, `satisfied` with the number, else nothing.
ALTER TABLE coverage_assertion ADD COLUMN said TEXT CHECK (said IN ('no-auth', 'satisfied'));
ALTER TABLE coverage_assertion ADD COLUMN said_number TEXT;
-- The order as it was received, packed.
ALTER TABLE coverage_assertion ADD COLUMN order_packed BLOB;

-- A card that was shown, and what it was about.
CREATE TABLE hook_card (
    card_id         TEXT    NOT NULL PRIMARY KEY,
    hook_call_id    INTEGER NOT NULL REFERENCES hook_call (hook_call_id),
    order_reference TEXT    NOT NULL,
    kind            TEXT    NOT NULL,
    name            TEXT    NOT NULL,
    policy_id       TEXT,
    policy_edition  TEXT,
    clause          TEXT
) STRICT, WITHOUT ROWID;

-- What a client told of a card. Told twice, it stands once.
CREATE TABLE card_feedback (
    card_id        TEXT    NOT NULL REFERENCES hook_card (card_id),
    outcome        TEXT    NOT NULL CHECK (outcome IN ('accepted', 'overridden')),
    happened_at    TEXT    NOT NULL,
    -- The suggestions that were accepted, a JSON array.
    suggestions    TEXT    NOT NULL CHECK (json_valid(suggestions)),
    received_at_ms INTEGER NOT NULL,
    reason         TEXT,
    comment        TEXT,
    PRIMARY KEY (card_id, outcome, happened_at, suggestions)
) STRICT, WITHOUT ROWID;
