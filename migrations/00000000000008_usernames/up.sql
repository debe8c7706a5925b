-- User names that are taken: every account's own, and those that were given with its address by whoever registered that
-- again where addresses have to be confirmed. Such a registration is answered like a new one, so its name has to be gone
-- as if it were; and an account that nobody confirms is never removed, so a name is held as long as its account is there.
CREATE TABLE usernames (
    -- As in users.username_key.
    username_key    text        PRIMARY KEY,
    user_id         uuid        NOT NULL REFERENCES users (id) ON DELETE CASCADE
);
CREATE INDEX usernames_by_user ON usernames (user_id);
INSERT INTO usernames (username_key, user_id)
    SELECT username_key, id FROM users WHERE username_key IS NOT NULL;
