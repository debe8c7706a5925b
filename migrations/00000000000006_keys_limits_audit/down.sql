DROP INDEX users_by_time;
DROP TABLE api_keys;
DROP TABLE rate_limits;
DROP TABLE audit_log;
