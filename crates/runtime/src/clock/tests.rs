use super::*;

#[test]
fn a_shift_moves_every_clone_and_every_clock_built_on_it() {
    let shift = ClockShift::new();
    let one = Clock::with_shift(shift.clone());
    let two = Clock::with_shift(shift.clone());
    let before = one.now();
    shift.set(TimeDelta::days(3));
    shift.advance(TimeDelta::hours(1));
    let expected = TimeDelta::days(3) + TimeDelta::hours(1);
    assert_eq!(one.shift(), expected);
    for clock in [&one, &one.clone(), &two] {
        let moved = clock.now() - before;
        assert!(moved >= expected && moved < expected + TimeDelta::minutes(1));
    }
}

#[tokio::test(start_paused = true)]
async fn the_server_offset_is_taken_from_the_middle_of_the_question() {
    let clock = Clock::system();
    let asked = Instant::now();
    tokio::time::advance(Duration::from_secs(4)).await;
    let answered = Instant::now();
    // The server answered "half way" and is an hour ahead of us.
    let server = clock.now() - TimeDelta::seconds(2) + TimeDelta::hours(1);
    let change = clock.set_server_time(server, asked, answered);
    assert_eq!(change, TimeDelta::hours(1));
    assert_eq!(clock.now() - clock.local_now(), TimeDelta::hours(1));
}

#[tokio::test(start_paused = true)]
async fn the_servers_time_is_unshifted_and_the_shift_comes_on_top() {
    let shift = ClockShift::new();
    let clock = Clock::with_shift(shift.clone());
    let server = clock.now() + TimeDelta::minutes(5);
    shift.set(TimeDelta::days(1));
    let at = Instant::now();
    clock.set_server_time(server, at, at);
    assert_eq!(clock.now(), server + TimeDelta::days(1));
}

#[tokio::test(start_paused = true)]
async fn sleep_until_wakes_when_time_comes() {
    let clock = Clock::system();
    let when = clock.now() + TimeDelta::milliseconds(250);
    clock.sleep_until(when).await;
    let late = clock.now() - when;
    assert!(
        late >= TimeDelta::zero() && late <= TimeDelta::milliseconds(2),
        "{late}"
    );
    // The past is no wait at all.
    clock.sleep_until(when - TimeDelta::days(1)).await;
}

#[tokio::test]
async fn sleep_until_notices_that_time_was_moved() {
    let shift = ClockShift::new();
    let clock = Clock::with_shift(shift.clone());
    let when = clock.now() + TimeDelta::days(2);
    let sleeper = {
        let clock = clock.clone();
        tokio::spawn(async move { clock.sleep_until(when).await })
    };
    shift.advance(TimeDelta::days(1));
    tokio::task::yield_now().await;
    assert!(!sleeper.is_finished());
    clock.set_offset(TimeDelta::days(1));
    tokio::time::timeout(Duration::from_secs(10), sleeper)
        .await
        .expect("still asleep")
        .unwrap();
    assert!(clock.now() >= when);
}

#[test]
fn absurd_shifts_saturate() {
    assert_eq!(micros(TimeDelta::MAX), i64::MAX);
    assert_eq!(micros(TimeDelta::MIN), i64::MIN);
}
