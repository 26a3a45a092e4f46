-- Large bodies are packed, and a decision can tell whether a member's authorizations have changed.

-- LZ4 with its length in front. Where it is there, the text beside it is empty.
ALTER TABLE submission ADD COLUMN body_packed BLOB;
ALTER TABLE hook_call ADD COLUMN request_packed BLOB;

-- How many answers with an authorization a member was given; without a row, none since this
-- version. Whoever approves compares it with what it was before judging.
CREATE TABLE member_approvals (
    member_id TEXT    NOT NULL PRIMARY KEY,
    approvals INTEGER NOT NULL CHECK (approvals > 0)
) STRICT, WITHOUT ROWID;
