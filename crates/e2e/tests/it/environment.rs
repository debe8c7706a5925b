//! `.env.example` and the code name the same settings, and a bad environment names all of them.

use std::cell::RefCell;
use std::collections::{BTreeSet, HashMap};

use runtime::env::Vars;

/// An environment that is empty, and remembers what it was asked.
#[derive(Default)]
struct Asked(RefCell<BTreeSet<String>>);

impl Vars for Asked {
    fn var(&self, name: &str) -> Option<String> {
        self.0.borrow_mut().insert(name.to_owned());
        None
    }
}

#[test]
fn the_example_names_every_setting_and_no_other() {
    let asked = Asked::default();
    drop(api::Config::from_env(&asked));
    drop(scheduler::Config::from_env(&asked));
    drop(prober::Config::from_env(&asked));
    drop(processor::Config::from_env(&asked));
    drop(alerter::Config::from_env(&asked));
    let mut read = asked.0.into_inner();
    // A secret may stand in a file; the example says so once.
    let files: Vec<String> = read
        .iter()
        .filter(|name| {
            name.strip_suffix("_FILE")
                .is_some_and(|secret| read.contains(secret))
        })
        .cloned()
        .collect();
    for file in files {
        read.remove(&file);
    }
    // Read before there is a configuration.
    read.insert("RUST_LOG".to_owned());

    let example = include_str!("../../../../.env.example");
    let named: BTreeSet<String> = example
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once('='))
        .map(|(name, _)| name.to_owned())
        .collect();
    assert_eq!(named, read);
}

#[test]
fn a_bad_environment_is_told_with_every_bad_variable_at_once() {
    let bad: HashMap<String, String> = [
        ("DATABASE_URL", "mysql://somewhere"),
        ("AMQP_URL", "http://somewhere"),
        ("OPS_PORT", "many"),
        ("APP_PORT", "-1"),
        ("JWT_SECRET", "short"),
        ("JOB_SIGNING_KEY", "short"),
        ("WORKER_POOL_SIZE", "0"),
        ("FAILURE_STREAK_THRESHOLD", "none"),
        ("RETENTION_DAYS", "0"),
        ("RESEND_API_KEY", "re_key"),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .collect();
    let told = [
        (
            api::Config::from_env(&bad).err(),
            &[
                "DATABASE_URL",
                "AMQP_URL",
                "OPS_PORT",
                "APP_PORT",
                "JWT_SECRET",
            ][..],
        ),
        (
            scheduler::Config::from_env(&bad).err(),
            &[
                "DATABASE_URL",
                "AMQP_URL",
                "OPS_PORT",
                "RETENTION_DAYS",
                "JOB_SIGNING_KEY",
            ],
        ),
        (
            prober::Config::from_env(&bad).err(),
            &["AMQP_URL", "OPS_PORT", "WORKER_POOL_SIZE"],
        ),
        (
            processor::Config::from_env(&bad).err(),
            &[
                "DATABASE_URL",
                "AMQP_URL",
                "OPS_PORT",
                "FAILURE_STREAK_THRESHOLD",
                "RETENTION_DAYS",
                "JOB_SIGNING_KEY",
            ],
        ),
        (
            alerter::Config::from_env(&bad).err(),
            &["DATABASE_URL", "AMQP_URL", "OPS_PORT", "RESEND_FROM_EMAIL"],
        ),
    ];
    for (errors, names) in told {
        let text = errors.expect("refused").to_string();
        for name in names {
            assert!(text.contains(name), "{name} is not named in: {text}");
        }
        assert!(!text.contains("short"), "a secret is shown: {text}");
    }
}
