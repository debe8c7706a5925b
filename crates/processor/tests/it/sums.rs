//! Hours close, days add up, windows follow.

use chrono::TimeDelta;
use models::probe::Outcome::{Down, Up};

use crate::world::World;

const HOURS: &str = "SELECT coalesce(string_agg(judged || ' ' || failed || ' ' || latency_sum_us, ', ' \
                     ORDER BY hour), '') FROM rollup_hourly";

#[tokio::test]
async fn an_hour_closes_when_a_result_of_a_later_hour_arrives() {
    let world = World::running(1).await;
    let service = world.service().await;
    world.take(&service.slots(&[Up, Up, Down]), 3).await;
    assert_eq!(world.text(HOURS).await, "");
    world.take(&[service.slot(3610, Up)], 4).await;
    assert_eq!(world.text(HOURS).await, "3 1 40000");
    let days = "SELECT string_agg(judged || ' ' || failed, ', ') FROM rollup_daily";
    assert_eq!(world.text(days).await, "3 1");
    let open = "SELECT judged || ' ' || failed FROM health";
    assert_eq!(world.text(open).await, "1 0");
    let window = "SELECT sla_judged || ' ' || sla_failed || ' ' || day_judged || ' ' \
                  || sla_latency_sum_us FROM service_state";
    assert_eq!(world.text(window).await, "3 1 3 40000");
}

#[tokio::test]
async fn a_late_result_goes_straight_to_its_hour() {
    let world = World::running(1).await;
    let service = world.service().await;
    world.take(&service.slots(&[Up]), 1).await;
    world.take(&[service.slot(3610, Up)], 2).await;
    world
        .take(&[service.slot(20, Down), service.slot(30, Up)], 4)
        .await;
    assert_eq!(world.text(HOURS).await, "3 1 40000");
    let window = "SELECT sla_judged || ' ' || sla_failed FROM service_state";
    assert_eq!(world.text(window).await, "3 1");
    let hour = "SELECT count(*) FROM health WHERE judged = 1 \
                AND hour = (SELECT max(hour) + interval '1 hour' FROM rollup_hourly)";
    assert_eq!(world.count(hour).await, 1);
}

#[tokio::test]
async fn a_service_that_fell_silent_has_its_hour_closed_all_the_same() {
    let world = World::running(1).await;
    let service = world.service().await;
    world.take(&service.slots(&[Up, Down]), 2).await;
    world.shift.advance(TimeDelta::hours(2));
    world.becomes("SELECT count(*) FROM rollup_hourly", 1).await;
    assert_eq!(world.text(HOURS).await, "2 1 20000");
    assert_eq!(
        world
            .count("SELECT count(*) FROM health WHERE hour IS NULL")
            .await,
        1
    );
    let window = "SELECT sla_judged || ' ' || sla_failed || ' ' || day_judged FROM service_state";
    assert_eq!(world.text(window).await, "2 1 2");
    // And what comes after that joins the same hour.
    world.take(&[service.slot(30, Up)], 3).await;
    world
        .becomes("SELECT sum(judged) FROM rollup_hourly", 3)
        .await;
    assert_eq!(world.text(HOURS).await, "3 1 40000");
}

#[tokio::test]
async fn windows_are_computed_anew_when_an_hour_has_passed() {
    let world = World::running(1).await;
    let service = world.service().await;
    world.take(&service.slots(&[Up, Down]), 2).await;
    world.shift.advance(TimeDelta::hours(2));
    world
        .becomes("SELECT sla_judged FROM service_state", 2)
        .await;
    world.shift.advance(TimeDelta::hours(25));
    world
        .becomes("SELECT day_judged FROM service_state", 0)
        .await;
    assert_eq!(world.count("SELECT sla_judged FROM service_state").await, 2);
    world.shift.advance(TimeDelta::days(30));
    world
        .becomes("SELECT sla_judged FROM service_state", 0)
        .await;
    let latency = "SELECT sla_latency_sum_us + octet_length(sla_histogram) FROM service_state";
    assert_eq!(world.count(latency).await, 0);
}

#[tokio::test]
async fn an_hour_left_open_by_a_stop_of_many_weeks_holds_nothing_up() {
    let mut world = World::new().await;
    let service = world.service().await;
    world
        .execute(
            "UPDATE health SET judged = 5, hour = date_trunc('hour', now() - interval '50 days')",
        )
        .await;
    world.start_processors(1);
    world.take(&service.slots(&[Up]), 1).await;
    world
        .becomes("SELECT sum(judged) FROM rollup_daily", 5)
        .await;
    assert_eq!(world.text(HOURS).await, "", "it is kept no longer");
    assert_eq!(world.count("SELECT judged::bigint FROM health").await, 1);
}
