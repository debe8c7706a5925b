DELETE FROM deliveries WHERE lane = 'account';
DROP INDEX deliveries_account_by_age;
DROP INDEX deliveries_account;
ALTER TABLE deliveries DROP COLUMN token_id;
ALTER TABLE deliveries DROP COLUMN facts;
DROP TABLE email_changes;
DROP TABLE mail_tokens;
DROP TABLE sessions;
