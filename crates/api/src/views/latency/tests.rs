use super::*;

fn at(text: &str) -> Time {
    text.parse().unwrap()
}

#[test]
fn every_window_has_a_usual_step_of_at_most_500_points() {
    for (name, window) in Window::NAMED {
        let cut = Cut::new(window, None, at("2026-03-01T12:34:56Z")).expect(name);
        assert!((2..=MAX_POINTS).contains(&cut.points), "{name}: {cut:?}");
    }
}

#[test]
fn the_last_step_holds_now_and_steps_begin_at_even_times() {
    let now = at("2026-03-01T12:34:56.789Z");
    for (_, window) in Window::NAMED {
        for (_, step) in STEPS {
            let Ok(cut) = Cut::new(window, Some(step), now) else {
                continue;
            };
            assert_eq!(cut.from.timestamp() % i64::from(step), 0, "{cut:?}");
            assert!(cut.start_of(cut.points - 1) <= now && now < cut.to());
            assert_eq!(cut.index_of(now), usize::try_from(cut.points - 1).ok());
            assert_eq!(cut.index_of(cut.from), Some(0));
            assert_eq!(cut.index_of(cut.from - TimeDelta::milliseconds(1)), None);
            assert_eq!(cut.index_of(cut.to()), None);
            let reach = TimeDelta::hours(i64::from(window.hours()));
            assert!(cut.from <= now - reach + TimeDelta::seconds(i64::from(step)));
        }
    }
}

#[test]
fn a_step_too_fine_for_its_window_is_refused_with_the_reason() {
    let now = at("2026-03-01T12:34:56Z");
    let refused = |window, step| Cut::new(window, Some(step), now).expect_err("refused");
    assert!(refused(Window::days(7), 60).contains("at least 1h"));
    assert!(refused(Window::days(90), HOUR).contains("24h"));
    assert!(refused(Window::DAY, 60).contains("1441 points"));
    assert!(refused(Window::days(30), HOUR).contains("points"));
}
