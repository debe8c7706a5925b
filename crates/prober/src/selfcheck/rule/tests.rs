use super::*;

/// Moments in seconds after one start.
struct Time(Instant);

impl Time {
    fn at(&self, seconds: u64) -> Instant {
        self.0 + Duration::from_secs(seconds)
    }

    fn look(&self, began: u64, resolver: Option<bool>, urls: Option<bool>) -> Look {
        Look {
            began: self.at(began),
            ended: self.at(began + 1),
            resolver,
            urls,
        }
    }
}

#[test]
fn a_doubtful_failure_counts_only_after_a_look_that_began_when_it_had_ended() {
    let time = Time(Instant::now());
    let judge = |standing: &Standing, doubt| standing.judge(time.at(10), time.at(15), doubt);
    let before = Standing::default().after(&time.look(14, Some(true), None));
    assert_eq!(judge(&before, Doubt::Network), Ruling::Wait);
    assert_eq!(judge(&before, Doubt::Names), Ruling::Wait);
    assert_eq!(
        judge(&before, Doubt::None),
        Ruling::Publish,
        "nobody waits for what the target said"
    );
    let after = before.after(&time.look(15, Some(true), None));
    assert_eq!(judge(&after, Doubt::Network), Ruling::Publish);
    assert_eq!(judge(&after, Doubt::Names), Ruling::Publish);
}

#[test]
fn what_was_in_flight_during_trouble_proves_nothing_and_what_began_after_it_does() {
    let time = Time(Instant::now());
    let standing = Standing::default()
        .after(&time.look(0, Some(true), None))
        .after(&time.look(10, Some(false), None));
    assert_eq!(standing.state, State::Failing(Trouble::Resolver));
    let up = |standing: &Standing, begun| standing.judge(time.at(begun), time.at(20), Doubt::None);
    assert_eq!(up(&standing, 5), Ruling::Inconclusive);
    assert_eq!(
        up(&standing, 12),
        Ruling::Inconclusive,
        "begun while it failed"
    );
    let well = standing.after(&time.look(13, Some(true), None));
    assert_eq!(well.state, State::Well);
    assert_eq!(up(&well, 11), Ruling::Inconclusive);
    assert_eq!(up(&well, 12), Ruling::Publish);
}

#[test]
fn a_network_without_name_servers_judges_addresses_and_no_names() {
    let time = Time(Instant::now());
    let unasked = Standing::default().after(&time.look(5, None, None));
    assert_eq!(unasked.state, State::Well);
    let nameless = unasked.after(&time.look(5, Some(false), None));
    assert_eq!(nameless.state, State::Nameless);
    let judge = |doubt| nameless.judge(time.at(1), time.at(2), doubt);
    assert_eq!(judge(Doubt::Network), Ruling::Publish);
    assert_eq!(judge(Doubt::Names), Ruling::Inconclusive);
    // From its first answer on it is a part of the reference.
    let known = nameless.after(&time.look(6, Some(true), None));
    assert_eq!(known.state, State::Well);
    let lost = known.after(&time.look(7, Some(false), None));
    assert_eq!(lost.state, State::Failing(Trouble::Resolver));
}

#[test]
fn urls_that_all_fail_are_trouble_whatever_the_resolver_says() {
    let time = Time(Instant::now());
    for resolver in [None, Some(true), Some(false)] {
        let standing = Standing::default().after(&time.look(0, resolver, Some(false)));
        assert_eq!(
            standing.state,
            State::Failing(Trouble::Urls),
            "{resolver:?}"
        );
    }
}

#[test]
fn a_clock_that_jumped_is_trusted_again_only_when_it_has_settled() {
    let time = Time(Instant::now());
    let jumped = Standing::default()
        .after(&time.look(0, Some(true), None))
        .after_clock_jump(time.at(10));
    assert_eq!(jumped.state, State::Failing(Trouble::Clock));
    let too_early = jumped.clone().after(&time.look(11, Some(true), None));
    assert!(too_early.is_failing());
    let settled = jumped.after(&time.look(12, Some(true), None));
    assert_eq!(settled.state, State::Well);
}

#[test]
fn what_the_target_itself_said_is_never_doubted_and_what_a_network_could_have_done_always_is() {
    let doubted = |wanted: Doubt| {
        let kinds = ErrorKind::ALL.iter().filter(|kind| doubt(**kind) == wanted);
        kinds
            .map(|kind| kind.as_str())
            .collect::<Vec<_>>()
            .join(" ")
    };
    assert_eq!(
        doubted(Doubt::Names),
        "dns_nxdomain dns_servfail dns_timeout dns_no_address"
    );
    assert_eq!(
        doubted(Doubt::Network),
        "connect_refused connect_timeout connect_reset connect_unreachable tls_handshake cert_expired \
         cert_not_yet_valid cert_name_mismatch cert_unknown_issuer cert_self_signed http_protocol timeout_connect \
         timeout_tls timeout_first_byte timeout_body body_incomplete"
    );
}
