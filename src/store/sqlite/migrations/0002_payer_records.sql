-- What the payer knows itself: who is enrolled, who practises as what, what was billed.
--
-- It comes in files, and of a file everything or nothing is held: the rows of a file belong to an
-- import, and count from the moment in which the import is complete.
-- A record of a later import takes the place of the one with the same key; the older one is
-- deleted afterwards, a few at a time, so that no transaction is long.

-- One file that is or was being imported. Later imports have higher ids.
CREATE TABLE payer_import (
    import_id   INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    begun_at_ms INTEGER NOT NULL,
    -- `open`: rows are being added, and nobody sees them. `complete`: they count.
    -- `tidied`: they count, and what they replaced is gone.
    state       TEXT    NOT NULL CHECK (state IN ('open', 'complete', 'tidied')),
    -- The last key whose older records are gone.
    tidied_to   TEXT    NOT NULL DEFAULT ''
) STRICT;

CREATE INDEX payer_import_unfinished ON payer_import (state, import_id) WHERE state <> 'tidied';

-- One record of a file. It may say nothing any more: then it only takes the older one's place.
CREATE TABLE payer_record (
    record_key TEXT    NOT NULL,
    import_id  INTEGER NOT NULL REFERENCES payer_import (import_id),
    PRIMARY KEY (record_key, import_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX payer_record_by_import ON payer_record (import_id, record_key);

-- The records that count now.
CREATE VIEW held_record AS
    SELECT payer_record.record_key, payer_record.import_id
    FROM payer_record
    JOIN payer_import ON payer_import.import_id = payer_record.import_id
    WHERE payer_import.state <> 'open' AND NOT EXISTS (
        SELECT 1
        FROM payer_record AS newer
        JOIN payer_import AS newer_import ON newer_import.import_id = newer.import_id
        WHERE newer.record_key = payer_record.record_key
          AND newer.import_id > payer_record.import_id
          AND newer_import.state <> 'open'
    );

-- A period in which somebody is a member.
CREATE TABLE enrolment (
    record_key TEXT    NOT NULL,
    import_id  INTEGER NOT NULL,
    member_id  TEXT    NOT NULL,
    -- As precise as it is known: YYYY, YYYY-MM or YYYY-MM-DD.
    birth_date TEXT,
    line       TEXT,
    valid_from TEXT,
    valid_to   TEXT,
    PRIMARY KEY (record_key, import_id),
    FOREIGN KEY (record_key, import_id) REFERENCES payer_record (record_key, import_id)
        ON DELETE CASCADE,
    CHECK (valid_from <= valid_to)
) STRICT, WITHOUT ROWID;

CREATE INDEX enrolment_by_member ON enrolment (member_id);
CREATE INDEX enrolment_by_import ON enrolment (import_id);

-- A specialty of a provider, and when it is one.
CREATE TABLE directory_entry (
    record_key   TEXT    NOT NULL,
    import_id    INTEGER NOT NULL,
    entry_number INTEGER NOT NULL,
    npi          TEXT    NOT NULL,
    code_system  TEXT    NOT NULL,
    code         TEXT    NOT NULL,
    valid_from   TEXT,
    valid_to     TEXT,
    name         TEXT,
    PRIMARY KEY (record_key, import_id, entry_number),
    FOREIGN KEY (record_key, import_id) REFERENCES payer_record (record_key, import_id)
        ON DELETE CASCADE,
    CHECK (valid_from <= valid_to)
) STRICT, WITHOUT ROWID;

CREATE INDEX directory_entry_by_npi ON directory_entry (npi);

-- A claim that was billed, as it was received.
CREATE TABLE billed_claim (
    billed_claim_id INTEGER NOT NULL PRIMARY KEY,
    record_key      TEXT    NOT NULL,
    import_id       INTEGER NOT NULL,
    member_id       TEXT    NOT NULL,
    -- `ExplanationOfBenefit/123`, for explanations.
    name            TEXT    NOT NULL,
    resource        TEXT    NOT NULL,
    UNIQUE (record_key, import_id),
    FOREIGN KEY (record_key, import_id) REFERENCES payer_record (record_key, import_id)
        ON DELETE CASCADE
) STRICT;

CREATE INDEX billed_claim_by_member ON billed_claim (member_id);
