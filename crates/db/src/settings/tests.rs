use super::*;

fn parse(url: &str) -> Result<Settings, SettingsError> {
    Settings::from_url(&SecretString::from(url.to_owned()))
}

#[test]
fn sslmode_is_read_from_the_url_and_the_rest_is_kept() {
    let settings = parse(
        "postgres://u:p@db:5433/pulsemon?sslmode=verify-full&sslrootcert=/ca.pem&connect_timeout=3",
    )
    .unwrap();
    assert_eq!(settings.ssl_mode, SslMode::VerifyFull);
    assert_eq!(settings.root_cert, Some(PathBuf::from("/ca.pem")));
    assert_eq!(settings.config.get_ports(), [5433]);
    assert_eq!(settings.config.get_dbname(), Some("pulsemon"));
}

#[test]
fn without_an_sslmode_nothing_is_encrypted_and_a_root_makes_require_verify() {
    assert_eq!(
        parse("postgres://u@db/x").unwrap().ssl_mode,
        SslMode::Disable
    );
    let rooted = parse("postgres://u@db/x?sslmode=require&sslrootcert=/ca.pem").unwrap();
    assert_eq!(rooted.ssl_mode, SslMode::VerifyFull);
    assert_eq!(
        parse("postgres://u@db/x?sslmode=require").unwrap().ssl_mode,
        SslMode::Require
    );
}

#[test]
fn passwords_may_hold_characters_that_mean_something_in_a_url() {
    let settings = parse("postgres://u:p%40s%2Fs%3A%23%25w@db/x").unwrap();
    assert_eq!(
        settings.config.get_password(),
        Some(b"p@s/s:#%w".as_slice())
    );
}

#[test]
fn wrong_urls_are_refused_without_repeating_them() {
    assert!(matches!(
        parse("mysql://u@db/x"),
        Err(SettingsError::Scheme)
    ));
    assert!(matches!(
        parse("db:5432"),
        Err(SettingsError::Scheme | SettingsError::Malformed)
    ));
    let error = parse("postgres://u:hunter2@db/x?sslmode=maybe").unwrap_err();
    assert!(matches!(error, SettingsError::SslMode));
    assert!(!error.to_string().contains("hunter2"));
    let debug = format!("{:?}", parse("postgres://u:hunter2@db/x").unwrap());
    assert!(!debug.contains("hunter2"), "{debug}");
}

#[test]
fn shared_and_near_connections_together_are_the_bound() {
    let parts = |most, threads| {
        let settings = parse("postgres://u@db/x").unwrap();
        settings.max_connections(most).near_threads(threads).parts()
    };
    assert_eq!(parts(10, 0), (10, 0));
    assert_eq!(parts(10, 2), (6, 2));
    assert_eq!(parts(10, 6), (10, 0), "half of them is less than one each");
    for most in 1..100 {
        for threads in 0..100 {
            let (shared, near) = parts(most, threads);
            assert!(shared * 2 >= most && shared + near * threads == most);
        }
    }
}
