-- What happens to a case after its first answer.

-- When the plan has to have decided, by its clocks; absent where no clock runs.
ALTER TABLE prior_auth_case ADD COLUMN due_at_ms INTEGER;

-- Every submission of a case has the number of the answer that it got.
ALTER TABLE submission ADD COLUMN answer_number INTEGER NOT NULL DEFAULT 1 CHECK (answer_number > 0);

-- A member's cases, newest first, for inquiries.
DROP INDEX case_by_member;
CREATE INDEX case_by_member ON prior_auth_case (member_id, opened_at_ms DESC);
