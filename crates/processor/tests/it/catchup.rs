//! A slow service's missed slot is made up for once.

use chrono::TimeDelta;
use models::probe::Outcome::Up;

use crate::world::World;

const ASKED: &str = "SELECT count(*) FROM extra_probes WHERE kind = 'catchup'";

#[tokio::test]
async fn a_slow_service_whose_newest_slot_has_no_result_is_probed_once_in_its_place() {
    let mut world = World::running(2).await;
    let slow = world
        .service_with("interval_ms = 3600000, phase_ms = 0")
        .await;
    let fast = world.service().await;
    let paused = world
        .service_with("interval_ms = 3600000, phase_ms = 0, is_active = false")
        .await;
    world.becomes(ASKED, 1).await;
    let asked = "SELECT service_id::text FROM extra_probes";
    assert_eq!(world.text(asked).await, slow.id.to_string());
    let due = "SELECT count(*) FROM extra_probes \
               WHERE dispatch_at = scheduled_at AND dispatch_at - created_at BETWEEN \
               interval '0' AND interval '60 seconds' AND config_version = 1";
    assert_eq!(world.count(due).await, 1);
    world.stop_processors().await;
    // The scheduler dispatches the row and deletes it; the slot is remembered.
    world.execute("DELETE FROM extra_probes").await;
    let remembered = format!(
        "SELECT count(*) FROM health WHERE service_id = '{}' AND catchup_for IS NOT NULL",
        slow.id
    );
    assert_eq!(world.count(&remembered).await, 1);
    world.start_processors(1);
    // A result of the fast one proves that the processor has been at work, then an hour passes.
    world.take(&fast.slots(&[Up]), 1).await;
    assert_eq!(world.count(ASKED).await, 0);
    world.shift.advance(TimeDelta::hours(1));
    world.becomes(ASKED, 1).await;
    let of_paused = format!(
        "SELECT count(*) FROM extra_probes WHERE service_id = '{}'",
        paused.id
    );
    assert_eq!(world.count(&of_paused).await, 0);
}
