-- Step 13: findings that somebody has looked at and that need no alert any more.

CREATE TABLE pggit_daemon.acknowledgement (
    finding         text PRIMARY KEY,      -- status, source and subject, as findings() names it
    status          text NOT NULL,
    message         text NOT NULL,         -- what it said
    reason          text NOT NULL,         -- why it may stay
    acknowledged_by text NOT NULL,
    acknowledged_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
