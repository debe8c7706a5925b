DROP TABLE rollup_daily;
DROP TABLE rollup_hourly;
DROP TABLE certificates;
DROP TABLE service_state;
DROP TABLE health;
DROP TABLE probe_results;
