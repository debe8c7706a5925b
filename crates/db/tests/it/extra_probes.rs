//! A wanted probe has one claimant at a time.

use chrono::{DateTime, TimeDelta, Utc};
use db::extra_probes::{Claim, DueProbe, ExtraProbe, claim_due, delete, insert, put_back};
use testkit::TestDb;
use uuid::Uuid;

async fn service(test: &TestDb) -> Uuid {
    let (user, id) = (Uuid::now_v7(), Uuid::now_v7());
    test.execute(&format!(
        "INSERT INTO users (id, email, email_key, password_hash, created_at, updated_at) \
         VALUES ('{user}', 'a@b.test', 'a@b.test', '', now(), now())"
    ))
    .await;
    test.execute(&format!(
        "INSERT INTO services (id, user_id, name, url, interval_ms, phase_ms, shard, timeout_ms, \
            expected_status, sla_target, ssl_expiry_days, follow_redirects, is_active, \
            config_version, created_at, updated_at) \
         VALUES ('{id}', '{user}', 'x', 'http://a.test/', 1000, 0, 0, 1000, 200, 9990, 30, true, \
            true, 1, now(), now())"
    ))
    .await;
    id
}

fn probe(service_id: Uuid, region: &str, at: DateTime<Utc>) -> ExtraProbe {
    ExtraProbe {
        service_id,
        region: region.to_owned(),
        kind: "first".to_owned(),
        scheduled_at: at,
        config_version: 1,
        dispatch_at: at,
        avoid_prober: None,
        answers: None,
        created_at: at,
    }
}

fn claim(now: DateTime<Utc>, except: &[String]) -> Claim<'_> {
    Claim {
        now,
        until: now + TimeDelta::seconds(5),
        except,
        limit: 10,
    }
}

fn regions(rows: &[DueProbe]) -> Vec<&str> {
    let mut regions: Vec<&str> = rows.iter().map(|row| row.region.as_str()).collect();
    regions.sort_unstable();
    regions
}

#[tokio::test]
async fn a_claimed_probe_is_nobody_elses_until_it_is_put_back_or_the_claim_is_over() {
    let test = TestDb::new().await;
    let id = service(&test).await;
    let mut conn = test.conn().await;
    let now = db::time::measure(test.db()).await.unwrap().server_now;
    let at = |seconds| now + TimeDelta::seconds(seconds);
    let rows = [
        probe(id, "eu", now),
        probe(id, "us", now),
        probe(id, "us", at(60)),
    ];
    insert(&mut conn, &rows).await.unwrap();

    let eu = claim_due(&mut conn, &claim(now, &["us".to_owned()]))
        .await
        .unwrap();
    assert_eq!(regions(&eu), ["eu"]);
    let us = claim_due(&mut conn, &claim(now, &[])).await.unwrap();
    assert_eq!(regions(&us), ["us"], "its time has come, and it is free");
    assert_eq!(
        us[0].scheduled_at.timestamp_micros(),
        now.timestamp_micros()
    );
    let nothing = claim_due(&mut conn, &claim(at(4), &[])).await.unwrap();
    assert_eq!(regions(&nothing), [""; 0]);

    let us: Vec<&DueProbe> = us.iter().collect();
    assert_eq!(put_back(&mut conn, &us, at(1)).await.unwrap(), 1);
    let early = claim_due(&mut conn, &claim(at(0), &[])).await.unwrap();
    assert_eq!(regions(&early), [""; 0]);
    let again = claim_due(&mut conn, &claim(at(1), &[])).await.unwrap();
    assert_eq!(regions(&again), ["us"]);

    let late = claim_due(&mut conn, &claim(at(5), &[])).await.unwrap();
    assert_eq!(regions(&late), ["eu"], "whoever claimed it has died");
    let late: Vec<&DueProbe> = late.iter().collect();
    assert_eq!(delete(&mut conn, &late).await.unwrap(), 1);
    let left: i64 = test.value("SELECT count(*) FROM extra_probes").await;
    assert_eq!(left, 2);
}
