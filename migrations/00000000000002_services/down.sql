DROP TABLE purge;
DROP TABLE schedule_cursor;
DROP TABLE extra_probes;
DROP TABLE service_spans;
DROP TABLE services;
