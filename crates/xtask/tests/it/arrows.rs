//! Which of our crates may use which.

use std::collections::BTreeSet;

use crate::graph::{Graph, Need};

/// The programs. None may use another: they meet in messages and rows only.
const PROCESSES: [&str; 6] = [
    "alerter",
    "api",
    "migrate",
    "prober",
    "processor",
    "scheduler",
];

/// Each crate, and what it may use of ours.
const ARROWS: [(&str, &[&str]); 14] = [
    ("models", &[]),
    ("runtime", &[]),
    ("guard", &["models"]),
    ("bus", &["models"]),
    ("db", &["models"]),
    ("migrate", &["db", "runtime"]),
    ("prober", &["models", "guard", "bus", "runtime"]),
    ("api", &["models", "guard", "bus", "db", "runtime"]),
    ("scheduler", &["models", "bus", "db", "runtime"]),
    ("processor", &["models", "bus", "db", "runtime"]),
    ("alerter", &["models", "guard", "bus", "db", "runtime"]),
    ("testkit", &["models", "guard", "bus", "db", "runtime"]),
    (
        "e2e",
        &[
            "models",
            "guard",
            "bus",
            "db",
            "runtime",
            "testkit",
            "alerter",
            "api",
            "migrate",
            "prober",
            "processor",
            "scheduler",
        ],
    ),
    ("xtask", &[]),
];

/// What only one of our crates may name, even in its tests, so that it can be replaced there.
const OWNED: [(&str, &[&str]); 6] = [
    ("lapin", &["bus"]),
    ("diesel", &["db"]),
    ("diesel-async", &["db"]),
    ("diesel_migrations", &["db"]),
    ("actix-web", &["api"]),
    ("actix-cors", &["api"]),
];

#[test]
fn our_crates_use_only_what_their_arrow_allows() {
    let graph = Graph::load();
    let known: BTreeSet<_> = ARROWS.iter().map(|(name, _)| *name).collect();
    assert_eq!(
        graph.our_names(),
        known,
        "a crate is new or gone: say here what it may use"
    );
    for (name, allowed) in ARROWS {
        for used in graph.direct(name, &[Need::Normal]).intersection(&known) {
            assert!(allowed.contains(used), "{name} may not use {used}");
        }
    }
}

#[test]
fn tests_reach_no_further_than_testkit() {
    let graph = Graph::load();
    let known = graph.our_names();
    for (name, allowed) in ARROWS {
        for used in graph.direct(name, &[Need::Dev]).intersection(&known) {
            let may = *used == "testkit" || *used == name || allowed.contains(used);
            let harmless = ["models", "guard", "bus", "db", "runtime"].contains(used);
            assert!(may || harmless, "the tests of {name} may not use {used}");
        }
    }
}

#[test]
fn no_process_is_built_from_another() {
    let graph = Graph::load();
    for process in PROCESSES {
        let reach = graph.reach(process);
        for other in PROCESSES.into_iter().filter(|other| *other != process) {
            assert!(!reach.contains(other), "{}", graph.way(process, other));
        }
    }
}

#[test]
fn the_prober_has_no_way_to_the_database() {
    let graph = Graph::load();
    let reach = graph.reach("prober");
    for name in ["db", "diesel", "diesel-async", "tokio-postgres"] {
        assert!(!reach.contains(name), "{}", graph.way("prober", name));
    }
}

#[test]
fn the_rules_know_no_input_and_no_output() {
    let graph = Graph::load();
    let reach = graph.reach("models");
    for name in [
        "tokio", "mio", "hyper", "diesel", "lapin", "socket2", "tracing",
    ] {
        assert!(!reach.contains(name), "{}", graph.way("models", name));
    }
}

#[test]
fn the_database_and_the_broker_have_one_owner_each() {
    let graph = Graph::load();
    for (package, owners) in OWNED {
        for name in graph.our_names() {
            let named = graph
                .direct(name, &[Need::Normal, Need::Dev])
                .contains(package);
            assert!(
                !named || owners.contains(&name),
                "{name} may not name {package}"
            );
        }
    }
}

/// Tests may look into the database past `db`; what ships may not.
#[test]
fn sql_reaches_postgres_through_db_alone() {
    let graph = Graph::load();
    for name in graph.our_names() {
        let named = graph
            .direct(name, &[Need::Normal])
            .contains("tokio-postgres");
        let may = ["db", "testkit"].contains(&name);
        assert!(!named || may, "{name} may not name tokio-postgres");
    }
}

#[test]
fn nothing_that_ships_is_built_from_test_code() {
    let graph = Graph::load();
    for name in graph.our_names() {
        if ["testkit", "e2e", "xtask"].contains(&name) {
            continue;
        }
        let reach = graph.reach(name);
        for test_only in ["testkit", "e2e", "rcgen", "insta", "proptest"] {
            assert!(!reach.contains(test_only), "{}", graph.way(name, test_only));
        }
    }
}
