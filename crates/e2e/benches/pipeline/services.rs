//! Services that are due every second, and what was found at them.

use std::fmt::Write as _;
use std::time::Duration;

use models::id::ServiceId;
use models::probe::{Outcome, ProbeKind};
use models::slot;
use serde_json::Value;
use testkit::TestDb;
use uuid::Uuid;

use crate::target;

/// A service that is due once a second: so the rate is the number of services.
const INTERVAL_MS: u32 = 1000;

/// All services of the bench, of one tenant; none is active at first.
#[derive(Debug)]
pub(crate) struct Services<'a> {
    db: &'a TestDb,
}

/// What was stored for the slots of a window.
#[derive(Debug)]
pub(crate) struct Stored {
    /// Results.
    pub(crate) results: f64,
    /// Those that are not `up`.
    pub(crate) not_up: f64,
    /// Start of the probe behind its slot, in milliseconds.
    pub(crate) late_p50: f64,
    pub(crate) late_p99: f64,
}

impl<'a> Services<'a> {
    /// Writes them as the api does, only more at once.
    pub(crate) async fn add(db: &'a TestDb, port: u16, count: u32) -> Self {
        let user = Uuid::new_v4();
        let mut sql = format!(
            "BEGIN; INSERT INTO users (id, email, email_key, password_hash, created_at, updated_at) \
             VALUES ('{user}', 'bench@example.com', 'bench@example.com', '', clock_timestamp(), clock_timestamp()); \
             INSERT INTO services (id, user_id, name, url, interval_ms, phase_ms, shard, timeout_ms, \
             expected_status, sla_target, ssl_expiry_days, follow_redirects, is_active, config_version, \
             created_at, updated_at) VALUES "
        );
        for n in 0..count {
            let id = ServiceId(Uuid::new_v4());
            let comma = if n == 0 { "" } else { "," };
            let address = target::address(n, port);
            let phase = slot::phase_ms(id, INTERVAL_MS);
            let shard = slot::shard(id);
            write!(
                sql,
                "{comma}('{id}', '{user}', '{n}', 'http://{address}/{n}', {INTERVAL_MS}, {phase}, {shard}, \
                 10000, 200, 9990, 14, true, false, 1, clock_timestamp(), clock_timestamp())"
            )
            .expect("a string takes all");
        }
        sql.push_str(
            "; INSERT INTO service_spans (service_id, config_version, interval_ms, phase_ms, regions, from_at) \
               SELECT id, config_version, interval_ms, phase_ms, regions, created_at FROM services; \
             INSERT INTO health (service_id, region, streak_since) \
               SELECT id, 'default', created_at FROM services; \
             INSERT INTO service_state (service_id, status) SELECT id, 'unknown' FROM services; \
             COMMIT; ANALYZE services, service_spans, health, service_state",
        );
        db.execute(&sql).await;
        Self { db }
    }

    /// Makes the first `count` active, and no other.
    pub(crate) async fn activate(&self, count: u32) {
        let sql = format!(
            "UPDATE services SET is_active = NOT is_active WHERE is_active <> (name::int < {count})"
        );
        self.db.execute(&sql).await;
    }

    /// The time by which slots are due.
    pub(crate) async fn now(&self) -> String {
        self.db.value("SELECT clock_timestamp()::text").await
    }

    /// What has been stored for the slots from `from` on.
    pub(crate) async fn stored(&self, from: &str, window: Duration) -> Stored {
        let (slots, up) = (ProbeKind::Slot.code(), Outcome::Up.code());
        let sql = format!(
            "SELECT json_build_object('results', count(*), 'not_up', count(*) FILTER (WHERE outcome <> {up}), \
                    'p50', percentile_cont(0.5) WITHIN GROUP (ORDER BY late), \
                    'p99', percentile_cont(0.99) WITHIN GROUP (ORDER BY late))::text \
               FROM (SELECT outcome, extract(epoch FROM checked_at - scheduled_at)::float8 * 1000 AS late \
                       FROM probe_results \
                      WHERE kind = {slots} AND scheduled_at >= '{from}'::timestamptz \
                        AND scheduled_at < '{from}'::timestamptz + interval '{} s') AS r",
            window.as_secs()
        );
        let text: String = self.db.value(&sql).await;
        let json: Value = serde_json::from_str(&text).expect("JSON");
        // A percentile of nothing is null.
        let number = |name: &str| json.get(name).and_then(Value::as_f64).unwrap_or(f64::NAN);
        Stored {
            results: number("results"),
            not_up: number("not_up"),
            late_p50: number("p50"),
            late_p99: number("p99"),
        }
    }
}
