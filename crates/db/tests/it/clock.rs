//! Clocks are set from the server's.

use std::sync::Mutex;
use std::time::Duration;

use testkit::{TestDb, eventually};

#[tokio::test]
async fn the_servers_clock_is_measured_again_and_again_until_shutdown() {
    let test = TestDb::new().await;
    let seen = Mutex::new(Vec::new());
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let keeper = db::time::keep_clock(
        test.db().clone(),
        Duration::from_millis(5),
        |measured| seen.lock().unwrap().push(measured),
        async { drop(stopped.await) },
    );
    let watch = async {
        eventually(async || seen.lock().unwrap().len() >= 3).await;
        stop.send(()).unwrap();
    };
    tokio::join!(keeper, watch);
    let seen = seen.into_inner().unwrap();
    assert!(
        seen.windows(2)
            .all(|pair| pair[0].server_now < pair[1].server_now)
    );
    assert!(
        seen.iter()
            .all(|measured| measured.asked <= measured.answered)
    );
}
