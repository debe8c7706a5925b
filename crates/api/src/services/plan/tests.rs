use models::service::ServiceName;
use uuid::Uuid;

use models::service::SlaTarget;

use super::*;

fn service() -> Service {
    Service {
        id: Uuid::from_u128(7),
        user_id: Uuid::nil(),
        name: "shop".to_owned(),
        url: "https://shop.example/".to_owned(),
        interval_ms: 60_000,
        phase_ms: 7,
        shard: 7,
        timeout_ms: 10_000,
        expected_status: 200,
        sla_target: 9990,
        ssl_expiry_days: 30,
        follow_redirects: true,
        regions: vec!["default".to_owned()],
        is_active: true,
        config_version: 1,
        extra_probe_at: None,
        created_at: Time::UNIX_EPOCH,
        updated_at: Time::UNIX_EPOCH,
    }
}

fn planned(patch: &Patch) -> Plan {
    plan(&service(), patch, Fields::new(vec![])).unwrap()
}

fn refused_fields(service: &Service, patch: &Patch) -> Vec<String> {
    let problem = plan(service, patch, Fields::new(vec![])).unwrap_err();
    problem
        .parts()
        .errors
        .iter()
        .map(|error| error.field.clone())
        .collect()
}

#[test]
fn only_what_changes_probing_raises_the_version() {
    let raises = |patch: Patch| planned(&patch).new_version;
    assert!(raises(Patch {
        interval: "5m".parse().ok(),
        ..Patch::default()
    }));
    assert!(raises(Patch {
        timeout_seconds: Some(5),
        ..Patch::default()
    }));
    assert!(raises(Patch {
        expected_status: Some(204),
        ..Patch::default()
    }));
    assert!(raises(Patch {
        follow_redirects: Some(false),
        ..Patch::default()
    }));
    assert!(!raises(Patch {
        name: ServiceName::parse("other").ok(),
        ..Patch::default()
    }));
    assert!(!raises(Patch {
        sla_target: SlaTarget::from_hundredths(9000),
        ..Patch::default()
    }));
    assert!(!raises(Patch {
        ssl_expiry_days: Some(7),
        ..Patch::default()
    }));
    assert!(!raises(Patch {
        is_active: Some(false),
        ..Patch::default()
    }));
    let paused = Service {
        is_active: false,
        ..service()
    };
    let resume = Patch {
        is_active: Some(true),
        ..Patch::default()
    };
    let plan = plan(&paused, &resume, Fields::new(vec![])).unwrap();
    assert_eq!((plan.new_version, plan.turn), (true, Turn::Resume));
}

#[test]
fn giving_what_is_there_changes_nothing() {
    let same = Patch {
        name: ServiceName::parse("shop").ok(),
        url: Some("https://shop.example/".to_owned()),
        interval: "1m".parse().ok(),
        timeout_seconds: Some(10),
        is_active: Some(true),
        ..Patch::default()
    };
    assert!(planned(&same).is_empty());
}

#[test]
fn a_timeout_that_does_not_fit_names_both_fields() {
    let both = ["timeout_seconds", "interval"];
    let shorter = Patch {
        interval: "5s".parse().ok(),
        ..Patch::default()
    };
    assert_eq!(refused_fields(&service(), &shorter), both);
    let fast = Service {
        interval_ms: 5_000,
        timeout_ms: 5_000,
        ..service()
    };
    let longer = Patch {
        timeout_seconds: Some(6),
        ..Patch::default()
    };
    assert_eq!(refused_fields(&fast, &longer), both);
    let together = Patch {
        timeout_seconds: Some(5),
        interval: "5s".parse().ok(),
        ..Patch::default()
    };
    assert!(planned(&together).new_version);
}

#[test]
fn another_url_is_refused() {
    let other = Patch {
        url: Some("https://other.example/".to_owned()),
        ..Patch::default()
    };
    assert_eq!(refused_fields(&service(), &other), ["url"]);
}

#[test]
fn a_first_probe_waits_for_the_end_of_the_one_before() {
    let at = |ms: i64| Time::UNIX_EPOCH + TimeDelta::milliseconds(ms);
    assert_eq!(first_probe_at(None, at(5_000), 10), at(5_000));
    assert_eq!(first_probe_at(Some(at(4_000)), at(5_000), 10), at(14_000));
    assert_eq!(first_probe_at(Some(at(4_000)), at(50_000), 10), at(50_000));
    // replaced, not pushed further by each edit
    assert_eq!(first_probe_at(Some(at(14_000)), at(6_000), 10), at(14_001));
}
