use std::collections::HashMap;

use super::*;

fn config(more: &[(&'static str, &'static str)]) -> Result<Config, EnvErrors> {
    let mut vars = HashMap::from([
        ("DATABASE_URL", "postgres://u:p@127.0.0.1/pulsemon"),
        ("AMQP_URL", "amqp://u:p@127.0.0.1:5672/x"),
        ("SECRETS_KEY", "a-key-of-these-tests-that-is-long-enough"),
    ]);
    vars.extend(more.iter().copied());
    Config::from_env(&vars)
}

fn wrong(more: &[(&'static str, &'static str)]) -> Vec<String> {
    let errors = config(more).unwrap_err();
    errors.names().iter().map(ToString::to_string).collect()
}

#[test]
fn without_any_mail_server_mail_goes_to_a_folder() {
    let mail = config(&[]).unwrap().mail;
    assert_eq!(mail.from.to_string(), "Pulsemon <alerts@localhost>");
    let TransportConfig::Outbox { folder } = mail.transport else {
        panic!("{mail:?}")
    };
    assert_eq!(folder, PathBuf::from("./outbox"));
}

#[test]
fn resend_wins_over_smtp_and_needs_a_sender() {
    let key = ("RESEND_API_KEY", "re_secret");
    let smtp = ("SMTP_URL", "smtp://127.0.0.1:25");
    let from = ("RESEND_FROM_EMAIL", "Shop <alerts@shop.test>");
    let mail = config(&[key, smtp, from]).unwrap().mail;
    assert!(matches!(&mail.transport, TransportConfig::Resend { .. }));
    assert!(!format!("{mail:?}").contains("re_secret"));
    assert_eq!(wrong(&[key]), ["RESEND_FROM_EMAIL"]);
    assert_eq!(
        wrong(&[key, ("RESEND_FROM_EMAIL", "nobody")]),
        ["RESEND_FROM_EMAIL"]
    );
    let mail = config(&[smtp]).unwrap().mail;
    assert!(matches!(mail.transport, TransportConfig::Smtp { .. }));
}

#[test]
fn every_wrong_variable_is_named_at_once() {
    let named = wrong(&[
        ("RESEND_BASE_URL", "ftp://x"),
        ("SMTP_URL", "http://x"),
        ("RESEND_FROM_EMAIL", "x"),
        ("FRONTEND_URL", "x"),
        ("SECRETS_KEY", "x"),
        ("EMAIL_VERIFICATION", "x"),
        ("OPS_PORT", "x"),
    ]);
    for name in [
        "RESEND_BASE_URL",
        "SMTP_URL",
        "RESEND_FROM_EMAIL",
        "FRONTEND_URL",
        "SECRETS_KEY",
        "EMAIL_VERIFICATION",
    ] {
        assert!(named.contains(&name.to_owned()), "{name}: {named:?}");
    }
    assert!(named.contains(&"OPS_PORT".to_owned()), "{named:?}");
}

#[test]
fn links_lead_to_the_frontend_or_are_left_out() {
    let id = "0190a000-0000-7000-8000-000000000001".parse().unwrap();
    let link = |more: &[(&'static str, &'static str)]| config(more).unwrap().links.dashboard(id);
    assert_eq!(link(&[]), None);
    let frontend = ("FRONTEND_URL", "https://app.test/x/");
    let expected = format!("https://app.test/x/dashboard/{id}");
    assert_eq!(link(&[frontend]), Some(expected));
}

#[test]
fn account_mail_leads_to_the_frontend_or_else_to_the_api() {
    let link = |more: &[(&'static str, &'static str)]| {
        let links = config(more).unwrap().links;
        links.account(LinkPurpose::ResetPassword, "t0ken")
    };
    let api = ("APP_BASE_URL", "https://api.test/");
    let page = "/auth/reset-password?token=t0ken";
    assert_eq!(link(&[]), format!("http://127.0.0.1:8080{page}"));
    assert_eq!(link(&[api]), format!("https://api.test{page}"));
    let frontend = ("FRONTEND_URL", "https://app.test/x");
    assert_eq!(link(&[api, frontend]), format!("https://app.test/x{page}"));
    let production = ("APP_ENV", "production");
    assert_eq!(wrong(&[production]), ["APP_BASE_URL"]);
    assert!(config(&[production, frontend]).is_ok());
    let verification =
        |more: &[(&'static str, &'static str)]| config(more).unwrap().verification.is_required();
    assert!(!verification(&[]));
    assert!(verification(&[production, api]));
}
