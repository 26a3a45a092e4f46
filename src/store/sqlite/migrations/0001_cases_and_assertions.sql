-- What the service has to remember.
--
-- Conventions:
--   *_ms      milliseconds since 1970-01-01T00:00:00Z.
--   dates     text, YYYY-MM-DD, so that they compare as text.
--   answers are only ever added: the history of a case is its rows.
--   large texts stand last, so that reading the other columns does not touch them.

-- Numbers that have been handed out. Gaps are fine, repeats are not.
CREATE TABLE number_series (
    series      TEXT    NOT NULL PRIMARY KEY,
    next_number INTEGER NOT NULL CHECK (next_number > 0)
) STRICT, WITHOUT ROWID;

INSERT INTO number_series (series, next_number) VALUES ('authorization', 1), ('reference', 1);

-- One request for prior authorization, from its first submission to its last answer.
CREATE TABLE prior_auth_case (
    case_id        TEXT    NOT NULL PRIMARY KEY,
    member_id      TEXT    NOT NULL,
    -- The answer that holds now.
    current_answer INTEGER NOT NULL CHECK (current_answer > 0),
    -- The state that the answer left the case in, repeated here for the queue's index.
    state          TEXT    NOT NULL CHECK (state IN ('decided', 'pended')),
    opened_at_ms   INTEGER NOT NULL,
    changed_at_ms  INTEGER NOT NULL,
    -- Checked at commit: a case without its current answer cannot be.
    FOREIGN KEY (case_id, current_answer) REFERENCES answer (case_id, answer_number)
        DEFERRABLE INITIALLY DEFERRED
) STRICT, WITHOUT ROWID;

CREATE INDEX case_by_member ON prior_auth_case (member_id);
CREATE INDEX case_waiting ON prior_auth_case (changed_at_ms, case_id) WHERE state = 'pended';

-- What a client sent us that opened a case.
CREATE TABLE submission (
    submission_id     INTEGER NOT NULL PRIMARY KEY,
    case_id           TEXT    NOT NULL REFERENCES prior_auth_case (case_id),
    client            TEXT    NOT NULL,
    -- SHA-256 of the body, lower-case hexadecimal.
    content_digest    TEXT    NOT NULL CHECK (length(content_digest) = 64),
    received_at_ms    INTEGER NOT NULL,
    guide             TEXT    NOT NULL,
    -- Not keys: clients use one value for different requests.
    bundle_identifier TEXT,
    claim_identifier  TEXT,
    body              TEXT    NOT NULL
) STRICT;

CREATE INDEX submission_by_case ON submission (case_id);
CREATE INDEX submission_by_content ON submission (client, content_digest, received_at_ms);
CREATE INDEX submission_by_bundle ON submission (client, bundle_identifier)
    WHERE bundle_identifier IS NOT NULL;
CREATE INDEX submission_by_claim ON submission (client, claim_identifier)
    WHERE claim_identifier IS NOT NULL;

-- One answer to a case; the first is 1.
CREATE TABLE answer (
    case_id       TEXT    NOT NULL REFERENCES prior_auth_case (case_id),
    answer_number INTEGER NOT NULL CHECK (answer_number > 0),
    given_at_ms   INTEGER NOT NULL,
    state         TEXT    NOT NULL CHECK (state IN ('decided', 'pended')),
    guide         TEXT    NOT NULL,
    response      TEXT    NOT NULL,
    PRIMARY KEY (case_id, answer_number)
) STRICT;

-- A number that stands in an answer. It belongs to one case for ever.
CREATE TABLE issued_number (
    issue_id  INTEGER NOT NULL PRIMARY KEY,
    number    TEXT    NOT NULL UNIQUE,
    series    TEXT    NOT NULL REFERENCES number_series (series),
    case_id   TEXT    NOT NULL REFERENCES prior_auth_case (case_id),
    -- The case's member, repeated here so that a member's latest numbers are found by index.
    member_id TEXT    NOT NULL,
    UNIQUE (number, case_id)
) STRICT;

CREATE INDEX issued_number_by_member ON issued_number (member_id, series, issue_id);

-- One line of an answer: what was said of one Claim item.
CREATE TABLE answer_line (
    case_id              TEXT    NOT NULL,
    answer_number        INTEGER NOT NULL,
    line_sequence        INTEGER NOT NULL CHECK (line_sequence > 0),
    product_key          TEXT    NOT NULL,
    policy_id            TEXT,
    policy_edition       TEXT,
    determination        TEXT    NOT NULL
        CHECK (determination IN ('not-subject', 'approve', 'pend', 'review')),
    -- X12 306 Health Care Services Decision Review Action Code.
    review_action        TEXT    NOT NULL,
    authorization_number TEXT,
    authorized_on        TEXT,
    valid_from           TEXT,
    valid_to             TEXT,
    reference_number     TEXT,
    -- How the determination came about.
    trace                TEXT    NOT NULL CHECK (json_valid(trace)),
    PRIMARY KEY (case_id, answer_number, line_sequence),
    FOREIGN KEY (case_id, answer_number) REFERENCES answer (case_id, answer_number),
    FOREIGN KEY (authorization_number, case_id) REFERENCES issued_number (number, case_id),
    FOREIGN KEY (reference_number, case_id) REFERENCES issued_number (number, case_id),
    -- A policy has its edition, an authorization has its dates.
    CHECK ((policy_id IS NULL) = (policy_edition IS NULL)),
    CHECK ((authorization_number IS NULL) = (authorized_on IS NULL)),
    CHECK ((authorization_number IS NULL) = (valid_from IS NULL)),
    CHECK ((authorization_number IS NULL) = (valid_to IS NULL)),
    CHECK (valid_from <= valid_to)
) STRICT;

-- One CDS Hooks call that we answered. The hook instance is the client's and may repeat.
CREATE TABLE hook_call (
    hook_call_id  INTEGER NOT NULL PRIMARY KEY,
    hook_instance TEXT    NOT NULL,
    client        TEXT    NOT NULL,
    service_id    TEXT    NOT NULL,
    guide         TEXT    NOT NULL,
    given_at_ms   INTEGER NOT NULL,
    -- Without access tokens.
    request       TEXT    NOT NULL,
    response      TEXT    NOT NULL
) STRICT;

-- What we asserted of the coverage of one order.
CREATE TABLE coverage_assertion (
    assertion_id    TEXT    NOT NULL PRIMARY KEY,
    hook_call_id    INTEGER NOT NULL REFERENCES hook_call (hook_call_id),
    order_reference TEXT    NOT NULL,
    member_id       TEXT,
    policy_id       TEXT,
    policy_edition  TEXT,
    determination   TEXT    NOT NULL
        CHECK (determination IN ('not-subject', 'approve', 'pend', 'review')),
    findings        TEXT    NOT NULL CHECK (json_valid(findings)),
    CHECK ((policy_id IS NULL) = (policy_edition IS NULL))
) STRICT;

CREATE INDEX assertion_by_hook_call ON coverage_assertion (hook_call_id);
CREATE INDEX assertion_by_member ON coverage_assertion (member_id) WHERE member_id IS NOT NULL;

-- Who did what, when, to what of ours. Holds nothing about a patient.
CREATE TABLE audit (
    audit_id       INTEGER NOT NULL PRIMARY KEY,
    happened_at_ms INTEGER NOT NULL,
    actor          TEXT    NOT NULL,
    action         TEXT    NOT NULL
        CHECK (action IN ('submission-answered', 'case-reviewed', 'hook-answered')),
    case_id        TEXT    REFERENCES prior_auth_case (case_id),
    hook_call_id   INTEGER REFERENCES hook_call (hook_call_id),
    CHECK ((case_id IS NULL) <> (hook_call_id IS NULL))
) STRICT;

CREATE INDEX audit_by_case ON audit (case_id) WHERE case_id IS NOT NULL;

CREATE TRIGGER audit_is_never_changed BEFORE UPDATE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit is only added to');
END;

CREATE TRIGGER audit_is_never_deleted BEFORE DELETE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit is only added to');
END;
