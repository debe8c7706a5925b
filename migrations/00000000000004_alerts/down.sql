DROP TABLE deliveries;
DROP TABLE alerts;
DROP TABLE incidents;
