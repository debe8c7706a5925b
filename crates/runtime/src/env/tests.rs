use super::*;
use secrecy::{ExposeSecret as _, SecretString};

fn vars(pairs: &[(&'static str, &str)]) -> HashMap<&'static str, String> {
    pairs.iter().map(|(k, v)| (*k, (*v).to_owned())).collect()
}

#[test]
fn every_bad_variable_is_named_at_once_and_no_secret_is_printed() {
    let vars = vars(&[
        ("APP_PORT", "http"),
        ("WORKER_POOL_SIZE", "0"),
        ("APP_ENV", "prod"),
        ("REGIONS", "1,x,2,y"),
        ("JWT_SECRET", "hunter2"),
        ("AMQP_URL", "amqp-hunter2"),
        ("DATABASE_URL", "mysql://root:hunter2@db/x"),
        ("EMPTY", "  "),
    ]);
    let r = Reader::new(&vars);
    r.or("APP_PORT", 8080u16);
    r.ranged("WORKER_POOL_SIZE", 1000, 1..=100_000);
    AppEnv::read(&r);
    r.list::<u8>("REGIONS");
    KeyPair::required(&r, "JWT_SECRET");
    BrokerConfig::read(&r);
    DatabaseConfig::read(&r);
    r.required::<String>("EMPTY");
    r.secret("MISSING");
    let errors = r.finish(|| Some(())).unwrap_err();
    assert_eq!(
        errors.names(),
        [
            "APP_PORT",
            "WORKER_POOL_SIZE",
            "APP_ENV",
            "REGIONS",
            "REGIONS",
            "JWT_SECRET",
            "AMQP_URL",
            "DATABASE_URL",
            "EMPTY",
            "MISSING"
        ]
    );
    let text = errors.to_string();
    assert_eq!(text.lines().count(), 11);
    assert!(!text.contains("hunter2"), "{text}");
    assert!(
        text.contains("must lie between 1 and 100000, not 0"),
        "{text}"
    );
}

#[test]
fn defaults_hold_where_nothing_is_set_and_empty_is_unset() {
    let vars = vars(&[("OPS_PORT", ""), ("RESEND_API_KEY", " ")]);
    let r = Reader::new(&vars);
    let ops = OpsConfig::read(&r);
    let key = r.optional_secret("RESEND_API_KEY");
    let list = r.list::<String>("TRUSTED_PROXIES");
    let env = AppEnv::read(&r);
    assert_eq!(
        r.names_asked(),
        [
            "APP_ENV",
            "OPS_BIND",
            "OPS_PORT",
            "RESEND_API_KEY",
            "TRUSTED_PROXIES"
        ]
    );
    let (ops, list, env) = r.finish(|| Some((ops?, list?, env?))).unwrap();
    assert_eq!(ops.listen.to_string(), "0.0.0.0:9090");
    assert!(key.is_none() && list.is_empty() && env == AppEnv::Development);
}

#[test]
fn a_secret_comes_from_its_file_and_from_one_place_only() {
    let path = std::env::temp_dir().join(format!("pulsemon-env-{}", std::process::id()));
    std::fs::write(&path, "from-file\n").unwrap();
    let path_text = path.to_str().unwrap();
    let vars = vars(&[
        ("ONE_FILE", path_text),
        ("TWO", "x"),
        ("TWO_FILE", path_text),
        ("THREE_FILE", "/nonexistent/secret"),
    ]);
    let r = Reader::new(&vars);
    let one = r.secret("ONE").unwrap();
    assert_eq!(one.expose_secret(), "from-file");
    assert!(r.secret("TWO").is_none() && r.optional_secret("THREE").is_none());
    let errors = r.finish(|| Some(())).unwrap_err();
    assert_eq!(errors.names(), ["TWO_FILE", "THREE_FILE"]);
    std::fs::remove_file(path).unwrap();
}

fn database(pairs: &[(&'static str, &str)]) -> Result<DatabaseConfig, EnvErrors> {
    let vars = vars(pairs);
    let r = Reader::new(&vars);
    let config = DatabaseConfig::read(&r);
    r.finish(|| config)
}

#[test]
fn database_parts_become_a_url_with_special_characters_encoded() {
    let config = database(&[
        ("DB_HOST", "db.internal"),
        ("DB_USER", "pulse mon"),
        ("DB_PASSWORD", "p@ss/w:rd%41?#"),
        ("DB_NAME", "mon"),
        ("DB_SSL_MODE", "verify-full"),
        ("DB_SSL_ROOT_CERT", "/etc/ca.pem"),
    ])
    .unwrap();
    assert_eq!(
        config.url.expose_secret(),
        "postgres://pulse%20mon:p%40ss%2Fw%3Ard%2541%3F%23@db.internal:5432/mon"
    );
    assert_eq!(config.ssl_mode, SslMode::VerifyFull);
    assert_eq!(config.ssl_root_cert.unwrap().to_str(), Some("/etc/ca.pem"));
    let v6 = database(&[("DB_HOST", "::1")]).unwrap();
    assert_eq!(
        v6.url.expose_secret(),
        "postgres://pulsemon@[::1]:5432/pulsemon"
    );
}

#[test]
fn production_refuses_the_sample_user_of_the_broker() {
    let read = |env, url| {
        let vars = vars(&[("APP_ENV", env), ("AMQP_URL", url)]);
        let r = Reader::new(&vars);
        let config = BrokerConfig::read(&r);
        r.finish(|| config)
    };
    for weak in ["amqp://guest:guest@h", "amqps://h/v"] {
        let refused = read("Production", weak).unwrap_err();
        assert_eq!(refused.names(), ["AMQP_URL"]);
        read("development", weak).unwrap();
    }
    read("production", "amqp://guest:much-better@h").unwrap();
}

#[test]
fn the_database_url_wins_over_its_parts_and_gives_up_its_sslmode() {
    let config = database(&[
        (
            "DATABASE_URL",
            "postgres://u:p@h/d?sslmode=require&application_name=x",
        ),
        ("DB_HOST", "ignored"),
    ])
    .unwrap();
    assert_eq!(
        config.url.expose_secret(),
        "postgres://u:p@h/d?application_name=x"
    );
    assert_eq!(config.ssl_mode, SslMode::Require);
    let refused = database(&[("DATABASE_URL", "postgres://u:p@h/d?sslmode=prefer")]);
    assert_eq!(refused.unwrap_err().names(), ["DATABASE_URL"]);
    assert_eq!(database(&[]).unwrap_err().names(), ["DATABASE_URL"]);
}

fn keys(text: &str) -> Result<KeyPair, EnvErrors> {
    let vars = vars(&[("JWT_SECRET", text)]);
    let r = Reader::new(&vars);
    let pair = KeyPair::required(&r, "JWT_SECRET");
    r.finish(|| pair)
}

#[test]
fn keys_come_in_pairs_and_weak_ones_stop_the_start() {
    let (new, old) = (
        "n3w-key-n3w-key-n3w-key-n3w-key-1",
        "0ld-key-0ld-key-0ld-key-0ld-key-2",
    );
    let pair = keys(&format!("{new},{old}")).unwrap();
    assert_eq!(pair.current.expose_secret(), new);
    assert_eq!(
        pair.previous.as_ref().map(SecretString::expose_secret),
        Some(old)
    );
    assert!(keys(new).unwrap().previous.is_none());
    let weak = [
        String::from("short"),
        format!("{new},short"),
        format!("{new},{old},{old}"),
        format!("{new},"),
        String::from("please-CHANGE-ME-please-change-me-please"),
        "x".repeat(40),
    ];
    for text in weak {
        assert!(keys(&text).is_err(), "{text}");
    }
    assert!(
        !format!("{pair:?}").contains("key"),
        "secrets stay out of Debug"
    );
}
